// Attacks on installs of an enrolled board: clocks, numbers, and a hub whose key was stolen.
#include <gtest/gtest.h>

#include "agent/update/engine.h"
#include "tests/support/install_board.h"

namespace tributary::agent {
namespace {

using test::Model;

constexpr std::uint64_t kDayMs = 86'400'000;
constexpr WallTime k2099{4'070'908'800'000};
constexpr WallTime kToday{TrustKeeper::kBuilt.ms + 10 * kDayMs};

class TrustInstall : public testing::Test {
protected:
    void SetUp() override {
        board.machine.clock.set_quality(ClockQuality::unknown);
        board.machine.clock.set_wall(WallTime{0});
        kept = *TrustKeeper::open(board.machine.files, board.machine.clock, board.verifier,
                                  "/data/trust");
        const Bytes first = root(1, board.hub);
        ASSERT_TRUE(kept->begin(
            first, trust::root_digest(parse_multi_signed_document(first)->payload), {}));
        board.trust = kept.get();
        const Status booted = board.boot();
        ASSERT_TRUE(booted) << booted.error().what;
    }
    Bytes root(std::uint64_t version, trust::Signer& hub, WallTime expires = {}) {
        Root root;
        root.version = version;
        root.issued = TrustKeeper::kBuilt;
        root.expires = expires;
        root.keys = {keeper.public_key()};
        root.threshold = 1;
        root.approvers = {{"alice", board.alice.public_key()}};
        root.approver_threshold = 1;
        root.hub_keys = {hub.public_key()};
        root.authorities = {Bytes(300, 1)};
        return *trust::sign_root(keeper, root);
    }
    void rotate_to(trust::Signer& hub) {
        ASSERT_TRUE(kept->follow(std::vector<Bytes>{root(2, hub)}));
        follow_root(board.pins, kept->root()->root);
        ASSERT_TRUE(board.engine->set_pins(board.pins));
    }
    void hub_says(WallTime time) {
        sync::Hello hello;
        hello.time_ms = time.ms;
        ASSERT_TRUE(kept->on_hello(hello));
    }
    // Good for an hour after `when`.
    void assign(std::uint64_t number, trust::Signer& hub, WallTime when = kToday) {
        const Model model = board.make_model(number);
        Assignment assignment = board.assignment_of(model, number);
        assignment.expires = {when.ms + 3'600'000};
        Approval approval = board.approval_of(model);
        approval.time.quality = ClockQuality::unknown;
        board.engine->on_assign(*board.store, board.seal(assignment, approval, hub, board.alice));
        board.run();
    }
    std::string result() {
        return board.reports.empty()
                   ? "nothing"
                   : board.reports.back().state + " " + board.reports.back().detail;
    }

    test::InstallBoard board;
    trust::FakeSigner keeper{"keeper"};
    trust::FakeSigner next_hub{"next hub"};
    std::unique_ptr<TrustKeeper> kept;
};

TEST_F(TrustInstall, ABoardWithoutAClockInstalls) {
    hub_says(kToday);
    assign(1, board.hub);
    EXPECT_EQ(result(), "committed ");
}

TEST_F(TrustInstall, ABoardWhoseClockStandsAt2099Installs) {
    board.machine.clock.set_wall(k2099);
    hub_says(kToday);
    assign(1, board.hub);
    EXPECT_EQ(result(), "committed ");
}

TEST_F(TrustInstall, AnAssignmentThatIsRepeatedAfterItsTimeIsRefusedWithoutAClock) {
    hub_says({kToday.ms + kDayMs});
    assign(1, board.hub, kToday);
    EXPECT_EQ(result(), "rejected expired");
}

TEST_F(TrustInstall, NothingIsTakenBeforeTheHubProvedItselfInThisSession) {
    assign(1, board.hub);
    EXPECT_EQ(result(), "nothing");
}

TEST_F(TrustInstall, NothingIsTakenWhileTheRootHasExpired) {
    ASSERT_TRUE(kept->follow(std::vector<Bytes>{root(2, board.hub, {kToday.ms - 1})}));
    hub_says(kToday);
    assign(1, board.hub);
    EXPECT_EQ(result(), "nothing");
}

TEST_F(TrustInstall, AThiefsGreatestNumberAndLatestTimeEndWithHisKey) {
    hub_says(k2099);
    assign(UINT64_MAX, board.hub, k2099);
    ASSERT_EQ(result(), "committed ");
    rotate_to(next_hub);
    hub_says(kToday);

    assign(2, next_hub);

    EXPECT_EQ(board.reports.back().number, 2u);
    EXPECT_EQ(result(), "committed ");
}

TEST_F(TrustInstall, ThatTheyEndIsKnownAfterAPowerCutToo) {
    hub_says(kToday);
    assign(50, board.hub);
    ASSERT_TRUE(kept->follow(std::vector<Bytes>{root(2, next_hub)}));  // and nobody told the engine
    follow_root(board.pins, kept->root()->root);
    ASSERT_TRUE(board.boot());
    hub_says(kToday);

    assign(2, next_hub);

    EXPECT_EQ(board.reports.back().number, 2u);
}

TEST_F(TrustInstall, TheKeyThatWasDroppedAssignsNothing) {
    hub_says(kToday);
    rotate_to(next_hub);
    hub_says(kToday);
    assign(1, board.hub);
    EXPECT_EQ(result(), "nothing");
}

TEST_F(TrustInstall, AForgedAssignmentIsToldAndARepeatedOneIsNot) {
    hub_says(kToday);
    assign(5, board.hub);
    assign(5, board.hub);  // until the hub has read the answer
    EXPECT_TRUE(board.refused.empty());
    assign(6, next_hub);
    EXPECT_EQ(board.refused, std::vector{SecurityEvent::assignment_forged});
}

TEST_F(TrustInstall, ANumberThatWasNeverTakenAndIsNoNewOneIsToldOnce) {
    hub_says(kToday);
    assign(5, board.hub);
    assign(4, board.hub);
    assign(4, board.hub);
    EXPECT_EQ(board.refused, std::vector{SecurityEvent::assignment_replayed});
}

// Each other one would cost a walk through the whole journal.
TEST_F(TrustInstall, OfOldNumbersWithoutEndSoManyAreLookedForInTheJournal) {
    hub_says(kToday);
    assign(500, board.hub);
    const Model model = board.make_model(1);
    const auto replay = [&](std::uint64_t number) {
        Approval approval = board.approval_of(model);
        approval.time.quality = ClockQuality::unknown;
        board.engine->on_assign(*board.store, board.seal(board.assignment_of(model, number),
                                                         approval, board.hub, board.alice));
    };
    for (std::uint64_t number = 1; number <= 64; ++number) replay(number);
    EXPECT_EQ(board.refused.size(), 64u);
    const auto read = board.machine.files.counters().read_bytes;
    for (std::uint64_t number = 65; number <= 200; ++number) replay(number);
    EXPECT_EQ(board.machine.files.counters().read_bytes, read);
    EXPECT_EQ(board.refused.size(), 64u);
}

TEST_F(TrustInstall, ALowerNumberOfTheSameHubIsNotTaken) {
    hub_says(kToday);
    assign(50, board.hub);
    assign(49, board.hub);
    EXPECT_EQ(board.reports.back().number, 50u);
}

}  // namespace
}  // namespace tributary::agent
