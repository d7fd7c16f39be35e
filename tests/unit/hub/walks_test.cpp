// So many versions are walked over at a time, and the others wait in line.
#include "hub/intake/walks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "common/sync/conversation.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;
using testing::ElementsAre;

TEST(Walks, AreAsManyAsMayAndTheOthersBeginInTheOrderInWhichTheyCame) {
    Walks walks;
    std::vector<Walks::Place> places;
    for (std::size_t i = 0; i < Walks::kAtOnceMax; ++i) {
        places.push_back(walks.enter());
        ASSERT_TRUE(places.back());
    }
    EXPECT_FALSE(walks.enter());
    std::vector<std::string> begun;
    for (const char* device : {"a", "b", "c"})
        walks.wait(device, [&begun, &places, device](Walks::Place place) {
            begun.emplace_back(device);
            places.push_back(std::move(place));
        });
    EXPECT_TRUE(begun.empty());

    walks.forget("b");
    const auto one_goes = [&places] {
        const Walks::Place place = std::move(places.back());
        places.pop_back();
    };
    one_goes();
    EXPECT_THAT(begun, ElementsAre("a"));
    EXPECT_FALSE(walks.enter());
    one_goes();
    EXPECT_THAT(begun, ElementsAre("a", "c"));

    EXPECT_EQ(walks.going(), Walks::kAtOnceMax);
    EXPECT_EQ(walks.waiting(), 0u);
    places.clear();
    EXPECT_EQ(walks.going(), 0u);
    EXPECT_TRUE(walks.enter());
}

TEST(Walks, AreOutlivedByPlacesAndBeginNobodyAfterwards) {
    Walks::Place place;
    {
        Walks walks;
        place = walks.enter();
        walks.wait("a", [](Walks::Place) { ADD_FAILURE(); });
    }
    place = Walks::Place();
}

// After an outage all boards bring a version at the same time.
class WalksOfManyBoards : public testing::Test {
protected:
    static constexpr std::size_t kBoards = Walks::kAtOnceMax + 3;

    WalksOfManyBoards() {
        std::map<std::string, std::string> files;
        for (int i = 0; i < 640; ++i) files[std::to_string(i)] = "content " + std::to_string(i);
        for (std::size_t i = 0; i < kBoards; ++i) {
            const std::string name = "board-" + std::to_string(i);
            boards.push_back(std::make_unique<Board>(name, 10 + i));
            boards[i]->bind_at(*home.ledger);
            boards[i]->commit("fleet/data", files);
            ends.push_back(std::make_unique<AgentEnd>(*boards[i], name, *home.ledger, home.clock,
                                                      100 + i, 0, nullptr, &walks));
            ends[i]->holds_turns = true;
        }
    }
    void go_on(AgentEnd& end) {
        if (!end.turns.empty()) end.turn();
        end.pass(0);
        EXPECT_LE(walks.going(), Walks::kAtOnceMax);
    }
    void until_all_go_or_wait() {
        for (std::size_t i = 0; i < kBoards; ++i) {
            ends[i]->connect();
            for (int turns = 0; walks.going() + walks.waiting() == i && turns < 1000; ++turns)
                go_on(*ends[i]);
        }
        ASSERT_EQ(walks.going(), Walks::kAtOnceMax);
        ASSERT_EQ(walks.waiting(), kBoards - Walks::kAtOnceMax);
    }
    void expect_receipts(std::size_t boards_until) {
        for (int rounds = 0; rounds < 1000; ++rounds)
            for (std::size_t i = 0; i < boards_until; ++i) go_on(*ends[i]);
        for (std::size_t i = 0; i < boards_until; ++i) EXPECT_EQ(ends[i]->receipts.size(), 1u) << i;
        EXPECT_EQ(walks.going(), 0u);
        EXPECT_EQ(walks.waiting(), 0u);
    }

    HubHome home{2};
    Walks walks;
    std::vector<std::unique_ptr<Board>> boards;
    std::vector<std::unique_ptr<AgentEnd>> ends;
};

TEST_F(WalksOfManyBoards, EndWithAReceiptForEach) {
    until_all_go_or_wait();
    expect_receipts(kBoards);
}

TEST_F(WalksOfManyBoards, ForgetABoardThatGoesWhileItWaits) {
    until_all_go_or_wait();

    ends.back()->say(sync::device_gone());

    EXPECT_EQ(walks.waiting(), kBoards - Walks::kAtOnceMax - 1);
    expect_receipts(kBoards - 1);
    EXPECT_TRUE(ends.back()->receipts.empty());
    ends.back()->connect();
    expect_receipts(kBoards);
}

// And all are told to run what somebody made.
class WalksOfManyPushes : public WalksOfManyBoards {
protected:
    WalksOfManyPushes() {
        Board trainer("trainer", 4);
        std::map<std::string, std::string> files;
        for (int i = 0; i < 640; ++i) files[std::to_string(i)] = "weights " + std::to_string(i);
        version = trainer.commit("fleet/model", files);
        trainer.bring_to(*home.ledger);
        std::vector<std::string> names;
        for (const auto& board : boards) names.push_back(board->device());
        test::roll_out(*home.ledger, home.clock, version, names);
        for (const auto& end : ends) end->with_content = false;  // what they bring waits
    }
    void expect_all_pushed() {
        for (int rounds = 0; rounds < 1000; ++rounds)
            for (const auto& end : ends) go_on(*end);
        for (const auto& board : boards)
            EXPECT_EQ(first_missing(board->store(), version, {}).value(), std::nullopt)
                << board->device();
        EXPECT_EQ(walks.going(), 0u);
        EXPECT_EQ(walks.waiting(), 0u);
    }
    VersionId version;
};

TEST_F(WalksOfManyPushes, EndWithThatVersionOnEach) {
    until_all_go_or_wait();
    expect_all_pushed();
}

TEST_F(WalksOfManyPushes, HoldNoPlaceWhileTheirBoardsFetch) {
    until_all_go_or_wait();
    while (walks.going() != 0)
        for (const auto& end : ends)
            if (!end->turns.empty()) end->turn();  // and none of them hears anything
    expect_all_pushed();
}

TEST_F(WalksOfManyPushes, ForgetABoardThatGoesWhileItWaits) {
    until_all_go_or_wait();
    ends.back()->say(sync::device_gone());
    EXPECT_EQ(walks.waiting(), kBoards - Walks::kAtOnceMax - 1);
    ends.back()->connect();
    expect_all_pushed();
}

// Both wait, each for a place of its own.
TEST_F(WalksOfManyPushes, GoOnBesideWhatTheirBoardsBring) {
    std::vector<Walks::Place> places;
    for (std::size_t i = 0; i < Walks::kAtOnceMax; ++i) places.push_back(walks.enter());
    for (const auto& end : ends) end->with_content = true;
    for (const auto& end : ends) end->connect();
    for (int rounds = 0; walks.waiting() < 2 * kBoards && rounds < 1000; ++rounds)
        for (const auto& end : ends) go_on(*end);
    ASSERT_EQ(walks.waiting(), 2 * kBoards);
    places.clear();

    expect_all_pushed();
    expect_receipts(kBoards);
}

}  // namespace
}  // namespace tributary::hub
