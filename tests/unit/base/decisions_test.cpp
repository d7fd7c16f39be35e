#include "tests/support/decisions.h"

#include <gtest/gtest.h>

namespace tributary::test {
namespace {

TEST(Decisions, OfAnotherKindOrPlaceOrWithMoreDrawsLeaveTheOthersAsTheyWere) {
    Decisions few(7), many(7);
    (void)many.next("fault");
    (void)many.next("message", 1).bytes(100);
    EXPECT_EQ(many.next("message").next(), few.next("message").next());
    (void)many.next("messages").next();
    EXPECT_EQ(many.next("message").next(), few.next("message").next());
    EXPECT_EQ(many.next("message", 2).next(), few.next("message", 2).next());
}

TEST(Decisions, DifferBySeedAndKindAndPlaceAndNumber) {
    Decisions decisions(7), others(8);
    const std::uint64_t first = decisions.next("message").next();
    EXPECT_NE(first, decisions.next("message").next());
    EXPECT_NE(first, decisions.next("message", 1).next());
    EXPECT_NE(first, decisions.next("messages").next());
    EXPECT_NE(first, others.next("message").next());
}

// Kept seeds mean something only as long as these numbers stay.
TEST(Decisions, AreWhatTheyWereWhenSeedsWereKept) {
    EXPECT_EQ(Decisions(7).next("message", 3).next(), 13423063313880765578u);
}

}  // namespace
}  // namespace tributary::test
