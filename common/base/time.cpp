#include "common/base/time.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>

namespace tributary {

HybridTime HybridTime::next(WallTime now, ClockQuality now_quality) const {
    if (now.ms > wall_ms) return {now.ms, 0, now_quality};
    const ClockQuality quality_now = std::min(now_quality, ClockQuality::ratchet);
    if (logical == UINT32_MAX) return {wall_ms + 1, 0, quality_now};
    return {wall_ms, logical + 1, quality_now};
}

void HybridTime::put(ByteWriter& out) const {
    out.put(wall_ms);
    out.put(logical);
    out.put(static_cast<std::uint8_t>(quality));
}

std::optional<HybridTime> HybridTime::take(ByteReader& in) {
    HybridTime time;
    time.wall_ms = in.take<std::uint64_t>();
    time.logical = in.take<std::uint32_t>();
    const auto quality = in.take<std::uint8_t>();
    if (quality > static_cast<std::uint8_t>(ClockQuality::synced)) return std::nullopt;
    time.quality = static_cast<ClockQuality>(quality);
    return time;
}

std::string to_text(WallTime time) {
    using namespace std::chrono;
    // Beyond year 9999 the calendar form ends; a broken clock must still print.
    constexpr std::uint64_t kLast = 253402300799999;
    const milliseconds since_epoch{static_cast<std::int64_t>(std::min(time.ms, kLast))};
    const auto day = floor<days>(since_epoch);
    const year_month_day date{sys_days{day}};
    const hh_mm_ss clock{since_epoch - day};
    std::array<char, 40> text{};
    const int length = std::snprintf(
        text.data(), text.size(), "%04d-%02u-%02uT%02d:%02d:%02d", static_cast<int>(date.year()),
        static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
        static_cast<int>(clock.hours().count()), static_cast<int>(clock.minutes().count()),
        static_cast<int>(clock.seconds().count()));
    std::string result(text.data(), static_cast<std::size_t>(length));
    if (const auto fraction = clock.subseconds().count(); fraction != 0) {
        std::snprintf(text.data(), text.size(), ".%03d", static_cast<int>(fraction));
        result += text.data();
    }
    return result + "Z";
}

std::optional<WallTime> parse_wall_time(std::string_view text) {
    // Fixed positions: YYYY-MM-DD[THH:MM[:SS[.mmm]]Z]
    std::size_t at = 0;
    const auto number = [&](std::size_t digits) -> std::optional<int> {
        if (text.size() - at < digits) return std::nullopt;
        int value = 0;
        for (std::size_t i = 0; i < digits; ++i) {
            const char c = text[at + i];
            if (c < '0' || c > '9') return std::nullopt;
            value = value * 10 + (c - '0');
        }
        at += digits;
        return value;
    };
    const auto literal = [&](char c) { return at < text.size() && text[at] == c && ++at > 0; };

    const auto year = number(4);
    if (!year || !literal('-')) return std::nullopt;
    const auto month = number(2);
    if (!month || !literal('-')) return std::nullopt;
    const auto day = number(2);
    if (!day) return std::nullopt;
    int hours = 0, minutes = 0, seconds = 0, milliseconds = 0;
    if (at < text.size()) {
        if (!literal('T')) return std::nullopt;
        const auto h = number(2);
        if (!h || !literal(':')) return std::nullopt;
        const auto m = number(2);
        if (!m) return std::nullopt;
        hours = *h, minutes = *m;
        if (literal(':')) {
            const auto s = number(2);
            if (!s) return std::nullopt;
            seconds = *s;
            if (literal('.')) {
                const auto f = number(3);
                if (!f) return std::nullopt;
                milliseconds = *f;
            }
        }
        if (!literal('Z') || at != text.size()) return std::nullopt;
    }
    using namespace std::chrono;
    const year_month_day date{std::chrono::year{*year},
                              std::chrono::month{static_cast<unsigned>(*month)},
                              std::chrono::day{static_cast<unsigned>(*day)}};
    if (!date.ok() || *year < 1970 || hours > 23 || minutes > 59 || seconds > 60)
        return std::nullopt;
    const auto days_ms = std::chrono::milliseconds(sys_days{date}.time_since_epoch()).count();
    return WallTime{static_cast<std::uint64_t>(
        days_ms + ((hours * 60LL + minutes) * 60 + seconds) * 1000 + milliseconds)};
}

}  // namespace tributary
