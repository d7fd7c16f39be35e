// The broker as a child of the hub: started, watched, started again.
//
// It is mosquitto, found in PATH and where Debian keeps it, started in the folder of its
// configuration. What it says goes into our log. It ends with us: asked to in the destructor, by
// the kernel when we are killed.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "common/env/command.h"
#include "common/env/loop.h"

namespace tributary::hub {

class BrokerProcess {
public:
    // unavailable when there is no mosquitto, unsupported when it is older than 2.0.11; both say
    // what to do. That it does not stay up, as with a port that is taken, is logged, and tried
    // again after 1 s to 1 min.
    static Result<std::unique_ptr<BrokerProcess>> start(Loop& loop, CommandRunner& commands,
                                                        std::string config_path);
    ~BrokerProcess();

    // It reads its files anew, a second after its start at the earliest: before that it would die
    // of being told. In how many ms it will have been told; 0: it has, or is started later and
    // reads them then.
    std::uint64_t reload();
    bool running() const { return process_ != nullptr; }

private:
    BrokerProcess(Loop& loop, CommandRunner& commands, std::string config_path);
    void launch();
    void reload_if_due();
    void look();
    void ended(const CommandResult& result);
    void pass_on(const std::string& output);

    Loop& loop_;
    CommandRunner& commands_;
    const std::string config_path_;
    std::unique_ptr<RunningCommand> process_;
    std::unique_ptr<Timer> timer_;
    MonoTime launched_;
    bool to_reload_ = false;
    std::uint64_t backoff_ms_;
    std::string line_;          // begun, not ended yet
    std::string last_line_;     // the last whole one
    std::uint64_t lines_left_;  // that may still be logged in this minute
    std::uint64_t lines_dropped_ = 0;
    MonoTime minute_;
};

// What `mosquitto -h` says, checked. Private to this folder and its tests.
Status check_broker_version(std::string_view help);

}  // namespace tributary::hub
