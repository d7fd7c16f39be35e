#include "hub/intake/commit_group.h"

#include <cerrno>

#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

const std::map<std::string, std::string> kFiles = {{"w", "weights"}};

// A hub that gathers, and boards that it knows.
struct Gathering {
    Gathering() {
        for (std::uint64_t i = 0; i < 3; ++i) {
            boards.push_back(std::make_unique<Board>("board-" + std::to_string(i), 10 + i));
            boards.back()->bind_at(*home.ledger);
        }
    }
    std::unique_ptr<AgentEnd> connect(std::size_t board) {
        auto end = std::make_unique<AgentEnd>(*boards[board], boards[board]->device(), *home.ledger,
                                              home.clock, 100 * board, 0, &group);
        end->connect();
        return end;
    }
    void add(std::vector<Bytes> entries) {
        group.add({std::move(entries)},
                  [this](MonoTime, const Status& durable) { told.push_back(durable); });
    }
    std::uint64_t syncs() const { return home.files.counters().syncs; }

    HubHome home{1};
    int wakes = 0;
    CommitGroup group{*home.ledger, [this] { ++wakes; }, 2};
    std::vector<std::unique_ptr<Board>> boards;
    std::vector<Status> told;
};

TEST(CommitGroup, BoardsThatWaitTogetherShareOneSync) {
    Gathering hub;
    std::vector<VersionId> versions;
    std::vector<std::unique_ptr<AgentEnd>> ends;
    for (std::size_t i = 0; i < 3; ++i) {
        versions.push_back(hub.boards[i]->commit("a/b", kFiles));
        ends.push_back(hub.connect(i));
    }
    EXPECT_EQ(hub.wakes, 1);
    const std::uint64_t before = hub.syncs();
    hub.group.flush(ends.front()->now());
    EXPECT_EQ(hub.syncs(), before + 1);
    for (std::size_t i = 0; i < 3; ++i) {
        ends[i]->pass(0);
        ASSERT_EQ(ends[i]->receipts.size(), 1U);
        EXPECT_EQ(ends[i]->receipts[0].whole, std::vector{versions[i]});
    }
}

TEST(CommitGroup, BoardsThatWaitTogetherShareOneSignature) {
    Gathering hub;
    std::vector<std::unique_ptr<AgentEnd>> ends;
    for (std::size_t i = 0; i < 3; ++i) {
        hub.boards[i]->commit("a/b", kFiles);
        ends.push_back(hub.connect(i));
    }
    hub.group.flush(ends.front()->now());
    for (auto& end : ends) {
        end->pass(0);
        ASSERT_EQ(end->signed_receipts.size(), 1U);
        EXPECT_TRUE(end->troubles.empty());  // the board took it
        EXPECT_EQ(end->signed_receipts[0].leaf_count, 3U);
        EXPECT_EQ(end->signed_receipts[0].signature, ends[0]->signed_receipts[0].signature);
    }
}

TEST(CommitGroup, WhoWaitsAloneGetsAReceiptWithoutAPath) {
    Gathering hub;
    hub.boards[0]->commit("a/b", kFiles);
    const auto end = hub.connect(0);
    hub.group.flush(end->now());
    end->pass(0);
    ASSERT_EQ(end->signed_receipts.size(), 1U);
    EXPECT_EQ(end->signed_receipts[0].leaf_count, 1U);
    EXPECT_TRUE(end->signed_receipts[0].path.empty());
}

TEST(CommitGroup, ABoardIsToldNothingBeforeItsEntriesAreDurable) {
    Gathering hub;
    const VersionId version = hub.boards[0]->commit("a/b", kFiles);
    const auto end = hub.connect(0);
    EXPECT_TRUE(end->receipts.empty());
    std::uint64_t said_to_hold = 0;
    end->overhear = [&](const sync::Body& body) {
        if (const auto* hello = std::get_if<sync::Hello>(&body))
            for (const auto& journal : hello->journals) said_to_hold += journal.sequence;
    };
    end->connect();  // again, while its commit waits
    EXPECT_EQ(said_to_hold, 0U);

    hub.home.files.crash(7);
    hub.home.files.restart();
    hub.home.reopen();
    EXPECT_EQ(hub.home.ledger->catalog().version(version), nullptr);
}

TEST(CommitGroup, AReceiptWaitsForASessionThatBeganMeanwhile) {
    Gathering hub;
    hub.boards[0]->commit("a/b", kFiles);
    const auto end = hub.connect(0);
    end->connect();
    hub.group.flush(end->now());  // the first session's: its answer is not waited for any more
    end->wait(10'000);
    hub.group.flush(end->now());
    end->pass(0);
    ASSERT_FALSE(end->receipts.empty());
    EXPECT_EQ(end->receipts.back().sequence, 2U);
}

TEST(CommitGroup, AJournalThatDoesNotContinueKeepsNobodyOut) {
    Gathering hub;
    hub.boards[1]->commit("a/b", kFiles);
    hub.add(hub.boards[0]->entries());
    hub.add(hub.boards[1]->entries(2));  // without its beginning
    hub.add(hub.boards[2]->entries());
    hub.group.flush({});
    ASSERT_EQ(hub.told.size(), 3U);
    EXPECT_TRUE(hub.told[0]);
    ASSERT_FALSE(hub.told[1]);
    EXPECT_EQ(hub.told[1].error().code, Errc::conflict);
    EXPECT_TRUE(hub.told[2]);
    const auto held = [&](std::size_t board) {
        return hub.home.ledger->held(hub.boards[board]->store().head().incarnation).sequence;
    };
    EXPECT_EQ(held(0), 1U);
    EXPECT_EQ(held(1), 0U);
    EXPECT_EQ(held(2), 1U);
}

TEST(CommitGroup, ASyncThatFailsIsSuccessForNobody) {
    Gathering hub;
    hub.add(hub.boards[0]->entries());
    hub.add(hub.boards[1]->entries());
    hub.home.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);
    hub.group.flush({});
    ASSERT_EQ(hub.told.size(), 2U);
    EXPECT_FALSE(hub.told[0]);
    EXPECT_FALSE(hub.told[1]);
}

TEST(CommitGroup, WhatIsTooMuchForOneBatchTakesTwo) {
    Gathering hub;
    const CommitBody long_one{"a/b", std::string(200, 'x'), VersionId{sha256(as_bytes("x"))}};
    for (const auto& board : hub.boards) {
        for (int i = 0; i < 600; ++i) ASSERT_TRUE(board->store().stage_entry(long_one));
        ASSERT_TRUE(board->store().commit());
        hub.add(board->entries());
    }
    const std::uint64_t before = hub.syncs();
    hub.group.flush({});
    EXPECT_EQ(hub.syncs(), before + 2);
    ASSERT_EQ(hub.told.size(), 3U);
    for (const Status& told : hub.told) EXPECT_TRUE(told);
}

TEST(CommitGroup, WhatIsAddedWhileOthersAreToldWaitsForTheNext) {
    Gathering hub;
    hub.group.add({hub.boards[0]->entries()},
                  [&](MonoTime, const Status&) { hub.add(hub.boards[1]->entries()); });
    hub.group.flush({});
    EXPECT_TRUE(hub.told.empty());
    EXPECT_EQ(hub.wakes, 2);
    hub.group.flush({});
    EXPECT_EQ(hub.told.size(), 1U);
}

}  // namespace
}  // namespace tributary::hub
