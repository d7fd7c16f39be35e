// How much may pass the link now, by the policy of a LinkPolicy and what has passed.
//
// Counted are payloads of messages, both ways; MQTT, TLS and TCP add some percent. The rate is a
// bucket that fills with time and holds about a second's worth: what passes unasked, control and
// what was on its way, is taken from it and may leave it in debt. The day's bytes are kept in a
// StateFile, written when an hour ends or another 64th of the budget is used: a crash forgets no
// more.
//
//   u8 form (1), u64 monotonic ms at which the present hour began, 25 times u64 bytes: passed in
//   the present hour, in the one before, ...
//
// Hours of the day are those of the wall clock. While that is not synchronised they cannot be told,
// and do not hold anything back: a board whose clock is never set must not be silent for ever.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/config/link_policy.h"
#include "common/base/rolling_day.h"
#include "common/env/clock.h"
#include "common/env/files.h"

namespace tributary::agent {

class LinkBudget {
public:
    // A state that cannot be read begins anew. All outlive it.
    LinkBudget(Files& files, Clock& clock, std::string path, LinkPolicy policy);

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

    // Of one Data message, and in one credit, so that the rate is kept evenly.
    std::uint32_t frame_bytes() const;
    std::uint32_t credit_bytes() const;

private:
    void load();
    void save();
    void refill();
    std::uint64_t closed_by_hours_ms();
    std::uint64_t closed_by_day_ms();

    Files& files_;
    Clock& clock_;
    const std::string path_;
    const LinkPolicy policy_;
    RollingDay day_;
    std::uint64_t unsaved_ = 0;
    std::int64_t bucket_ = 0;  // thousandths of a byte
    MonoTime filled_;
};

}  // namespace tributary::agent
