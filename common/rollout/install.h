// How a device installs a model version: one table of states, and a step over it.
//
// Persist, then act: the engine calls install_step(), stores the Install it answers (durably, as
// encode_install() gives it), and only then carries out the action. So a power cut at any instant
// finds either the state before or the state after, and whatever action was cut short is done
// again: every action is safe to repeat, and the state table says why. Pure: time, files and health
// come in as events.
//
//   checking → admitted → downloading → reconstructing → verified → staged → activating → probation
//   → committed, or rejected | deferred | cancelled | failed | rolling_back → rolled_back
//
// Until `activating` nothing that runs is touched: what goes wrong there ends as failed, rejected
// or cancelled with the old model running. From `activating` on it ends as committed or
// rolled_back.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tributary::rollout {

// Numbers are stored.
enum class InstallState : std::uint8_t {
    checking = 1,
    admitted = 2,
    downloading = 3,
    reconstructing = 4,
    verified = 5,
    staged = 6,
    activating = 7,
    probation = 8,
    rolling_back = 9,
    deferred = 10,
    committed = 11,
    rejected = 12,
    cancelled = 13,
    failed = 14,
    rolled_back = 15,
};
inline constexpr InstallState kInstallStates[] = {
    InstallState::checking,       InstallState::admitted,  InstallState::downloading,
    InstallState::reconstructing, InstallState::verified,  InstallState::staged,
    InstallState::activating,     InstallState::probation, InstallState::rolling_back,
    InstallState::deferred,       InstallState::committed, InstallState::rejected,
    InstallState::cancelled,      InstallState::failed,    InstallState::rolled_back};
std::string_view name_of(InstallState state);  // as an entry of kind install says it

// What the engine does in a state. Each must be safe to do again from its beginning.
enum class InstallAction : std::uint8_t {
    check_assignment,  // seal, number, approval, expiry, policy, space; reads only
    prepare_slot,      // empty the slot that does not run, reserve room
    fetch_missing,     // ask for every object of the version that is not in the store
    fill_slot,         // decode into the slot from the start, sync files and directories, then read
                       // back and compare every digest
    mark_slot,         // note beside the slot which version and content it holds; synced
    await_activation,  // a window, the consumer's consent; none configured: at once
    switch_current,    // one rename of the `current` link to the new slot; directory synced
    check_health,      // run the configured check from its beginning
    switch_back,       // the `current` link to the old slot, or gone if there was none; synced
    wait_to_retry,     // backoff, metered budget, space
    report,            // give back what is not needed, then the journal's entry for this number,
                       // unless the journal has it
};
std::string_view name_of(InstallAction action);

enum class InstallEvent : std::uint8_t {
    done,        // the state's action succeeded; in probation: healthy
    unproven,    // probation: no check is configured
    refused,     // checking: by seal, approval or policy; never to be tried again
    not_now,     // no room, not the time, no budget: try again later
    incomplete,  // reconstructing: the store lacks or lost an object
    failed,      // the action cannot succeed; in probation: unhealthy
    cancel,      // the hub took it back, or a higher number came
    restart,     // the engine was started and found this state
};
inline constexpr InstallEvent kInstallEvents[] = {
    InstallEvent::done,       InstallEvent::unproven, InstallEvent::refused, InstallEvent::not_now,
    InstallEvent::incomplete, InstallEvent::failed,   InstallEvent::cancel,  InstallEvent::restart};
std::string_view name_of(InstallEvent event);

// Everything that survives a power cut. The slots' content, the store and the `current` link
// survive by themselves; what they hold is found again by looking.
struct Install {
    std::uint64_t number = 0;  // of the assignment
    std::string model;
    std::string repo;
    VersionId version;
    TreeId content;
    std::string path;   // of one file in the tree; empty: the whole tree
    Digest assignment;  // records of kind document, to check again
    Digest approval;
    std::string slot;       // where the new version goes
    std::string old_slot;   // what `current` named before; empty: nothing ran
    VersionId old_version;  // likewise
    InstallState state = InstallState::checking;
    std::uint32_t probation_starts = 0;
    std::string detail;  // one word for a machine: why it is in this state
    bool operator==(const Install&) const = default;
};
Bytes encode_install(const Install& install);  // CHECKs that texts are at most 64 KiB
Result<Install> parse_install(ByteView bytes);

struct StateRow {
    InstallState state;
    InstallAction action;
    bool terminal;  // no event but restart, and the end of its report, moves it
    const char* on_restart;
};
struct Transition {
    InstallState from;
    InstallEvent event;
    InstallState to;
};
std::span<const StateRow> state_table();
std::span<const Transition> transition_table();

// A board that a model brings down never reports: so many starts of one probation are a verdict.
inline constexpr std::uint32_t kProbationStartsMax = 3;

struct InstallStep {
    Install install;       // to be stored before the action, when `changed`
    InstallAction action;  // to be carried out now
    bool changed = false;
    bool finished = false;  // reported: nothing is to be done, the stored Install may go
};
// nullopt: the event means nothing in this state (it came late) and nothing is to be done. `detail`
// is stored with a change of state. A new Install starts with `restart` in `checking`.
std::optional<InstallStep> install_step(const Install& install, InstallEvent event,
                                        std::string_view detail = {});

}  // namespace tributary::rollout
