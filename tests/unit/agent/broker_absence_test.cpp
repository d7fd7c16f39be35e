#include "agent/app/daemon/broker_absence.h"

#include <gtest/gtest.h>

#include <map>
#include <vector>

namespace tributary::agent {
namespace {

// When it asks, in seconds, of a broker that is tried each second in vain.
std::vector<std::uint64_t> asked_in(BrokerAbsence& absence, std::uint64_t from_s,
                                    std::uint64_t to_s) {
    std::vector<std::uint64_t> asked;
    for (std::uint64_t s = from_s; s < to_s; ++s)
        if (absence.asks({s * 1000})) asked.push_back(s);
    return asked;
}

TEST(BrokerAbsence, IsLookedIntoWithinHalfAMinuteAndThenLessOften) {
    BrokerAbsence absence(1);
    const auto asked = asked_in(absence, 0, 24 * 3600);
    ASSERT_GT(asked.size(), 6u);
    EXPECT_GE(asked[0], 15u);
    EXPECT_LE(asked[0], 31u);
    EXPECT_LE(asked[1], 91u);
    EXPECT_LE(asked.size(), 24 * 12 + 6u) << "five minutes apart, in the end";
}

TEST(BrokerAbsence, OfAWholeFleetIsLookedIntoByEachBoardAtItsOwnMoment) {
    std::map<std::uint64_t, std::size_t> boards;
    for (std::uint64_t board = 0; board < 1000; ++board) {
        BrokerAbsence absence(board);
        ++boards[asked_in(absence, 0, 60).at(0)];
    }
    for (const auto& [second, asked] : boards) EXPECT_LT(asked, 120u) << second;
}

TEST(BrokerAbsence, ThatIsShortIsNotLookedInto) {
    BrokerAbsence absence(1);
    EXPECT_TRUE(asked_in(absence, 0, 14).empty());
    absence.is_over();
    EXPECT_TRUE(asked_in(absence, 20, 34).empty());
}

}  // namespace
}  // namespace tributary::agent
