// Records a folder: each time a file in it is finished, the folder's finished files become a
// version.
//
// A file is finished when its writer has closed it or renamed it into place, it has then rested for
// the configured time, and nobody has it open for writing. What is not finished stays in the
// version as it was recorded before, or is left out. Links, and folders within folders of the
// folder, are not recorded. A file that goes away leaves with the next version. On the loop's
// thread.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/record/recorder.h"
#include "agent/sync/store_queue.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/net/loop.h"
#include "common/net/watch.h"

namespace tributary::agent {

class WatchedFolder {
public:
    struct Host {
        NetLoop& loop;
        StoreQueue& store;
        Files& files;
        Clock& clock;
        std::function<void()> committed;
        // On the worker, before something is recorded.
        std::function<Status(const StoreQueue::Breathe& breathe)> admit;
    };
    struct Settings {
        std::string author;
        std::string state_dir;
        std::function<codec::Level()> level;  // asked before each version
        std::uint32_t workers = 1;            // threads that compress
    };

    WatchedFolder(Host host, WatchConfig config, Settings settings);
    ~WatchedFolder();
    WatchedFolder(const WatchedFolder&) = delete;
    WatchedFolder& operator=(const WatchedFolder&) = delete;

    // Begins to watch; a folder that is not there is waited for.
    void start();
    const std::string& path() const { return config_.path; }
    // Why nothing is recorded at present; empty: all is well.
    const std::string& trouble() const { return trouble_; }

private:
    // Told of, and not yet known to be finished.
    struct Candidate {
        FileStatus status;
        MonoTime since;  // it has rested
    };
    struct Finished {
        FileStatus status;      // when it was found finished
        bool recorded = false;  // with this status, in last_version_
    };
    using FinishedFiles = std::map<std::string, Finished>;
    struct Job;

    void on_event(const std::string& path, WatchEvent event);
    void consider(const std::string& path);
    void look();
    void record();
    void on_recorded(const Job& job);
    void arm();
    bool is_still_too_large() const;
    void set_trouble(const std::string& what, const Error* error);

    Host host_;
    WatchConfig config_;
    Settings settings_;
    std::unique_ptr<DirectoryWatch> watch_;
    std::map<std::string, Candidate> candidates_;
    FinishedFiles finished_;
    std::vector<std::string> news_;  // finished since the last version: names, for its message
    bool recording_ = false;
    bool again_ = false;
    MonoTime not_before_;  // after an error
    // What was free when a version did not fit. To try again writes all that is free again.
    struct TooLarge {
        std::uint64_t free_bytes = 0;
        MonoTime since;
    };
    std::optional<TooLarge> too_large_;
    VersionId last_version_;  // that we made or found
    std::string trouble_;
    std::unique_ptr<Timer> timer_;
    std::unique_ptr<Timer> watch_timer_;
    std::shared_ptr<WatchedFolder*> self_;  // jobs that end after us are dropped
};

}  // namespace tributary::agent
