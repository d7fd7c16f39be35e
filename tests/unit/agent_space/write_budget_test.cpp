#include "agent/space/write_budget.h"

#include "tests/unit/agent_space/space_fixture.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kHour = 3'600'000;

class WriteBudgetTest : public SpaceTest {
protected:
    WriteBudget budget(std::uint64_t limit = 100'000) {
        return {machine.files, machine.clock, *store, config.writes_path(), limit};
    }
    // About so much, with what the store adds.
    void write(std::size_t bytes) { record("main", bytes); }
};

TEST_F(WriteBudgetTest, KeepsNothingWithoutALimit) {
    auto none = budget(0);
    write(500'000);
    EXPECT_EQ(none.refusal(), "");
    EXPECT_FALSE(machine.files.stat(config.writes_path() + ".0"));
}

TEST_F(WriteBudgetTest, RefusesPastTheLimitAndGoesOnAfterADay) {
    auto day = budget();
    write(60'000);
    EXPECT_EQ(day.refusal(), "");
    write(60'000);
    EXPECT_NE(day.refusal(), "");
    machine.clock.advance(23 * kHour);
    EXPECT_NE(day.refusal(), "");
    machine.clock.advance(2 * kHour);
    EXPECT_EQ(day.refusal(), "");
    EXPECT_EQ(day.used_bytes(), 0u);
}

TEST_F(WriteBudgetTest, LetsEachHourGoWhenItIsADayOld) {
    auto day = budget();
    for (int hour = 0; hour < 10; ++hour) {
        write(9'000);
        day.count();
        machine.clock.advance(kHour);
    }
    const std::uint64_t used = day.used_bytes();
    EXPECT_GT(used, 90'000u);
    machine.clock.advance(20 * kHour);
    EXPECT_LT(day.used_bytes(), used * 6 / 10);
    EXPECT_GT(day.used_bytes(), used * 4 / 10);
}

TEST_F(WriteBudgetTest, ForgetsNothingWhenItsProcessIsKilled) {
    {
        auto day = budget();
        day.count();
        write(60'000);
    }
    auto again = budget();
    write(60'000);
    EXPECT_NE(again.refusal(), "");
}

TEST_F(WriteBudgetTest, IsNotMovedByAClockThatIsSet) {
    auto day = budget();
    write(120'000);
    EXPECT_NE(day.refusal(), "");
    machine.clock.set_wall({0});
    EXPECT_NE(day.refusal(), "");
    machine.clock.set_wall({4'000'000'000'000});
    EXPECT_NE(day.refusal(), "");
}

TEST_F(WriteBudgetTest, CountsOnlyTheHoursThatTheBoardWasRunning) {
    machine.clock.advance(100 * kHour);
    {
        auto day = budget();
        write(120'000);
        EXPECT_NE(day.refusal(), "");
    }
    test::SimClock rebooted;  // its monotonic time begins anew
    WriteBudget day(machine.files, rebooted, *store, config.writes_path(), 100'000);
    rebooted.advance(2 * kHour);
    EXPECT_NE(day.refusal(), "");
    rebooted.advance(24 * kHour);
    EXPECT_EQ(day.refusal(), "");
}

TEST_F(WriteBudgetTest, TimeWithoutPowerCountsOnceTheClockIsSynchronised) {
    {
        auto day = budget();
        write(120'000);
        EXPECT_NE(day.refusal(), "");
    }
    test::SimClock rebooted({machine.clock.wall().ms + 26 * kHour}, ClockQuality::unknown);
    WriteBudget day(machine.files, rebooted, *store, config.writes_path(), 100'000);
    EXPECT_NE(day.refusal(), "");
    rebooted.set_quality(ClockQuality::synced);
    EXPECT_EQ(day.refusal(), "");
}

TEST_F(WriteBudgetTest, WritesItsStateOnceAnHourAtMost) {
    auto day = budget();
    day.count();
    std::uint64_t before = machine.files.effects();
    for (int minute = 0; minute < 59; ++minute) {
        machine.clock.advance(60'000);
        day.count();
    }
    EXPECT_EQ(machine.files.effects(), before);
    machine.clock.advance(60'000);
    day.count();
    EXPECT_GT(machine.files.effects(), before);
}

TEST_F(WriteBudgetTest, BeginsAnewWhenItsStateCannotBeRead) {
    {
        auto day = budget();
        day.count();
    }
    ASSERT_TRUE(replace_file(machine.files, config.writes_path() + ".0", as_bytes("rubbish")));
    ASSERT_TRUE(replace_file(machine.files, config.writes_path() + ".1", as_bytes("rubbish")));
    auto day = budget();
    EXPECT_EQ(day.refusal(), "");
    write(120'000);
    EXPECT_NE(day.refusal(), "");
}

}  // namespace
}  // namespace tributary::agent
