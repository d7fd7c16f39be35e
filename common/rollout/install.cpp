#include "common/rollout/install.h"

#include <algorithm>

namespace tributary::rollout {
namespace {

using S = InstallState;
using A = InstallAction;
using E = InstallEvent;

constexpr bool kTerminal = true;

// clang-format off
constexpr StateRow kStates[] = {
    // state             action                        after a restart, from the stored Install alone
    {S::checking,       A::check_assignment, false,     "checks again; nothing was changed yet"},
    {S::admitted,       A::prepare_slot,     false,     "empties the idle slot again; `current` does not name it"},
    {S::downloading,    A::fetch_missing,    false,     "asks only for what the store still lacks"},
    {S::reconstructing, A::fill_slot,        false,     "fills the idle slot from the start"},
    {S::verified,       A::mark_slot,        false,     "marks again; the slot was synced before"},
    {S::staged,         A::await_activation, false,     "waits again; the slot is whole and synced"},
    {S::activating,     A::switch_current,   false,     "points `current` at the new slot, which it may name already"},
    {S::probation,      A::check_health,     false,     "checks from the beginning, a limited number of times"},
    {S::rolling_back,   A::switch_back,      false,     "points `current` at the old slot, which it may name already"},
    {S::deferred,       A::wait_to_retry,    false,     "waits anew, then checks everything again"},
    {S::committed,      A::report,           kTerminal, "reports unless the journal has this number's entry"},
    {S::rejected,       A::report,           kTerminal, "likewise"},
    {S::cancelled,      A::report,           kTerminal, "likewise"},
    {S::failed,         A::report,           kTerminal, "likewise"},
    {S::rolled_back,    A::report,           kTerminal, "likewise"},
};

// Restart is not in this table: it keeps the state (but see probation in install_step) and does the
// state's action again. An event that is not listed for a state means nothing there.
constexpr Transition kTransitions[] = {
    {S::checking,       E::done,       S::admitted},
    {S::checking,       E::refused,    S::rejected},
    {S::checking,       E::not_now,    S::deferred},
    {S::checking,       E::failed,     S::failed},
    {S::checking,       E::cancel,     S::cancelled},

    {S::deferred,       E::done,       S::checking},
    {S::deferred,       E::failed,     S::failed},
    {S::deferred,       E::cancel,     S::cancelled},

    {S::admitted,       E::done,       S::downloading},
    {S::admitted,       E::not_now,    S::deferred},
    {S::admitted,       E::failed,     S::failed},
    {S::admitted,       E::cancel,     S::cancelled},

    {S::downloading,    E::done,       S::reconstructing},
    {S::downloading,    E::not_now,    S::deferred},
    {S::downloading,    E::failed,     S::failed},
    {S::downloading,    E::cancel,     S::cancelled},

    {S::reconstructing, E::done,       S::verified},
    {S::reconstructing, E::incomplete, S::downloading},
    {S::reconstructing, E::not_now,    S::deferred},
    {S::reconstructing, E::failed,     S::failed},
    {S::reconstructing, E::cancel,     S::cancelled},

    {S::verified,       E::done,       S::staged},
    {S::verified,       E::incomplete, S::reconstructing},
    {S::verified,       E::failed,     S::failed},
    {S::verified,       E::cancel,     S::cancelled},

    {S::staged,         E::done,       S::activating},
    {S::staged,         E::incomplete, S::reconstructing},
    {S::staged,         E::failed,     S::failed},
    {S::staged,         E::cancel,     S::cancelled},

    // From here on something that runs may have changed: there is no way out but one of two whole models.
    {S::activating,     E::done,       S::probation},
    {S::activating,     E::failed,     S::rolling_back},
    {S::activating,     E::cancel,     S::rolling_back},

    {S::probation,      E::done,       S::committed},
    {S::probation,      E::unproven,   S::committed},
    {S::probation,      E::failed,     S::rolling_back},
    {S::probation,      E::cancel,     S::rolling_back},

    {S::rolling_back,   E::done,       S::rolled_back},
    {S::rolling_back,   E::failed,     S::rolling_back},  // again and again: the caller paces it
};
// clang-format on

const StateRow& row_of(InstallState state) {
    const auto row = std::find_if(std::begin(kStates), std::end(kStates),
                                  [&](const StateRow& r) { return r.state == state; });
    TRIBUTARY_CHECK(row != std::end(kStates));
    return *row;
}

InstallStep stay(const Install& install) {
    return {install, row_of(install.state).action, false, false};
}

InstallStep enter(Install install, InstallState state, std::string_view detail) {
    install.state = state;
    install.detail = detail;
    install.probation_starts = state == S::probation ? 1 : 0;
    return {std::move(install), row_of(state).action, true, false};
}

InstallStep restart(const Install& install) {
    if (install.state != S::probation) return stay(install);
    if (install.probation_starts >= kProbationStartsMax)
        return enter(install, S::rolling_back, "restarts");
    InstallStep again = stay(install);
    ++again.install.probation_starts;
    again.changed = true;
    return again;
}

}  // namespace

std::span<const StateRow> state_table() { return kStates; }
std::span<const Transition> transition_table() { return kTransitions; }

std::optional<InstallStep> install_step(const Install& install, InstallEvent event,
                                        std::string_view detail) {
    if (event == E::restart) return restart(install);
    if (row_of(install.state).terminal) {
        if (event != E::done) return std::nullopt;
        InstallStep reported = stay(install);
        reported.finished = true;
        return reported;
    }
    const auto next = std::find_if(
        std::begin(kTransitions), std::end(kTransitions),
        [&](const Transition& t) { return t.from == install.state && t.event == event; });
    if (next == std::end(kTransitions)) return std::nullopt;
    if (next->to == install.state) return stay(install);
    // Which verdict undid a model is what the result reports, not that switching back worked.
    if (next->to == S::rolled_back && detail.empty())
        return enter(install, next->to, install.detail);
    return enter(install, next->to, detail.empty() && event != E::done ? name_of(event) : detail);
}

std::string_view name_of(InstallState state) {
    switch (state) {
        case S::checking: return "checking";
        case S::admitted: return "admitted";
        case S::downloading: return "downloading";
        case S::reconstructing: return "reconstructing";
        case S::verified: return "verified";
        case S::staged: return "staged";
        case S::activating: return "activating";
        case S::probation: return "probation";
        case S::rolling_back: return "rolling_back";
        case S::deferred: return "deferred";
        case S::committed: return "committed";
        case S::rejected: return "rejected";
        case S::cancelled: return "cancelled";
        case S::failed: return "failed";
        case S::rolled_back: return "rolled_back";
    }
    return "unknown";
}

std::string_view name_of(InstallAction action) {
    switch (action) {
        case A::check_assignment: return "check_assignment";
        case A::prepare_slot: return "prepare_slot";
        case A::fetch_missing: return "fetch_missing";
        case A::fill_slot: return "fill_slot";
        case A::mark_slot: return "mark_slot";
        case A::await_activation: return "await_activation";
        case A::switch_current: return "switch_current";
        case A::check_health: return "check_health";
        case A::switch_back: return "switch_back";
        case A::wait_to_retry: return "wait_to_retry";
        case A::report: return "report";
    }
    return "unknown";
}

std::string_view name_of(InstallEvent event) {
    switch (event) {
        case E::done: return "done";
        case E::unproven: return "unproven";
        case E::refused: return "refused";
        case E::not_now: return "not_now";
        case E::incomplete: return "incomplete";
        case E::failed: return "failed";
        case E::cancel: return "cancel";
        case E::restart: return "restart";
    }
    return "unknown";
}

// ---- the stored form: u8 form (1), then the fields in their order; texts as u16 length and bytes

namespace {
constexpr std::uint8_t kForm = 1;
}

Bytes encode_install(const Install& install) {
    Bytes bytes;
    ByteWriter out(bytes);
    const auto put_text = [&](const std::string& text) {
        TRIBUTARY_CHECK(text.size() <= UINT16_MAX);
        out.put_short_text(text);
    };
    out.put(kForm);
    out.put(install.number);
    put_text(install.model);
    put_text(install.repo);
    install.version.digest.put(out);
    install.content.digest.put(out);
    put_text(install.path);
    install.assignment.put(out);
    install.approval.put(out);
    put_text(install.slot);
    put_text(install.old_slot);
    install.old_version.digest.put(out);
    out.put(static_cast<std::uint8_t>(install.state));
    out.put(install.probation_starts);
    put_text(install.detail);
    return bytes;
}

Result<Install> parse_install(ByteView bytes) {
    ByteReader in(bytes);
    bool digests_ok = true;
    const auto take_digest = [&] {
        const auto digest = Digest::take(in);
        digests_ok = digests_ok && digest.has_value();
        return digest.value_or(Digest{});
    };
    const bool form_ok = in.take<std::uint8_t>() == kForm;
    Install install;
    install.number = in.take<std::uint64_t>();
    install.model = in.take_short_text();
    install.repo = in.take_short_text();
    install.version.digest = take_digest();
    install.content.digest = take_digest();
    install.path = in.take_short_text();
    install.assignment = take_digest();
    install.approval = take_digest();
    install.slot = in.take_short_text();
    install.old_slot = in.take_short_text();
    install.old_version.digest = take_digest();
    install.state = static_cast<InstallState>(in.take<std::uint8_t>());
    install.probation_starts = in.take<std::uint32_t>();
    install.detail = in.take_short_text();
    const bool state_ok = std::any_of(std::begin(kStates), std::end(kStates),
                                      [&](const StateRow& r) { return r.state == install.state; });
    if (!form_ok || !digests_ok || !state_ok || !in.done())
        return fail(Errc::corrupt, "the stored install cannot be read");
    return install;
}

}  // namespace tributary::rollout
