// Two clocks that must never be mixed, and the hybrid time that statements carry.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/bytes.h"

namespace tributary {

// Milliseconds since 1970-01-01T00:00Z as the board believes. May be wrong, may jump.
struct WallTime {
    std::uint64_t ms = 0;
    auto operator<=>(const WallTime&) const = default;
};

// Milliseconds since some start; never goes back. For timeouts and deadlines only; never stored or
// sent.
struct MonoTime {
    std::uint64_t ms = 0;
    auto operator<=>(const MonoTime&) const = default;
    MonoTime operator+(std::uint64_t duration_ms) const { return {ms + duration_ms}; }
};

enum class ClockQuality : std::uint8_t {
    unknown = 0,  // no synchronisation seen since boot
    ratchet = 1,  // at least as late as everything this node has seen, else unknown
    synced = 2,   // the kernel says the clock is synchronised
};

// Hybrid logical time (Kulkarni et al. 2014): the greatest wall time seen, and a counter that
// breaks ties. Per node it only grows, even when the wall clock jumps back.
struct HybridTime {
    std::uint64_t wall_ms = 0;
    std::uint32_t logical = 0;
    ClockQuality quality = ClockQuality::unknown;

    // Order is by time; the quality, which says how far to believe it, only breaks ties, so that
    // order and equality agree.
    std::strong_ordering operator<=>(const HybridTime& o) const {
        if (auto c = wall_ms <=> o.wall_ms; c != 0) return c;
        if (auto c = logical <=> o.logical; c != 0) return c;
        return quality <=> o.quality;
    }
    bool operator==(const HybridTime&) const = default;

    // The next statement's time, given this one's and what the wall clock says now.
    HybridTime next(WallTime now, ClockQuality now_quality) const;

    static constexpr std::size_t kStoredBytes = 8 + 4 + 1;
    void put(ByteWriter& out) const;
    // nullopt for an unknown quality; short input shows in the reader.
    static std::optional<HybridTime> take(ByteReader& in);
};

// `2026-01-31T00:00:00Z`, or with milliseconds when they are not zero.
std::string to_text(WallTime time);
// Accepts dates and times in ISO 8601 UTC: `2026-01-31`, `2026-01-31T00:00Z`,
// `2026-01-31T00:00:00.250Z`.
std::optional<WallTime> parse_wall_time(std::string_view text);

}  // namespace tributary
