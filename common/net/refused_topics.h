// What the broker takes no messages for, though it lets us in: each topic is set aside for a while,
// longer each time, and the others go on. Pure.
#pragma once

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>

#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

class RefusedTopics {
public:
    static constexpr std::uint64_t kPauseMsMin = 60'000;
    static constexpr std::uint64_t kPauseMsMax = 16 * kPauseMsMin;

    // False: it is set aside already, and this was on its way before.
    bool on_refused(const std::string& topic, const Error& error, MonoTime now) {
        if (rests(topic, now)) return false;
        Refusal& refusal = of_[topic];
        refusal.why = error.what;
        refusal.taken = false;
        refusal.pause_ms = std::clamp(2 * refusal.pause_ms, kPauseMsMin, kPauseMsMax);
        refusal.until = now + refusal.pause_ms;
        return true;
    }
    // How long it was set aside is known for a while longer: of what is refused for its size, other
    // messages are taken in between.
    void on_taken(const std::string& topic, MonoTime now) {
        const auto found = of_.find(topic);
        if (found == of_.end() || now < found->second.until) return;
        found->second.taken = true;
        if (now >= found->second.until + kPauseMsMax) of_.erase(found);
    }
    // Of another connection nothing is known yet.
    void clear() { of_.clear(); }

    // Nothing is to be sent there now.
    bool rests(const std::string& topic, MonoTime now) const {
        const auto found = of_.find(topic);
        return found != of_.end() && now < found->second.until;
    }
    // For a person; empty: nothing was refused there since something was taken.
    std::string trouble(const std::string& topic, MonoTime now) const;
    // Of one of them, and how many there are beside it.
    std::string trouble(MonoTime now) const;

private:
    struct Refusal {
        std::string why;
        MonoTime until;
        std::uint64_t pause_ms = 0;
        bool taken = false;  // something since then
    };
    std::map<std::string, Refusal> of_;
};

}  // namespace tributary
