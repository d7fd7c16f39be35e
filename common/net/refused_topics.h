// What the broker takes no messages for, though it lets us in: each topic is set aside for a while,
// longer each time, and the others go on. Pure.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
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

    // True: tell a person trouble(now). It is the first refusal there for long, and not one of very
    // many topics: of these it is said how many they are, each time that they are twice as many.
    bool on_refused(const std::string& topic, const Error& error, MonoTime now) {
        if (rests(topic, now)) return false;  // it was on its way before
        const auto [at, is_new] = of_.try_emplace(topic);
        Refusal& refusal = at->second;
        refusal.why = error.what;
        refusal.taken = false;
        refusal.refused_at = now;
        refusal.pause_ms = std::clamp(2 * refusal.pause_ms, kPauseMsMin, kPauseMsMax);
        refusal.until = now + refusal.pause_ms;
        return is_new && (of_.size() <= kToldByName || std::has_single_bit(of_.size()));
    }
    // How long it was set aside is known for a while longer: of what is refused for its size, other
    // messages are taken in between.
    void on_taken(const std::string& topic, MonoTime now) {
        const auto found = of_.find(topic);
        if (found == of_.end() || now < found->second.until) return;
        found->second.taken = true;
        if (now >= found->second.until + kPauseMsMax) of_.erase(found);
    }
    // Nothing is to be sent there any more.
    void forget(const std::string& topic) { of_.erase(topic); }
    // Of another connection nothing is known yet.
    void clear() { of_.clear(); }

    // Nothing is to be sent there now.
    bool rests(const std::string& topic, MonoTime now) const {
        const auto found = of_.find(topic);
        return found != of_.end() && now < found->second.until;
    }
    // For a person; empty: nothing was refused there since something was taken.
    std::string trouble(const std::string& topic, MonoTime now) const;
    // Of the one that was refused last, and how many there are beside it.
    std::string trouble(MonoTime now) const;

private:
    static constexpr std::size_t kToldByName = 4;
    struct Refusal {
        std::string why;
        MonoTime refused_at;
        MonoTime until;
        std::uint64_t pause_ms = 0;
        bool taken = false;  // something since then
    };
    std::map<std::string, Refusal> of_;
};

}  // namespace tributary
