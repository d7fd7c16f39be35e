// What the link to the hub may be used for: a rate, a budget for 24 hours, and hours of the day.
//
// All of it holds back Data alone, the content of versions. Questions, answers, assignments and
// entries without content always pass, and count.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary::agent {

// From one minute of the day, in UTC, to before another; over midnight when it ends first.
struct HoursOfDay {
    std::uint32_t from_minute = 0;  // 0..1439
    std::uint32_t to_minute = 0;    // 1..1440
    bool operator==(const HoursOfDay&) const = default;

    bool contains(std::uint32_t minute) const {
        if (from_minute < to_minute) return from_minute <= minute && minute < to_minute;
        return from_minute <= minute || minute < to_minute;
    }
};

// "22:00-06:00"; invalid says what is wrong with it.
Result<HoursOfDay> parse_hours(std::string_view text);

struct LinkPolicy {
    std::uint64_t bytes_per_second = 0;  // both ways together; 0: no limit
    std::uint64_t bytes_per_day = 0;     // likewise
    std::vector<HoursOfDay> hours;       // none: always
    std::uint32_t heartbeat_ms = 60'000;

    bool limits() const { return bytes_per_second != 0 || bytes_per_day != 0 || !hours.empty(); }
    // The hour cannot be told while the clock is not synchronised, and holds nothing back then: a
    // board whose clock is never set must not be silent for ever.
    bool keeps_hours(ClockQuality quality) const {
        return !hours.empty() && quality == ClockQuality::synced;
    }
    // What a person is told of that; empty: the hours are kept, or there are none.
    std::string hours_trouble(ClockQuality quality) const;
};

// What signs of life take of a day's bytes, at most: a heartbeat comes after half of it to all, and
// costs a Hello of each side.
constexpr std::uint64_t heartbeat_bytes_a_day(std::uint64_t heartbeat_ms) {
    constexpr std::uint64_t kBytes = 800;
    return 24 * std::uint64_t{3'600'000} / heartbeat_ms * 4 / 3 * kBytes;
}

}  // namespace tributary::agent
