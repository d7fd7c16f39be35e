#include "common/sync/catcher.h"

#include <gtest/gtest.h>

namespace tributary::sync {
namespace {

constexpr std::uint32_t kBytes = 4 * 64;  // four fragments

template <class T>
std::vector<T> all_of(const CatcherActions& actions) {
    std::vector<T> found;
    for (const CatcherAction& action : actions)
        if (const T* one = std::get_if<T>(&action)) found.push_back(*one);
    return found;
}

CatcherOptions small() {
    CatcherOptions options;
    options.fragment_bytes_max = 64;
    return options;
}

class CatcherTest : public testing::Test {
protected:
    CatcherTest() { step(Connected{}); }
    CatcherActions step(CatcherEvent event) { return catcher.step(now, std::move(event)); }
    CatcherActions fragment(std::uint32_t generation, std::uint32_t index, std::uint32_t left = 0,
                            bool last = false) {
        return step(FragmentArrived{generation, kBytes, last, index, ++serial, left});
    }
    // Four fragments, of which those in `lost` do not arrive.
    CatcherActions batch(std::uint32_t generation, std::vector<std::uint32_t> lost = {},
                         bool last = false) {
        CatcherActions all;
        for (std::uint32_t i = 0; i < 4; ++i) {
            if (std::ranges::find(lost, i) != lost.end()) {
                ++serial;
                continue;
            }
            for (CatcherAction& action : fragment(generation, i, 3 - i, last))
                all.push_back(std::move(action));
        }
        return all;
    }
    CatcherActions stored(std::uint32_t generation, Status status = {}) {
        return step(GenerationStored{generation, std::move(status)});
    }
    CatcherActions wait(std::uint64_t ms) {
        now = now + ms;
        return step(Tick{});
    }

    Catcher catcher{9, small(), 1};
    MonoTime now{1'000};
    std::uint32_t serial = 0;
};

TEST(Catcher, SaysWhereItStandsAsSoonAsItCanHear) {
    Catcher catcher(9, small(), 1);
    const auto reports = all_of<SendCastReport>(catcher.step({1}, Connected{}));
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].report.cast, 9u);
    EXPECT_EQ(reports[0].report.number, 1u);
    EXPECT_TRUE(reports[0].report.held.empty());
}

TEST_F(CatcherTest, KeepsEachFragmentOnceAndStoresWhenThereAreEnough) {
    EXPECT_EQ(all_of<KeepFragment>(fragment(0, 3)).size(), 1u);
    EXPECT_EQ(all_of<KeepFragment>(fragment(0, 3)).size(), 0u);
    fragment(0, 200);  // parity is as good
    fragment(0, 1);
    const auto last = fragment(0, 2);
    ASSERT_EQ(all_of<StoreGeneration>(last).size(), 1u);
    EXPECT_EQ(all_of<StoreGeneration>(last)[0].bytes, kBytes);
    const auto told = all_of<SendCastReport>(stored(0));
    ASSERT_EQ(told.size(), 1u);
    EXPECT_EQ(told[0].report.held, std::vector<bool>{true});
    EXPECT_FALSE(catcher.wants({9, 0, kBytes, false, 0, 99, 0, {}}));
}

TEST_F(CatcherTest, TellsOnceAtTheEndOfABatchWhatItLacks) {
    const auto reports = all_of<SendCastReport>(batch(0, {1, 2}));
    ASSERT_EQ(reports.size(), 1u);
    EXPECT_EQ(reports[0].report.seen, 4u);
    EXPECT_EQ(reports[0].report.lacks, (std::vector<CastReport::Lack>{{0, 2}}));
}

TEST_F(CatcherTest, NoticesALostEndByWhatFollows) {
    EXPECT_TRUE(all_of<SendCastReport>(batch(0, {3})).empty());
    EXPECT_EQ(all_of<SendCastReport>(fragment(1, 0, 3)).size(), 1u);
    EXPECT_EQ(all_of<SendCastReport>(fragment(1, 1, 2)).size(), 0u);
}

TEST_F(CatcherTest, ReportsInSilenceMoreAndMoreRarely) {
    batch(0, {3});
    int reports = 0;
    for (int second = 0; second < 600; ++second)
        reports += static_cast<int>(all_of<SendCastReport>(wait(1'000)).size());
    EXPECT_GT(reports, 30);
    EXPECT_LT(reports, 70);
}

TEST_F(CatcherTest, AThirdGenerationTakesThePlaceOfTheOneLeftBehind) {
    batch(0, {3});
    batch(1, {3});
    const auto actions = fragment(2, 0);
    ASSERT_EQ(all_of<ForgetGeneration>(actions).size(), 1u);
    EXPECT_EQ(all_of<ForgetGeneration>(actions)[0].generation, 0u);
    // What comes late of the old one does not drive out the new.
    const auto late = step(FragmentArrived{0, kBytes, false, 3, 4, 0});
    EXPECT_TRUE(all_of<ForgetGeneration>(late).empty());
    EXPECT_TRUE(all_of<KeepFragment>(late).empty());
}

TEST_F(CatcherTest, ForgedBytesAreHadAgainTwiceAndThenItLeaves) {
    for (int failure = 1; failure <= 3; ++failure) {
        batch(0);
        const auto actions = stored(0, fail(Errc::corrupt, "no such record"));
        const auto reports = all_of<SendCastReport>(actions);
        ASSERT_EQ(reports.size(), 1u);
        EXPECT_EQ(reports[0].report.state,
                  failure < 3 ? CastState::taking_part : CastState::leaving);
        EXPECT_EQ(all_of<LeaveCast>(actions).size(), failure < 3 ? 0u : 1u);
    }
}

TEST_F(CatcherTest, LeavesWhenItHasNotWhatTheStreamIsCodedOn) {
    batch(0);
    const auto actions = stored(0, fail(Errc::not_found, "no base"));
    ASSERT_EQ(all_of<LeaveCast>(actions).size(), 1u);
    EXPECT_FALSE(all_of<LeaveCast>(actions)[0].whole);
    EXPECT_TRUE(all_of<SendCastReport>(wait(600'000)).empty());
}

TEST_F(CatcherTest, CommitsWhenTheLastGenerationIsInAndSaysSoMoreThanOnce) {
    batch(1, {}, true);
    EXPECT_TRUE(all_of<CommitVersion>(stored(1)).empty());
    batch(0);
    EXPECT_EQ(all_of<CommitVersion>(stored(0)).size(), 1u);
    const auto actions = step(VersionCommitted{});
    EXPECT_EQ(all_of<SendCastReport>(actions).at(0).report.state, CastState::whole);
    EXPECT_TRUE(all_of<LeaveCast>(actions).at(0).whole);
    std::size_t again = 0;
    for (int i = 0; i < 100; ++i) again += all_of<SendCastReport>(wait(1'000)).size();
    EXPECT_EQ(again, 2u);
}

TEST_F(CatcherTest, LeavesAStreamThatNobodySendsAnyMore) {
    for (int minute = 0; minute < 9; ++minute) EXPECT_TRUE(all_of<LeaveCast>(wait(60'000)).empty());
    EXPECT_EQ(all_of<LeaveCast>(wait(60'000)).size(), 1u);
}

TEST_F(CatcherTest, KeepsWhatItHasWhileTheLinkIsDown) {
    batch(0, {3});
    step(Disconnected{});
    EXPECT_FALSE(catcher.next_deadline());
    EXPECT_EQ(all_of<SendCastReport>(step(Connected{})).at(0).report.lacks,
              (std::vector<CastReport::Lack>{{0, 1}}));
}

}  // namespace
}  // namespace tributary::sync
