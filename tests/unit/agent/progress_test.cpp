// What is said of content on its way.
#include "agent/app/progress.h"

#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

LiveStatus live() {
    LiveStatus live;
    live.hub_connected = true;
    live.bytes_per_second = 128'000;
    live.push_bytes_per_second = 64'000;
    return live;
}

TEST(Progress, TellsWhatIsLeftHowFastItGoesAndForHowLong) {
    LiveStatus now = live();
    EXPECT_EQ(sending({40'000'000, true}, now),
              "about 40.0 MB left, 128.0 kB a second, about 6 min to go");
    now.bytes_passed = 38'700'000;
    EXPECT_EQ(sending({40'000'000, true}, now),
              "about 1.3 MB left, 128.0 kB a second, about 11 s to go");
}

TEST(Progress, SaysAtLeastWhileNotAllWasLookedAt) {
    EXPECT_EQ(sending({40'000'000, false}, live()), "at least 40.0 MB left, 128.0 kB a second")
        << "nobody knows how long that takes";
    EXPECT_EQ(pending_amount({40'000'000, false}), "at least 40.0 MB");
}

TEST(Progress, TellsNoTimeWhileNothingPasses) {
    LiveStatus rests = live();
    rests.link_rests_ms = 1;
    EXPECT_EQ(sending({40'000'000, true}, rests), "about 40.0 MB left");
    LiveStatus ill = live();
    ill.trouble = "the hub has no room";
    EXPECT_EQ(sending({40'000'000, true}, ill), "about 40.0 MB left");
    LiveStatus fresh = live();
    fresh.bytes_per_second.reset();
    EXPECT_EQ(sending({40'000'000, true}, fresh), "about 40.0 MB left");
}

TEST(Progress, SaysNothingWhenNothingIsLeftOrNobodyTakesIt) {
    LiveStatus now = live();
    EXPECT_EQ(sending({0, true}, now), "");
    now.bytes_passed = 50'000'000;
    EXPECT_EQ(sending({40'000'000, true}, now), "");
    LiveStatus away = live();
    away.hub_connected = false;
    EXPECT_EQ(sending({40'000'000, true}, away), "");
}

TEST(Progress, TellsNoTimeOfAModelOfWhichOnlyAPageIsKnown) {
    LiveStatus now = live();
    EXPECT_EQ(receiving(now), "");
    now.bytes_to_come = 2'000'000;
    EXPECT_EQ(receiving(now), "at least 2.0 MB left, 64.0 kB a second");
    now.link_rests_ms = 1;
    EXPECT_EQ(receiving(now), "at least 2.0 MB left");
}

}  // namespace
}  // namespace tributary::agent
