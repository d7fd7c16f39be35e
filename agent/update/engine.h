// Installs as a step machine over ports: common/rollout's table with real files, store and health
// command behind its actions.
//
// step() does one bounded piece of work (one piece of a file, one block, one look at a running
// command) and says when it wants to be called again. What an install does next is stored before
// it is done; after a power cut the stored state is entered again, and the `current` link says what
// runs. Not the loop's thread: calls reach the disk. One thread at a time, the one that may use the
// store.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "agent/config/config.h"
#include "agent/sync/pins.h"
#include "agent/sync/push_size.h"
#include "agent/sync/security_log.h"
#include "agent/trust/trust_keeper.h"
#include "agent/update/slot.h"
#include "agent/update/state.h"
#include "common/env/clock.h"
#include "common/env/command.h"
#include "common/env/files.h"
#include "common/record/document.h"
#include "common/record/entry.h"
#include "common/record/message.h"
#include "common/store/state_file.h"
#include "common/store/store.h"
#include "common/trust/trust.h"

namespace tributary::agent {

class InstallEngine {
public:
    // All outlive the engine.
    struct World {
        Files& files;
        Clock& clock;
        trust::Verifier& verifier;
        CommandRunner& commands;
        const Config& config;
        // Null: no root document stands behind the pins, and the board's clock counts.
        TrustKeeper* trust = nullptr;
        OnRefused refused = {};
    };
    struct Step {
        // When to call again; nullopt: after the next assignment, whole version or report.
        std::optional<MonoTime> next;
        // To be put into the journal, durably; then reported(). Nothing is reported meanwhile.
        std::optional<InstallBody> report;
    };

    // More assignments than this are not taken until one of them has ended.
    static constexpr std::size_t kInstallsMax = 32;

    // Takes up what a restart cut short. corrupt: the stored state is damaged.
    static Result<std::unique_ptr<InstallEngine>> open(const World& world, Pins pins);
    ~InstallEngine();

    // Other keys count from now on. When one of the hub's was dropped, numbers and times that it
    // may have said are forgotten.
    Status set_pins(Pins pins);

    // What is not our hub's word for this board, or is known already, changes nothing and is only
    // logged: who cannot sign for our hub shall not be able to fill our journal. Everything else
    // ends in a report.
    void on_assign(Store& store, const sync::Assign& documents);
    // Ends the install that waits for it when there is no room; when more than one waits, each says
    // so once its version is here.
    void on_push_offered(const PushSize& size);
    void on_version_whole(const VersionId& version);
    Step step(Store& store);
    // The entry of that report is durable, or could not be made: then it is asked for again.
    void reported(const Status& status);

    // Versions that are waited for: what a push may bring now.
    std::vector<VersionId> expected() const;
    // An assignment is taken of which it is not settled yet whether its version is waited for.
    bool deciding() const;

private:
    struct Task;

    InstallEngine(const World& world, Pins pins, StateFile file);

    Task* first_of(const std::string& model);
    const ModelConfig* model_of(const Task& task) const;
    std::string model_dir(const Task& task) const;
    std::string slot_dir(const Task& task) const;

    void refuse(SecurityEvent event, std::string why) const;
    bool was_taken(Store& store, std::uint64_t number);
    Status take(Store& store, const Assignment& assignment, const sync::Assign& documents);
    Status persist();
    Status advance(Task& task, rollout::InstallEvent event, std::string_view detail = {});
    // These answer an error only when the state could not be stored: then nothing was done.
    Status act(Store& store, Task& task, Step& step);
    Status trouble(Task& task, const Error& error);

    Status forget_old_keys();
    WallTime believed_now();
    Status check(Store& store, Task& task);
    // One word, and the reason in full for the log; empty: nothing speaks against it.
    std::string_view reason_to_refuse(Store& store, const Task& task, Error& why);
    Status choose_slot(Task& task);
    Status prepare_slot(Task& task);
    Status fetch(Store& store, Task& task);
    Status look_at_offer(Task& task);
    Status fill(Store& store, Task& task);
    Status begin_filling(Store& store, Task& task);
    Status mark_slot(Store& store, Task& task);
    Status switch_current(Task& task);
    Status check_health(Task& task);
    Status start_health(Task& task);
    Status judge_health(Task& task, const CommandResult& result);
    Status switch_back(Task& task);
    Status report(Store& store, Task& task, Step& step);
    void give_back(Task& task);
    bool journal_has(Store& store, std::uint64_t number);
    InstallBody result_of(const Task& task);
    Status drop(const Task& task);

    World world_;
    Pins pins_;
    StateFile file_;
    InstallerState state_;  // but for installs, which tasks_ hold
    std::vector<std::unique_ptr<Task>> tasks_;
    std::size_t next_task_ = 0;        // they take turns
    std::optional<PushSize> offered_;  // not yet looked at
    const Task* reporting_ = nullptr;
    std::set<std::uint64_t> old_numbers_;  // of assignments that came again and were judged
};

}  // namespace tributary::agent
