#include "common/trust/event_throttle.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"

namespace tributary::trust {
namespace {

constexpr std::uint64_t kDayMs = EventThrottle::kEveryMs;

SecurityEventBody event(std::string name, std::string device = "", std::string why = "") {
    return {.event = std::move(name), .device = std::move(device), .detail = std::move(why)};
}

std::uint64_t counted(const std::vector<SecurityEventBody>& events) {
    std::uint64_t count = 0;
    for (const SecurityEventBody& one : events) count += one.count;
    return count;
}

TEST(TrustEventThrottle, LetsTheFirstOfAKindThroughAtOnce) {
    EventThrottle throttle(10);
    EXPECT_TRUE(throttle.note({5}, event("bad_seal", "a", "why")));
    const auto due = throttle.take_due({5});
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0], event("bad_seal", "a", "why"));
    EXPECT_TRUE(throttle.note({6}, event("bad_seal", "b")));
    EXPECT_TRUE(throttle.note({6}, event("bad_record", "a")));
    EXPECT_EQ(throttle.take_due({6}).size(), 2u);
}

TEST(TrustEventThrottle, CutsWhatIsTooLongBehindAWholeWord) {
    EventThrottle throttle(10);
    std::string why;
    for (int i = 0; i < 100; ++i) why += "board ";
    throttle.note({0}, event("bad_seal", "", why));
    const std::string detail = throttle.take_due({0}).at(0).detail;
    EXPECT_LE(detail.size(), limits::kTextBytesMax);
    EXPECT_GT(detail.size(), limits::kTextBytesMax - 10);
    EXPECT_TRUE(detail.ends_with(" board…")) << detail;
}

TEST(TrustEventThrottle, ThenWritesOnceADayHowManyThereWere) {
    EventThrottle throttle(10);
    throttle.note({0}, event("bad_seal"));
    EXPECT_EQ(throttle.take_due({0}).size(), 1u);
    for (std::uint64_t i = 1; i <= 1000; ++i)
        EXPECT_FALSE(throttle.note({i}, event("bad_seal", "", std::to_string(i))));
    EXPECT_TRUE(throttle.take_due({kDayMs - 1}).empty());
    const auto due = throttle.take_due({kDayMs});
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0].count, 1000u);
    EXPECT_EQ(due[0].detail, "1000");  // of the last
    EXPECT_TRUE(throttle.take_due({3 * kDayMs}).empty());
}

TEST(TrustEventThrottle, WritesNoMoreADayThanItMayWhateverComes) {
    EventThrottle throttle(16);
    std::uint64_t entries = 0, told = 0;
    constexpr std::uint64_t kNoted = 20'000;
    for (std::uint64_t i = 0; i < kNoted; ++i)
        if (throttle.note({i}, event("kind" + std::to_string(i)))) {
            const auto due = throttle.take_due({i});
            entries += due.size();
            told += counted(due);
        }
    EXPECT_EQ(entries, 16u);
    // Later the rest follows, and no count is lost.
    for (std::uint64_t day = 1; day < 400; ++day) {
        const auto due = throttle.take_due({day * 2 * kDayMs});
        EXPECT_LE(due.size(), 16u);
        told += counted(due);
    }
    EXPECT_EQ(told, kNoted);
}

TEST(TrustEventThrottle, CountsKindsBeyondItsRoomTogether) {
    EventThrottle throttle(100'000);
    for (std::size_t i = 0; i < EventThrottle::kLanesMax + 500; ++i)
        throttle.note({0}, event("kind" + std::to_string(i)));
    const auto due = throttle.take_due({0});
    EXPECT_LE(due.size(), EventThrottle::kLanesMax + 1);
    EXPECT_EQ(counted(due), EventThrottle::kLanesMax + 500);
    EXPECT_TRUE(std::ranges::any_of(due, [](const auto& one) {
        return one.event == "other" && one.device.empty() && one.count >= 500;
    }));
}

TEST(TrustEventThrottle, GoesOnAfterARestartWhereTheJournalLeftIt) {
    EventThrottle throttle(2);
    throttle.resume({100}, event("bad_seal"), kDayMs / 2);
    EXPECT_FALSE(throttle.note({100}, event("bad_seal")));
    EXPECT_TRUE(throttle.note({100}, event("bad_record")));
    EXPECT_EQ(throttle.take_due({100}).size(), 1u);
    EXPECT_FALSE(throttle.note({100}, event("third")));                  // two were written today
    EXPECT_FALSE(throttle.note({100 + kDayMs / 2}, event("bad_seal")));  // likewise
    EXPECT_TRUE(throttle.take_due({99 + kDayMs}).empty());
    const auto due = throttle.take_due({100 + kDayMs});
    ASSERT_EQ(due.size(), 2u);
    EXPECT_EQ(due[0].event, "third");
    EXPECT_EQ(due[1].event, "bad_seal");
    EXPECT_EQ(due[1].count, 2u);
}

TEST(TrustEventThrottle, CountsNothingOfAnotherDay) {
    EventThrottle throttle(1);
    throttle.resume({200}, event("bad_seal"), kDayMs);
    EXPECT_TRUE(throttle.note({200}, event("bad_seal")));
}

TEST(TrustEventThrottle, WhatMayBeOlderCountsAndHoldsUpNothing) {
    EventThrottle throttle(2);
    throttle.resume({100}, event("bad_seal"), 0, false);
    EXPECT_TRUE(throttle.note({100}, event("bad_seal")));
    EXPECT_EQ(throttle.take_due({100}).size(), 1u);
    EXPECT_FALSE(throttle.note({100}, event("bad_record")));  // two were written today
}

TEST(TrustEventThrottle, WritesFirstWhatWaitsLongest) {
    EventThrottle throttle(2);
    for (std::uint64_t i = 0; i < 6; ++i)
        throttle.note({i}, event(std::string(1, static_cast<char>('f' - i))));  // f first
    std::string order;
    for (std::uint64_t day = 0; day < 3; ++day)
        for (const SecurityEventBody& one : throttle.take_due({10 + day * kDayMs})) {
            order += one.event;
            throttle.note({11 + day * kDayMs}, event(one.event));  // and again at once
        }
    EXPECT_EQ(order, "fedcba");
}

TEST(TrustEventThrottle, WhatCouldNotBeWrittenIsNoEntryOfTheDayAndKeepsItsAddress) {
    EventThrottle throttle(1);
    SecurityEventBody first = event("bad_seal", "", "why");
    first.address = "192.0.2.1";
    throttle.note({0}, first);
    auto due = throttle.take_due({0});
    ASSERT_EQ(due.size(), 1u);
    throttle.give_back({0}, due[0]);
    due = throttle.take_due({3'600'000});
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0], first);

    EventThrottle other(1);  // that has no lane of it any more
    other.give_back({0}, first);
    due = other.take_due({3'600'000});
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0], first);
}

TEST(TrustEventThrottle, TriesAgainWhatCouldNotBeWritten) {
    EventThrottle throttle(10);
    throttle.note({0}, event("bad_seal", "", "why"));
    const auto due = throttle.take_due({0});
    throttle.give_back({0}, due[0]);
    throttle.note({1}, event("bad_seal", "", "again"));
    EXPECT_TRUE(throttle.take_due({1}).empty());
    const auto later = throttle.take_due({3'600'000});
    ASSERT_EQ(later.size(), 1u);
    EXPECT_EQ(later[0].count, 2u);
}

TEST(TrustEventThrottle, CutsTextsToWhatAnEntryHolds) {
    EventThrottle throttle(10);
    std::string why(251, 'x');
    why += "\xc3\xa9 and more";  // a letter of two bytes across the end
    throttle.note({0}, event(std::string(300, 'e'), std::string(300, 'd'), why));
    const auto due = throttle.take_due({0});
    ASSERT_EQ(due.size(), 1u);
    EXPECT_EQ(due[0].detail, why.substr(0, 251) + "…");
    EXPECT_TRUE(parse_body(EntryKind::security_event, encode_body(due[0])));
}

}  // namespace
}  // namespace tributary::trust
