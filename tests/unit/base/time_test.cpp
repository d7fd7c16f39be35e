#include "common/base/time.h"

#include <gtest/gtest.h>

namespace tributary {
namespace {

TEST(HybridTime, GrowsWhenTheWallClockJumpsBack) {
    const HybridTime first = HybridTime{}.next(WallTime{5000}, ClockQuality::synced);
    const HybridTime second = first.next(WallTime{1000}, ClockQuality::synced);
    EXPECT_LT(first, second);
    EXPECT_EQ(second.wall_ms, 5000u);
    EXPECT_EQ(second.quality, ClockQuality::ratchet);
}

TEST(HybridTime, GrowsAlsoWhenItsCounterIsFull) {
    const HybridTime full{5000, UINT32_MAX, ClockQuality::synced};
    EXPECT_LT(full, full.next(WallTime{1000}, ClockQuality::synced));
}

TEST(HybridTime, RefusesAnUnknownQuality) {
    Bytes stored(HybridTime::kStoredBytes, 0);
    stored.back() = 9;
    ByteReader reader(stored);
    EXPECT_FALSE(HybridTime::take(reader));
}

TEST(WallTime, RoundTripsThroughText) {
    for (const char* text :
         {"1970-01-01T00:00:00Z", "2026-01-31T23:59:59.250Z", "2106-02-07T06:28:15Z"})
        EXPECT_EQ(to_text(parse_wall_time(text).value()), text);
    EXPECT_EQ(parse_wall_time("2026-01-31"), parse_wall_time("2026-01-31T00:00Z"));
}

TEST(WallTime, RefusesWhatIsNoDate) {
    for (const char* text :
         {"", "2026", "2026-02-30", "2026-01-01T25:00Z", "2026-01-01T00:00", "1969-12-31"})
        EXPECT_FALSE(parse_wall_time(text)) << text;
}

}  // namespace
}  // namespace tributary
