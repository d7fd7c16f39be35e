#include "common/sync/link_rate.h"

#include <gtest/gtest.h>

namespace tributary::sync {
namespace {

TEST(LinkRate, IsNotKnownAtFirst) {
    LinkRate rate;
    EXPECT_FALSE(rate.bytes_per_second());
    rate.note({1'000}, 0, true);
    rate.note({1'500}, 50'000, true);
    EXPECT_FALSE(rate.bytes_per_second());
}

TEST(LinkRate, IsWhatArrivesWhileThereIsSomethingToSend) {
    LinkRate rate;
    rate.note({1'000}, 0, true);
    rate.note({3'000}, 100'000, false);
    rate.note({600'000}, 100'000, true);
    rate.note({602'000}, 200'000, true);
    EXPECT_EQ(rate.bytes_per_second(), 50'000u);
}

// A link limited to 10,000 bytes per second, which lets pass what it saved up.
TEST(LinkRate, IsNotTooHighBecauseOfABurst) {
    LinkRate rate(1'000);
    rate.note({0}, 0, true);
    std::uint64_t arrived = 10'000;
    for (std::uint64_t ms = 100; ms <= 3'000; ms += 100) {
        rate.note({ms}, arrived += 1'000, true);
        if (const auto told = rate.bytes_per_second()) {
            EXPECT_EQ(*told, 10'000u) << ms;
        }
    }
    EXPECT_TRUE(rate.bytes_per_second());
}

TEST(LinkRate, FollowsALinkThatSlowsDown) {
    LinkRate rate;
    std::uint64_t arrived = 0;
    MonoTime now{0};
    const auto send_for = [&](std::uint64_t seconds, std::uint64_t bytes_per_second) {
        for (std::uint64_t i = 0; i < seconds; ++i, now.ms += 1000)
            rate.note(now, arrived += bytes_per_second, true);
    };
    send_for(3600, 1'000'000);
    send_for(600, 1'000);
    EXPECT_LT(rate.bytes_per_second(), 50'000u);
    EXPECT_GE(rate.bytes_per_second(), 1'000u);
}

TEST(LinkRate, KnowsNothingOfBytesThatAreSentAnew) {
    LinkRate rate;
    rate.note({0}, 500'000, true);
    rate.note({1'000}, 100'000, true);
    rate.note({2'000}, 200'000, true);
    EXPECT_EQ(rate.bytes_per_second(), 50'000u);
}

}  // namespace
}  // namespace tributary::sync
