#include "hub/lineage/fold_schedule.h"

#include <gtest/gtest.h>

namespace tributary::hub {
namespace {

class FoldScheduleOf : public testing::Test {
protected:
    FoldSchedule schedule{1000};
    const MonoTime start{5000};
};

TEST_F(FoldScheduleOf, NothingHasNoTime) {
    EXPECT_EQ(schedule.next(), std::nullopt);
    EXPECT_EQ(schedule.take_due(start), std::nullopt);
}

TEST_F(FoldScheduleOf, AHeadIsDueAfterTheDelayWhateverElseComes) {
    schedule.advanced("a/a", start);
    schedule.advanced("a/a", start + 900);
    EXPECT_EQ(schedule.next(), start + 1000);
    EXPECT_EQ(schedule.take_due(start + 999), std::nullopt);
    EXPECT_EQ(schedule.take_due(start + 1000), "a/a");
    EXPECT_EQ(schedule.next(), std::nullopt);
}

TEST_F(FoldScheduleOf, OneIsTakenAfterTheOtherAsTheyWereDue) {
    schedule.advanced("b/b", start);
    schedule.advanced("a/a", start + 1);
    EXPECT_EQ(schedule.take_due(start + 2000), "b/b");
    EXPECT_EQ(schedule.next(), start + 1001);
    EXPECT_EQ(schedule.take_due(start + 2000), "a/a");
    EXPECT_EQ(schedule.take_due(start + 2000), std::nullopt);
}

TEST_F(FoldScheduleOf, AFoldThatTakesLongLeavesTimeToOthers) {
    const MonoTime ended = start + 1500;
    schedule.took("a/a", start + 1000, ended);
    schedule.advanced("a/a", ended);
    schedule.advanced("b/b", start);
    EXPECT_EQ(schedule.next(), ended + 500) << "half of the time";
    EXPECT_EQ(schedule.take_due(ended + 499), std::nullopt);
    EXPECT_EQ(schedule.take_due(ended + 500), "b/b");
    EXPECT_EQ(schedule.next(), ended + 9 * 500) << "of one repository a tenth";
}

TEST_F(FoldScheduleOf, NothingRestsForLongerThanAMinute) {
    const MonoTime ended = start + 600'000;
    schedule.took("a/a", start, ended);
    schedule.advanced("a/a", ended);
    EXPECT_EQ(schedule.next(), ended + FoldSchedule::kRetryMs);
}

TEST_F(FoldScheduleOf, AFailureIsTriedAgainAndHoldsUpNoOther) {
    schedule.failed("a/a", start);
    schedule.advanced("b/b", start);
    EXPECT_EQ(schedule.take_due(start + 1000), "b/b");
    EXPECT_EQ(schedule.next(), start + FoldSchedule::kRetryMs);
}

TEST_F(FoldScheduleOf, WhatWasGivenUpWaitsForAHead) {
    schedule.given_up("a/a", start);
    EXPECT_EQ(schedule.next(), std::nullopt);
    schedule.advanced("a/a", start + 2 * FoldSchedule::kRetryMs);
    EXPECT_EQ(schedule.next(), start + 2 * FoldSchedule::kRetryMs + 1000);
}

TEST_F(FoldScheduleOf, HeadsThatAdvanceForEverAreTriedNoFasterThanAFailure) {
    schedule.given_up("a/a", start);
    schedule.advanced("a/a", start + 1);
    EXPECT_EQ(schedule.next(), start + FoldSchedule::kRetryMs);
    EXPECT_EQ(schedule.take_due(start + FoldSchedule::kRetryMs), "a/a");
    schedule.advanced("a/a", start + FoldSchedule::kRetryMs);  // it was folded after all
    EXPECT_EQ(schedule.next(), start + FoldSchedule::kRetryMs + 1000);
}

}  // namespace
}  // namespace tributary::hub
