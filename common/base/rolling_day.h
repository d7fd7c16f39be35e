// How much of something there was in the last 24 hours.
//
// Hours are counted on the monotonic clock, which nobody sets. Time in which nobody counted is
// added once the wall clock can be believed; until then, and on a board that never learns the time,
// it does not count.
//
// As it is kept: u64 ms of the present hour that have passed, u64 wall time in ms when it was kept
// (0: not known), 25 times u64: the amount in the present hour, in the one before, ...
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <numeric>
#include <optional>

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace tributary {

class RollingDay {
public:
    explicit RollingDay(MonoTime now) : at_(now) {}
    // What was kept; short input shows in the reader.
    static RollingDay take(ByteReader& in, MonoTime now) {
        RollingDay day(now);
        day.elapsed_ms_ = in.take<std::uint64_t>() % kHourMs;
        day.kept_at_.ms = in.take<std::uint64_t>();
        for (std::uint64_t& amount : day.hours_) amount = in.take<std::uint64_t>();
        return day;
    }
    // As of the last advance(). `wall`: none when it cannot be believed.
    void put(ByteWriter& out, std::optional<WallTime> wall) const {
        out.put(elapsed_ms_);
        out.put(wall.value_or(WallTime{}).ms);
        for (const std::uint64_t amount : hours_) out.put(amount);
    }

    // Lets hours go that are past; how many of them.
    std::uint64_t advance(MonoTime now, std::optional<WallTime> wall) {
        elapsed_ms_ += now.ms - at_.ms;
        counted_ms_ += now.ms - at_.ms;
        at_ = now;
        if (wall && kept_at_.ms != 0) {
            const std::uint64_t since = wall->ms - std::min(wall->ms, kept_at_.ms);
            elapsed_ms_ += since - std::min(since, counted_ms_);
            kept_at_ = {};
        }
        const std::uint64_t passed = elapsed_ms_ / kHourMs;
        elapsed_ms_ %= kHourMs;
        const auto shift =
            static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(passed, hours_.size()));
        std::shift_right(hours_.begin(), hours_.end(), shift);
        std::fill_n(hours_.begin(), shift, 0);
        return passed;
    }
    void add(std::uint64_t amount) { hours_[0] += amount; }  // in the present hour

    // In the last 24 hours, and up to one hour more.
    std::uint64_t sum() const {
        return std::accumulate(hours_.begin(), hours_.end(), std::uint64_t{0});
    }
    // How long until it is no more than `amount`, if nothing is added, as of the last advance().
    std::uint64_t ms_until(std::uint64_t amount) const {
        std::uint64_t left = sum();
        std::uint64_t ms = 0;
        for (std::size_t i = 0; left > amount; ++i) {
            ms = kHourMs - elapsed_ms_ + i * kHourMs;
            left -= hours_[hours_.size() - 1 - i];
        }
        return ms;
    }

private:
    static constexpr std::uint64_t kHourMs = 3'600'000;

    MonoTime at_;
    std::uint64_t elapsed_ms_ = 0;  // of the present hour
    std::uint64_t counted_ms_ = 0;  // since it was made or read
    WallTime kept_at_;              // until the time since then is reckoned; 0: it is
    std::array<std::uint64_t, 25> hours_{};
};

}  // namespace tributary
