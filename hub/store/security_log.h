// What this hub refused, as entries of its journal, and as counters. Bounded by
// trust::EventThrottle, also over restarts: strangers share one lane a kind, and a device has its
// own only where its key or its topic at the broker shows that it is that device.
#pragma once

#include <map>
#include <string>

#include "common/env/clock.h"
#include "common/record/security_event.h"
#include "common/trust/event_throttle.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

struct Refused {
    std::string event;    // a word of common/record/security_event.h, or "door_" and a Refusal's
    std::string device;   // empty: nobody in particular
    std::string why;      // a sentence
    std::string address;  // empty: not known
};

class SecurityLog {
public:
    // Entries of a day, of all devices and strangers together.
    static constexpr std::uint32_t kMostADay = 1'000;

    SecurityLog(Ledger& ledger, Clock& clock, MonoTime now);

    void note(MonoTime now, Refused refused);
    // Writes what is due; to be called every hour or so.
    void flush(MonoTime now);

    // Since the start, by event.
    const std::map<std::string, std::uint64_t>& counted() const { return counted_; }

private:
    Ledger& ledger_;
    trust::EventThrottle throttle_{kMostADay};
    std::map<std::string, std::uint64_t> counted_;
};

}  // namespace tributary::hub
