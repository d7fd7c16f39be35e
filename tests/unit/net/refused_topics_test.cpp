#include "common/net/refused_topics.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace tributary {
namespace {

constexpr std::uint64_t kMinute = 60'000;
const Error kDenied{Errc::denied, "the broker refuses a message to 'a'"};

TEST(RefusedTopics, SetsAsideTheOneThatWasRefusedAndNoOther) {
    RefusedTopics topics;
    EXPECT_TRUE(topics.on_refused("a", kDenied, {0}));
    EXPECT_FALSE(topics.on_refused("a", kDenied, {1})) << "was on its way";
    EXPECT_TRUE(topics.rests("a", {kMinute - 1}));
    EXPECT_FALSE(topics.rests("a", {kMinute}));
    EXPECT_FALSE(topics.rests("b", {1}));
}

TEST(RefusedTopics, IsToldOnceHoweverManyPausesFollow) {
    RefusedTopics topics;
    int told = 0;
    for (std::uint64_t minute = 0; minute < 24 * 60; ++minute)
        told += topics.on_refused("a", kDenied, {minute * kMinute}) ? 1 : 0;
    EXPECT_EQ(told, 1);
}

TEST(RefusedTopics, OfVeryManyItIsToldHowManyTheyAre) {
    RefusedTopics topics;
    std::vector<std::string> told;
    for (std::uint64_t board = 0; board < 1000; ++board)
        if (topics.on_refused("b" + std::to_string(board), kDenied, {board}))
            told.push_back(topics.trouble({board}));
    ASSERT_EQ(told.size(), 11u);
    EXPECT_EQ(told[4],
              kDenied.what + "; nothing is sent there for 1 min; and so it is with 7 more");
    EXPECT_TRUE(told.back().ends_with("; and so it is with 511 more")) << told.back();
}

TEST(RefusedTopics, ForgetsOneWhereNothingIsToBeSentAnyMore) {
    RefusedTopics topics;
    topics.on_refused("a", kDenied, {0});
    topics.forget("a");
    EXPECT_FALSE(topics.rests("a", {1}));
    EXPECT_EQ(topics.trouble({1}), "");
}

TEST(RefusedTopics, PausesGrowUntilNothingIsRefusedForLong) {
    RefusedTopics topics;
    MonoTime now;
    for (const std::uint64_t minutes : {1u, 2u, 4u, 8u, 16u, 16u}) {
        topics.on_refused("a", kDenied, now);
        topics.on_taken("a", now);  // the window is free again, no more
        EXPECT_TRUE(topics.rests("a", now + (minutes * kMinute - 1)));
        now = now + minutes * kMinute;
        ASSERT_FALSE(topics.rests("a", now)) << minutes;
    }
    // A smaller message, perhaps.
    topics.on_taken("a", now);
    EXPECT_EQ(topics.trouble("a", now), "");
    EXPECT_EQ(topics.trouble(now), "");
    topics.on_refused("a", kDenied, now);
    EXPECT_TRUE(topics.rests("a", now + 15 * kMinute));
    EXPECT_NE(topics.trouble("a", now), "");

    now = now + 32 * kMinute;
    topics.on_taken("a", now);
    topics.on_refused("a", kDenied, now);
    EXPECT_FALSE(topics.rests("a", now + kMinute));
}

TEST(RefusedTopics, SaysWhatIsRefusedAndForHowLong) {
    RefusedTopics topics;
    EXPECT_EQ(topics.trouble({0}), "");
    topics.on_refused("a", kDenied, {0});
    EXPECT_EQ(topics.trouble("a", {1}), kDenied.what + "; nothing is sent there for 1 min");
    EXPECT_EQ(topics.trouble("a", {kMinute}),
              kDenied.what + "; it is tried again with the next message");
    topics.on_refused("b", kDenied, {0});
    EXPECT_EQ(topics.trouble({0}),
              kDenied.what + "; nothing is sent there for 1 min; and so it is with 1 more");
}

}  // namespace
}  // namespace tributary
