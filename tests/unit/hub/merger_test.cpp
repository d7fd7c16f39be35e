#include "hub/lineage/merger.h"

#include "common/lineage/conflict.h"
#include "tests/support/doubled_tree.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

HubConfig config_with(const std::string& merge) {
    HubConfig config;
    config.repositories = {{"*/*", "main", merge, {}}};
    return config;
}

std::map<std::string, std::uint64_t> files_of(Store& store, const VersionId& id) {
    std::map<std::string, std::uint64_t> files;
    const Version version = read_version(store, id).value();
    EXPECT_TRUE(walk_tree(version.tree, tree_loader(store),
                          [&](const std::string& path, const TreeItem& file) -> Status {
                              files[path] = file.size;
                              return {};
                          }));
    return files;
}

TEST(Merger, SaysBeforeAnythingIsFoldedThatARuleCannotBeRead) {
    HubConfig config = config_with("union");
    EXPECT_TRUE(check_policies(config));
    config.repositories[0].rules = {"*.csv newest"};
    const Status checked = check_policies(config);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Errc::invalid);
}

TEST(Merger, FoldsTheFilesOfAllBoardsIntoTheSharedBranch) {
    Board a("a", 1), b("b", 2);
    HubHome home(3);
    a.commit("fleet/data", {{"a.csv", "1"}});
    b.commit("fleet/data", {{"b.csv", "22"}});
    a.bring_to(*home.ledger);
    b.bring_to(*home.ledger);
    const HubConfig config = config_with("union");

    const auto folded = Merger(*home.ledger, config).fold("fleet/data").value();

    ASSERT_TRUE(folded);
    EXPECT_EQ(folded->heads, 2u);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "main"), folded->version);
    EXPECT_EQ(files_of(home.ledger->store(), folded->version),
              (std::map<std::string, std::uint64_t>{{"a.csv", 1}, {"b.csv", 2}}));
}

TEST(Merger, FoldsMoreBoardsThanAVersionMayCoverByOneVersionAfterTheOther) {
    HubHome home(9);
    const HubConfig config = config_with("union");
    std::map<std::string, std::uint64_t> expected;
    for (std::uint64_t i = 1; i <= 8; ++i) {
        Board board("board-" + std::to_string(i), i);
        board.commit("fleet/data", {{std::to_string(i) + ".csv", "1"}});
        board.bring_to(*home.ledger);
        expected[std::to_string(i) + ".csv"] = 1;
    }

    const auto folded = Merger(*home.ledger, config, {.parents = 4}).fold("fleet/data").value();

    ASSERT_TRUE(folded);
    EXPECT_EQ(folded->heads, 8u);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "main"), folded->version);
    EXPECT_EQ(files_of(home.ledger->store(), folded->version), expected);
    EXPECT_FALSE(Merger(*home.ledger, config).fold("fleet/data").value());
}

TEST(Merger, MovesTheBranchOverAllHeadsOrNone) {
    HubHome home(9);
    const HubConfig config = config_with("union");
    for (std::uint64_t i = 1; i <= 8; ++i) {
        Board board("board-" + std::to_string(i), i);
        board.commit("fleet/data", {{std::to_string(i) + ".csv", "1"}});
        board.bring_to(*home.ledger);
    }
    Merger merger(*home.ledger, config, {.names = 6, .parents = 4});  // enough for the first four

    const auto folded = merger.fold("fleet/data");

    ASSERT_FALSE(folded);
    EXPECT_EQ(folded.error().code, Errc::exhausted);
    EXPECT_TRUE(merger.leaves_alone("fleet/data"));
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "main"), std::nullopt);
}

TEST(Merger, GivesTheSameIdOnAnotherHubThatWasFedInAnotherOrder) {
    Board a("a", 1), b("b", 2), c("c", 3);
    HubHome first(4), second(5);
    const HubConfig config = config_with("union");
    a.commit("fleet/data", {{"a.csv", "1"}, {"shared", "x"}});
    b.commit("fleet/data", {{"b.csv", "2"}, {"shared", "x"}});
    c.commit("fleet/data", {{"c.csv", "3"}, {"shared", "y"}});
    for (Board* board : {&a, &b, &c}) board->bring_to(*first.ledger);
    for (Board* board : {&c, &a, &b}) board->bring_to(*second.ledger);

    const auto one = Merger(*first.ledger, config).fold("fleet/data").value();
    const auto other = Merger(*second.ledger, config).fold("fleet/data").value();

    ASSERT_TRUE(one && other);
    EXPECT_EQ(one->version, other->version);
}

TEST(Merger, HasNothingToSayWhenTheBranchHasAllHeads) {
    Board a("a", 1);
    HubHome home(2);
    const HubConfig config = config_with("union");
    a.commit("fleet/data", {{"a.csv", "1"}});
    a.bring_to(*home.ledger);
    ASSERT_TRUE(Merger(*home.ledger, config).fold("fleet/data").value());

    EXPECT_FALSE(Merger(*home.ledger, config).fold("fleet/data").value());
}

TEST(Merger, KeepsWhatTwoBoardsSayDifferentlyAsAnOpenConflict) {
    Board a("a", 1), b("b", 2);
    HubHome home(3);
    const HubConfig config = config_with("conflict");
    a.commit("fleet/conf", {{"settings", "a"}});
    b.commit("fleet/conf", {{"settings", "b"}});
    a.bring_to(*home.ledger);
    b.bring_to(*home.ledger);

    const auto folded = Merger(*home.ledger, config).fold("fleet/conf").value();

    ASSERT_TRUE(folded);
    EXPECT_EQ(folded->conflicts, 1u);
    const Version version = read_version(home.ledger->store(), folded->version).value();
    ASSERT_EQ(lineage::open_conflicts(version).size(), 1u);
    EXPECT_TRUE(
        home.ledger->store().has({RecordKind::conflict, lineage::open_conflicts(version).front()}));
}

class MergerOfWhatTakesTooLong : public testing::Test {
protected:
    MergerOfWhatTakesTooLong() {
        a.commit_tree("fleet/data", test::doubled_tree(20, "f"));
        b.commit_tree("fleet/data", test::doubled_tree(20, "g"));
        a.bring_to(*home.ledger);
        b.bring_to(*home.ledger);
    }

    Board a{"a", 1}, b{"b", 2};
    HubHome home{3};
    const HubConfig config = config_with("union");
    Merger merger{*home.ledger, config, {.names = 1000}};
};

TEST_F(MergerOfWhatTakesTooLong, SaysSoAndMovesNothing) {
    const auto folded = merger.fold("fleet/data");
    ASSERT_FALSE(folded);
    EXPECT_EQ(folded.error().code, Errc::exhausted);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "main"), std::nullopt);
}

TEST_F(MergerOfWhatTakesTooLong, LeavesItAloneWithTheSameAnswer) {
    const auto first = merger.fold("fleet/data");
    ASSERT_FALSE(first);
    EXPECT_TRUE(merger.leaves_alone("fleet/data"));
    EXPECT_FALSE(merger.leaves_alone("fleet/other"));
    const auto again = merger.fold("fleet/data");
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().what, first.error().what);
}

TEST_F(MergerOfWhatTakesTooLong, FoldsAgainWhenAHeadHasMoved) {
    ASSERT_FALSE(merger.fold("fleet/data"));
    b.commit("fleet/data", {{"x", "1"}});
    b.bring_to(*home.ledger);

    EXPECT_FALSE(merger.leaves_alone("fleet/data"));
    EXPECT_TRUE(merger.fold("fleet/data"));
}

// Each has 12 million places of files, together they have more than a version may.
TEST(Merger, LeavesHeadsAloneThatAreTogetherTooMuchForOneVersion) {
    Board a("a", 1), b("b", 2);
    HubHome home(3);
    const HubConfig config = config_with("union");
    for (Board* board : {&a, &b}) {
        EncodedTree all = test::doubled_tree(22, board->device());
        const EncodedTree root =
            encode_tree({{TreeItem::Type::tree, board->device() + "1", all.id.digest, 0},
                         {TreeItem::Type::tree, board->device() + "2", all.id.digest, 0}})
                .value();
        all.id = root.id;
        all.nodes.push_back(root.nodes.back());
        board->commit_tree("fleet/data", all);
        board->bring_to(*home.ledger);
    }
    Merger merger(*home.ledger, config);

    const auto folded = merger.fold("fleet/data");

    ASSERT_FALSE(folded);
    EXPECT_EQ(folded.error().code, Errc::exhausted);
    EXPECT_TRUE(merger.leaves_alone("fleet/data"));
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "main"), std::nullopt);
}

}  // namespace
}  // namespace tributary::hub
