#include "agent/sync/link_budget.h"

#include <gmock/gmock.h>

#include <functional>
#include <memory>
#include <vector>

#include "common/base/limits.h"
#include "tests/support/sim_clock.h"
#include "tests/support/sim_files.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kHour = 3'600'000;

class LinkBudgetTest : public testing::Test {
protected:
    LinkBudget budget(LinkPolicy policy) {
        return {files, clock, "/state/link", std::move(policy), [this](std::function<void()> task) {
                    if (worker_is_busy)
                        waiting.push_back(std::move(task));
                    else
                        task();
                }};
    }
    static LinkPolicy daily(std::uint64_t bytes) {
        LinkPolicy policy;
        policy.bytes_per_day = bytes;
        return policy;
    }
    static LinkPolicy hourly(std::vector<HoursOfDay> hours) {
        LinkPolicy policy;
        policy.hours = std::move(hours);
        return policy;
    }

    test::SimFiles files;
    test::SimClock clock;  // 2026-01-01T00:00Z
    bool worker_is_busy = false;
    std::vector<std::function<void()>> waiting;
};

TEST_F(LinkBudgetTest, AnyNumberMayPassWithoutAPolicy) {
    auto free = budget({});
    free.count(1'000'000'000);
    EXPECT_EQ(free.allowance(), std::nullopt);
    EXPECT_EQ(free.rest_ms(), 0u);
    EXPECT_EQ(free.next_change(), std::nullopt);
    EXPECT_EQ(free.closed(), "");
}

TEST_F(LinkBudgetTest, ARateIsKeptOverTime) {
    LinkPolicy policy;
    policy.bytes_per_second = 10'000;
    auto slow = budget(policy);
    std::uint64_t passed = 0;
    for (int tenth = 0; tenth < 600; ++tenth) {
        const std::uint64_t now = slow.allowance().value();
        slow.count(now);
        passed += now;
        clock.advance(100);
    }
    EXPECT_GE(passed, 590'000u);
    EXPECT_LE(passed, 600'000u);
}

TEST_F(LinkBudgetTest, WhatPassesUnaskedIsPaidBack) {
    LinkPolicy policy;
    policy.bytes_per_second = 10'000;
    auto slow = budget(policy);
    slow.count(30'000);
    clock.advance(2'900);
    EXPECT_EQ(slow.allowance(), 0u);
    EXPECT_EQ(slow.rest_ms(), 0u) << "a short pause is no rest";
    EXPECT_LE(slow.next_change().value().ms, clock.mono().ms + 400);
    clock.advance(200);
    EXPECT_GT(slow.allowance().value(), 0u);
}

TEST_F(LinkBudgetTest, NoMoreThanASecondIsSavedUp) {
    LinkPolicy policy;
    policy.bytes_per_second = 10'000;
    auto slow = budget(policy);
    clock.advance(kHour);
    EXPECT_EQ(slow.allowance(), 10'000u);
}

TEST_F(LinkBudgetTest, ADaysBytesRestUntilOlderOnesAreADayOld) {
    auto day = budget(daily(limits::MiB));
    EXPECT_EQ(day.allowance(), limits::MiB);
    day.count(limits::MiB / 2);
    EXPECT_EQ(day.allowance(), limits::MiB / 2);
    clock.advance(kHour);
    day.count(limits::MiB);
    EXPECT_EQ(day.allowance(), 0u);
    EXPECT_EQ(day.rest_ms(), 25 * kHour);
    EXPECT_EQ(day.closed(),
              "[link] bytes_per_day, 1MiB, is used up: content rests until about "
              "2026-01-02T02:00Z, when older bytes are a day old");
    clock.set_quality(ClockQuality::unknown);
    EXPECT_THAT(day.closed(), testing::HasSubstr("rests for about 25 h, "));
    clock.advance(24 * kHour);
    EXPECT_EQ(day.allowance(), 0u) << "only the first half is a day old";
    clock.advance(kHour);
    EXPECT_EQ(day.allowance(), limits::MiB);
    EXPECT_EQ(day.closed(), "");
}

TEST_F(LinkBudgetTest, WhatIsLessThanAFrameIsUsedUp) {
    auto day = budget(daily(limits::MiB));
    day.count(limits::MiB - day.frame_bytes() + 1);
    EXPECT_EQ(day.allowance(), 0u);
    EXPECT_GT(day.rest_ms(), 0u);
}

TEST_F(LinkBudgetTest, ADaysBytesOutliveTheProcess) {
    {
        auto day = budget(daily(limits::MiB));
        for (int i = 0; i < 64; ++i) day.count(limits::MiB / 64);
    }
    auto again = budget(daily(limits::MiB));
    EXPECT_GE(again.used_bytes(), limits::MiB * 62 / 64) << "at most a 64th, and what was next";
}

TEST_F(LinkBudgetTest, PartsOfHoursBetweenPowerCutsAddUp) {
    auto day = std::make_unique<LinkBudget>(budget(daily(4 * limits::MiB)));
    day->count(4 * limits::MiB);
    for (int boot = 0; boot < 40; ++boot) {
        clock.advance(50 * 60'000);
        day->count(4 * limits::MiB);
        day = std::make_unique<LinkBudget>(budget(daily(4 * limits::MiB)));
    }
    EXPECT_LE(day->used_bytes(), 34 * 4 * limits::MiB) << "those of the last day and an hour";
    EXPECT_GE(day->used_bytes(), 27 * 4 * limits::MiB);
}

TEST_F(LinkBudgetTest, OnceUsedUpItRestsUntilAnEighthIsFree) {
    auto day = budget(daily(8 * limits::MiB));
    day.count(limits::MiB / 2);
    clock.advance(kHour);
    day.count(8 * limits::MiB);
    clock.advance(24 * kHour);
    EXPECT_GT(day.rest_ms(), 0u) << "the first half MiB came back, and is not enough";
    clock.advance(kHour);
    EXPECT_EQ(day.rest_ms(), 0u);
}

TEST_F(LinkBudgetTest, IdleTimeWritesNothing) {
    auto day = budget(daily(100 * limits::MiB));
    day.count(1000);
    const std::uint64_t before = files.effects();
    for (int minute = 0; minute < 50; ++minute) {
        clock.advance(60'000);
        day.count(300);
    }
    EXPECT_EQ(files.effects(), before);
}

TEST_F(LinkBudgetTest, NothingIsWrittenWhereItIsCounted) {
    auto day = std::make_unique<LinkBudget>(budget(daily(limits::MiB)));
    worker_is_busy = true;
    const std::uint64_t before = files.effects();
    day->count(limits::MiB / 2);
    EXPECT_EQ(files.effects(), before);
    day.reset();
    ASSERT_EQ(waiting.size(), 1u);
    waiting.front()();
    EXPECT_GE(budget(daily(limits::MiB)).used_bytes(), limits::MiB / 2);
}

TEST_F(LinkBudgetTest, AStateThatCannotBeReadBeginsAnew) {
    ASSERT_TRUE(files.make_directories("/state"));
    ASSERT_TRUE(replace_file(files, "/state/link.0", as_bytes("rubbish")));
    auto day = budget(daily(limits::MiB));
    EXPECT_EQ(day.used_bytes(), 0u);
    EXPECT_EQ(day.allowance(), limits::MiB);
}

TEST_F(LinkBudgetTest, HoursOpenAndClose) {
    auto night = budget(hourly({{22 * 60, 6 * 60}}));
    EXPECT_EQ(night.rest_ms(), 0u) << "midnight";
    clock.advance(6 * kHour - 1);
    EXPECT_EQ(night.rest_ms(), 0u);
    clock.advance(1);
    EXPECT_EQ(night.rest_ms(), 16 * kHour);
    EXPECT_EQ(night.allowance(), 0u);
    EXPECT_EQ(night.closed(), "content rests until 2026-01-01T22:00Z, by [link] hours");
    clock.advance(16 * kHour);
    EXPECT_EQ(night.allowance(), std::nullopt);
}

TEST_F(LinkBudgetTest, TheSoonestOfSeveralHoursCounts) {
    auto meals = budget(hourly({{12 * 60, 13 * 60}, {7 * 60, 8 * 60}}));
    EXPECT_EQ(meals.rest_ms(), 7 * kHour);
    clock.advance(8 * kHour);
    EXPECT_EQ(meals.rest_ms(), 4 * kHour);
}

TEST_F(LinkBudgetTest, HoursHoldNothingBackWhileTheClockIsNotToBeBelieved) {
    clock.set_quality(ClockQuality::unknown);
    clock.set_wall({0});
    auto noon = budget(hourly({{12 * 60, 13 * 60}}));
    EXPECT_EQ(noon.allowance(), std::nullopt);
    EXPECT_EQ(noon.closed(), "");
}

TEST_F(LinkBudgetTest, AClockThatIsSetIsSeenWithinAMinute) {
    auto noon = budget(hourly({{12 * 60, 13 * 60}}));
    EXPECT_LE(noon.next_change().value().ms, clock.mono().ms + 60'000);
}

TEST_F(LinkBudgetTest, NoSingleCreditUsesUpADay) {
    auto small = budget(daily(2 * limits::MiB));
    EXPECT_EQ(small.frame_bytes(), 16 * limits::KiB);
    EXPECT_EQ(small.credit_bytes(), 64 * limits::KiB);
    EXPECT_EQ(small.page_bytes(), 64 * limits::KiB);
}

TEST_F(LinkBudgetTest, SlowLinksHaveSmallFrames) {
    LinkPolicy policy;
    policy.bytes_per_second = 16 * limits::KiB;
    EXPECT_EQ(budget(policy).frame_bytes(), 4 * limits::KiB);
    EXPECT_EQ(budget(policy).credit_bytes(), 16 * limits::KiB);
    policy.bytes_per_second = limits::KiB;
    EXPECT_EQ(budget(policy).frame_bytes(), limits::KiB);
    policy.bytes_per_second = 100 * limits::MiB;
    EXPECT_EQ(budget(policy).frame_bytes(), limits::kDataFrameBytes);
    EXPECT_EQ(budget({}).frame_bytes(), limits::kDataFrameBytes);
}

TEST_F(LinkBudgetTest, APageAndItsSealFitTheBroker) {
    auto any = budget({});
    any.fit_broker(100'000);
    EXPECT_EQ(any.page_bytes() + limits::kSealBytesMax + limits::KiB, 100'000u);
    any.fit_broker(limits::kFrameBytesMax);
    EXPECT_EQ(any.frame_bytes(), limits::kDataFrameBytes);
}

TEST(Hours, AreReadAndWrongOnesRefused) {
    EXPECT_EQ(parse_hours("22:00-06:00").value(), (HoursOfDay{22 * 60, 6 * 60}));
    EXPECT_EQ(parse_hours("00:00-24:00").value(), (HoursOfDay{0, 24 * 60}));
    EXPECT_EQ(parse_hours("22:00-00:00").value(), (HoursOfDay{22 * 60, 24 * 60}));
    for (const char* wrong : {"", "22-06", "22:00", "22:60-06:00", "25:00-06:00", "06:00-06:00",
                              "24:00-06:00", "6:00-7:00", "22:00-06:00Z"})
        EXPECT_FALSE(parse_hours(wrong)) << wrong;
}

}  // namespace
}  // namespace tributary::agent
