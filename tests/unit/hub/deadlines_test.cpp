#include "hub/app/deadlines.h"

#include <gtest/gtest.h>

namespace tributary::hub {
namespace {

TEST(Deadlines, NextIsTheEarliestThatStands) {
    Deadlines deadlines;
    EXPECT_EQ(deadlines.next(), std::nullopt);
    deadlines.set("a", MonoTime{30});
    deadlines.set("b", MonoTime{20});
    EXPECT_EQ(deadlines.next(), MonoTime{20});
    deadlines.set("b", MonoTime{40});
    EXPECT_EQ(deadlines.next(), MonoTime{30});
    deadlines.set("a", std::nullopt);
    EXPECT_EQ(deadlines.next(), MonoTime{40});
}

TEST(Deadlines, WhoseHasComeIsTakenOutOnce) {
    Deadlines deadlines;
    deadlines.set("late", MonoTime{31});
    deadlines.set("second", MonoTime{30});
    deadlines.set("first", MonoTime{10});
    EXPECT_EQ(deadlines.take_due(MonoTime{30}), (std::vector<std::string>{"first", "second"}));
    EXPECT_TRUE(deadlines.take_due(MonoTime{30}).empty());
    EXPECT_EQ(deadlines.next(), MonoTime{31});
}

}  // namespace
}  // namespace tributary::hub
