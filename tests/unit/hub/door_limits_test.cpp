#include "hub/enrol/door_limits.h"

#include <gtest/gtest.h>

#include "common/net/http_server.h"

namespace tributary::hub {
namespace {

TEST(TrustDoorLimits, GiveEachAddressSoManyTriesAMinute) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kTriesAMinute; ++i)
        EXPECT_TRUE(limits.admit("a", {1000 + i}));
    EXPECT_FALSE(limits.admit("a", {2000}));
    EXPECT_TRUE(limits.admit("b", {2000}));
    EXPECT_FALSE(limits.admit("a", {60'999}));
    EXPECT_TRUE(limits.admit("a", {61'000}));
}

TEST(TrustDoorLimits, SayBeforehandWhenAnAddressHasHadItsTries) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kTriesAMinute; ++i) {
        EXPECT_FALSE(limits.is_spent("a", {1000}));
        limits.admit("a", {1000});
    }
    EXPECT_TRUE(limits.is_spent("a", {1000}));
    EXPECT_FALSE(limits.is_spent("b", {1000}));
    EXPECT_FALSE(limits.is_spent("a", {61'000}));
}

TEST(TrustDoorLimits, LookAtNothingOfAnAddressThatTriesWithoutEnd) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kLooksAMinute; ++i) {
        EXPECT_FALSE(limits.is_unheard("a", {1000}));
        limits.admit("a", {1000});
    }
    EXPECT_TRUE(limits.is_unheard("a", {1000}));
    EXPECT_FALSE(limits.is_unheard("b", {1000}));
    EXPECT_FALSE(limits.is_unheard("a", {61'000}));
}

TEST(TrustDoorLimits, AnswerEachBoardSoOftenAMinute) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kAnswersAMinute; ++i)
        EXPECT_TRUE(limits.admit_answer("cam", {1000}));
    EXPECT_FALSE(limits.admit_answer("cam", {1000}));
    EXPECT_TRUE(limits.admit_answer("other", {1000}));
    EXPECT_TRUE(limits.admit_answer("cam", {61'000}));
}

TEST(TrustDoorLimits, GiveEachDeviceSoManyObjectsAMinute) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kFetchesAMinute; ++i) {
        EXPECT_FALSE(limits.has_fetched_enough("a", {1000})) << i;
        limits.count_fetch("a", {1000});
    }
    EXPECT_TRUE(limits.has_fetched_enough("a", {1000}));
    EXPECT_FALSE(limits.has_fetched_enough("a", {61'000}));
    EXPECT_FALSE(limits.has_fetched_enough("b", {1000}));
}

TEST(TrustDoorLimits, TakeANetOfIpv6ForOneAndAnAddressOfIpv4ForItself) {
    EXPECT_EQ(client_of("2001:db8:1:2:3:4:5:6"), client_of("2001:db8:1:2::1"));
    EXPECT_NE(client_of("2001:db8:1:2::1"), client_of("2001:db8:1:3::1"));
    EXPECT_EQ(client_of("192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(client_of("::ffff:192.0.2.7"), "192.0.2.7");
    EXPECT_EQ(client_of("::1"), "::1");
    EXPECT_EQ(client_of("no address"), "no address");
}

TEST(TrustDoorLimits, RememberSoManyAddressesAndNoMore) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kTriesAMinute; ++i) limits.admit("a", {0});
    for (std::size_t i = 0; i < DoorLimits::kAddressesMax; ++i)
        EXPECT_TRUE(limits.admit("x" + std::to_string(i), {1}));
    EXPECT_TRUE(limits.admit("a", {2}));  // forgotten, for it began first
}

TEST(TrustDoorLimits, LogALineNowAndThenAndCountTheRest) {
    DoorLimits limits;
    for (std::uint32_t i = 0; i < DoorLimits::kLinesAMinute; ++i)
        EXPECT_EQ(limits.may_log({5}), std::optional<std::uint64_t>(0));
    EXPECT_FALSE(limits.may_log({6}));
    EXPECT_FALSE(limits.may_log({7}));
    EXPECT_EQ(limits.may_log({60'006}), std::optional<std::uint64_t>(2));
}

}  // namespace
}  // namespace tributary::hub
