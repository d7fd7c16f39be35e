// What a board may fetch at the door, and that the loop goes on while it is looked for.
#include "hub/enrol/fetch_scope.h"

#include <gtest/gtest.h>

#include "tests/support/manual_loop.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

class TrustFetchScope : public testing::Test {
protected:
    struct Said {
        bool answered = false;
        FetchScope::Verdict verdict;
    };
    std::shared_ptr<Said> ask(const std::string& device, const VersionId& version,
                              const RecordKey& object) {
        auto said = std::make_shared<Said>();
        scope.check(device, version, object, [said](FetchScope::Verdict verdict) {
            EXPECT_FALSE(std::exchange(said->answered, true));
            said->verdict = std::move(verdict);
        });
        return said;
    }
    FetchScope::Verdict answer(const std::string& device, const VersionId& version,
                               const RecordKey& object) {
        const auto said = ask(device, version, object);
        EXPECT_TRUE(loop.run_until([&] { return said->answered; }));
        return said->verdict;
    }
    static RecordKey piece(const std::string& content) {
        return {RecordKind::piece, sha256(as_bytes(content))};
    }
    // Of so many directories, each a record to be read.
    VersionId large(Board& of, int directories) {
        std::vector<TreeItem> items;
        for (int i = 0; i < directories; ++i) {
            const std::string name = std::to_string(i);
            const auto file =
                of.store().stage_piece({as_bytes(name)}, {}, codec::Level::standard).value();
            const EncodedTree below =
                encode_tree({{TreeItem::Type::file, "f", file.digest, name.size()}}).value();
            for (const EncodedTreeNode& node : below.nodes)
                EXPECT_TRUE(of.store().stage_object(RecordKind::tree, node.bytes));
            items.push_back({TreeItem::Type::tree, name, below.id.digest, below.size});
        }
        const VersionId id = of.commit_tree("fleet/data", encode_tree(items).value());
        of.bring_to(*home.ledger);
        return id;
    }

    HubHome home{2};
    test::ManualLoop loop;
    FetchScope scope{loop, *home.ledger};
    Board board{"a", 1};
    Board other{"b", 3};
};

TEST_F(TrustFetchScope, IsABoardsOwnVersionsAlone) {
    const VersionId own = board.commit("fleet/data", {{"x", "mine"}});
    const VersionId theirs = other.commit("fleet/data", {{"x", "theirs"}});
    board.bring_to(*home.ledger);
    other.bring_to(*home.ledger);

    EXPECT_TRUE(answer("a", own, piece("mine")).may);
    EXPECT_TRUE(answer("a", own, {RecordKind::version, own.digest}).may);
    for (const auto& [version, object] : {std::pair{own, piece("theirs")},
                                          {theirs, piece("theirs")},
                                          {VersionId{sha256(as_bytes("none"))}, piece("mine")}}) {
        const FetchScope::Verdict refused = answer("a", version, object);
        ASSERT_FALSE(refused.may);
        EXPECT_EQ(refused.may.error().code, Errc::not_found);
    }
    EXPECT_TRUE(answer("a", theirs, piece("theirs")).theirs);
}

TEST_F(TrustFetchScope, IsLookedForBesideOtherWork) {
    const VersionId version = large(board, 1'000);
    const auto said = ask("a", version, piece("nowhere"));
    EXPECT_FALSE(said->answered);
    int turns = 0;
    while (!said->answered) {
        bool other_work_done = false;
        const auto other_work = loop.at(loop.now(), [&] { other_work_done = true; });
        ASSERT_TRUE(loop.run_until([&] { return other_work_done; }));
        ASSERT_LT(++turns, 1'000);
    }
    EXPECT_GE(turns, static_cast<int>(1'000 / FetchScope::kRecordsAStep));
    EXPECT_EQ(said->verdict.may.error().code, Errc::not_found);
    EXPECT_TRUE(ask("a", version, piece("7"))->answered) << "it is remembered";
}

TEST_F(TrustFetchScope, IsWalkedOnceForAllWhoAskMeanwhile) {
    const VersionId version = large(board, 1'000);
    const auto first = ask("a", version, piece("500"));
    const auto second = ask("a", version, piece("501"));
    EXPECT_TRUE(first->answered);
    EXPECT_EQ(first->verdict.may.error().code, Errc::unavailable) << "one question at a time";
    EXPECT_EQ(scope.walks(), 1u);
    ASSERT_TRUE(loop.run_until([&] { return second->answered; }));
    EXPECT_TRUE(second->verdict.may);
}

TEST_F(TrustFetchScope, IsLookedForInOneVersionAtATimeForOneDevice) {
    for (int i = 0; i < 20; ++i) {
        const VersionId version = large(board, 200 + i);
        EXPECT_TRUE(ask("a", version, {RecordKind::version, version.digest})->answered);
        EXPECT_EQ(scope.walks(), 1u);
    }
}

TEST_F(TrustFetchScope, IsLookedForInSoManyVersionsAtATimeAndNoMore) {
    std::vector<std::shared_ptr<Said>> asked;
    std::vector<std::unique_ptr<Board>> boards;
    for (std::size_t i = 0; i <= FetchScope::kWalksMax; ++i) {
        boards.push_back(std::make_unique<Board>("d" + std::to_string(i), 10 + i));
        const VersionId version = large(*boards.back(), 200 + static_cast<int>(i));
        asked.push_back(ask(boards.back()->device(), version, piece("nowhere")));
    }
    EXPECT_EQ(scope.walks(), FetchScope::kWalksMax);
    ASSERT_TRUE(asked.back()->answered);
    EXPECT_EQ(asked.back()->verdict.may.error().code, Errc::unavailable);
    ASSERT_TRUE(loop.run_until([&] { return scope.walks() == 0; }));
    for (const auto& said : asked) EXPECT_TRUE(said->answered);
}

}  // namespace
}  // namespace tributary::hub
