// How much may pass the link now, by the policy of a LinkPolicy and what has passed.
//
// Counted are payloads of messages, both ways; MQTT, TLS and TCP add some percent. The rate is a
// bucket that fills with time and holds about a second's worth: what passes unasked, control and
// what was on its way, is taken from it and may leave it in debt. The day's bytes are kept in a
// StateFile (u8 form 1, then as common/base/rolling_day.h says), written when an hour ends or
// another 64th of the budget is used: a crash forgets no more. Once they are used up, content rests
// until an eighth is free again, so that it does not go on and stop for every frame.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "agent/config/link_policy.h"
#include "common/base/rolling_day.h"
#include "common/env/clock.h"
#include "common/env/files.h"

namespace tributary::agent {

class LinkBudget {
public:
    // Has a task that syncs a file done where nobody waits for it, in order. It may outlive the
    // budget.
    using Beside = std::function<void(std::function<void()> task)>;
    // A state that cannot be read begins anew. Files and clock outlive it, and its tasks.
    LinkBudget(Files& files, Clock& clock, std::string path, LinkPolicy policy, Beside beside);

    const LinkPolicy& policy() const { return policy_; }
    // `bytes` more have passed.
    void count(std::uint64_t bytes);
    // How many bytes of Data may pass now; none: any number.
    std::optional<std::uint64_t> allowance();
    // For how long no Data may pass, as far as is known now; 0: it may. Not the rate's short
    // pauses.
    std::uint64_t rest_ms();
    // When to ask again, if nothing happens before; none: never.
    std::optional<MonoTime> next_change();
    // In the last 24 hours, and up to one hour more; 0 without a budget for a day.
    std::uint64_t used_bytes();
    // Why no Data passes, as one sentence; empty: it does.
    std::string closed();

    // Payloads that the broker takes; it is one that sync works with.
    void fit_broker(std::size_t payload_bytes) { payload_bytes_ = payload_bytes; }
    // Of one Data message, of one credit and of one page of an Offer, so that the rate is kept
    // evenly, no day is used up at once, and the broker takes them.
    std::uint32_t frame_bytes() const;
    std::uint32_t credit_bytes() const;
    std::uint32_t page_bytes() const { return 4 * frame_bytes(); }

private:
    void load();
    void save();
    void advance();
    void refill();
    std::uint64_t closed_by_hours_ms();
    std::uint64_t closed_by_day_ms();

    Files& files_;
    Clock& clock_;
    const std::string path_;
    const LinkPolicy policy_;
    const Beside beside_;
    RollingDay day_;
    std::size_t payload_bytes_ = SIZE_MAX;
    std::uint64_t unsaved_ = 0;
    bool hour_ended_ = false;  // since it was kept
    bool used_up_ = false;
    std::int64_t bucket_ = 0;  // thousandths of a byte
    MonoTime filled_;
};

}  // namespace tributary::agent
