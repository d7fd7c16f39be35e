// Wall clocks that are set wrong, and what may not follow from that.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <optional>

#include "common/record/entry.h"
#include "common/store/store.h"
#include "tests/support/sim_clock.h"

namespace tributary::test {

struct ClockEvents {
    std::uint64_t forth = 0, back = 0, to_1970 = 0;
};

// By seconds, days or years, or to 1970, where a board without a battery begins. It may call itself
// synchronised all the same.
inline void set_wrong(SimClock& clock, Random& draw, ClockEvents& happened) {
    constexpr std::uint64_t kSecond = 1'000, kDay = 86'400 * kSecond, kYear = 365 * kDay;
    constexpr std::array kUnits{kSecond, kDay, kYear};
    const std::uint64_t by = kUnits[draw.below(kUnits.size())] * (1 + draw.below(40u));
    const std::uint64_t now = clock.wall().ms;
    switch (draw.below(5u)) {
        case 0:
            clock.set_wall({draw.below(60 * kSecond)});
            ++happened.to_1970;
            break;
        case 1:
        case 2:
            clock.set_wall({now + by});
            ++happened.forth;
            break;
        default: clock.set_wall({now - std::min(now, by)}); ++happened.back;
    }
    clock.set_quality(draw.one_in(3) ? ClockQuality::unknown : ClockQuality::synced);
}

// Of the store's own journal, whatever its clock showed.
inline void expect_time_grows(Store& store) {
    std::optional<HybridTime> before;
    EXPECT_TRUE(store.read_entries(store.head().incarnation, 1, [&](ByteView plain) {
        const EntryHeader header = parse_entry(plain).value().header;
        if (before) {
            EXPECT_LT(*before, header.time) << "entry " << header.sequence << " went back in time";
        }
        before = header.time;
        return true;
    }));
}

}  // namespace tributary::test
