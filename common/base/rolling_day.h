// How much of something there was in the last 24 hours.
//
// Hours are counted on the monotonic clock, which nobody sets; time without power does not count.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>

#include "common/base/time.h"

namespace tributary {

class RollingDay {
public:
    static constexpr std::uint64_t kHourMs = 3'600'000;
    // The present hour, and those before it.
    using Hours = std::array<std::uint64_t, 25>;

    explicit RollingDay(MonoTime now) : hour_began_(now) {}
    // As it was kept, on a clock that may have begun anew: then at least its present time has
    // passed.
    RollingDay(MonoTime now, MonoTime hour_began, const Hours& hours)
        : hour_began_(hour_began > now ? MonoTime{} : hour_began), hours_(hours) {}

    // Lets hours go that are past; how many of them.
    std::uint64_t advance(MonoTime now) {
        const std::uint64_t passed = (now.ms - hour_began_.ms) / kHourMs;
        const auto shift =
            static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(passed, hours_.size()));
        std::shift_right(hours_.begin(), hours_.end(), shift);
        std::fill_n(hours_.begin(), shift, 0);
        hour_began_ = hour_began_ + passed * kHourMs;
        return passed;
    }
    void add(std::uint64_t amount) { hours_[0] += amount; }  // in the present hour

    // In the last 24 hours, and up to one hour more.
    std::uint64_t sum() const {
        return std::accumulate(hours_.begin(), hours_.end(), std::uint64_t{0});
    }
    MonoTime hour_began() const { return hour_began_; }
    MonoTime hour_ends() const { return hour_began_ + kHourMs; }
    const Hours& hours() const { return hours_; }

private:
    MonoTime hour_began_;
    Hours hours_{};
};

}  // namespace tributary
