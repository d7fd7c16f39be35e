#include "hub/lineage/settle.h"

#include "hub/lineage/merger.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

const std::string kRepo = "fleet/conf";

// Two boards that say different things at two paths, folded.
class Settle : public testing::Test {
protected:
    Settle() {
        said_by_a = a.commit(kRepo, {{"of-a", "1"}, {"settings", "aa"}, {"table", "a"}});
        said_by_b = b.commit(kRepo, {{"of-b", "1"}, {"settings", "bbb"}, {"table", "bb"}});
        fold();
    }

    void fold() {
        a.bring_to(*home.ledger);
        b.bring_to(*home.ledger);
        ASSERT_TRUE(Merger(*home.ledger, config).fold(kRepo));
    }
    const KnownVersion& head() {
        return *home.ledger->catalog().version(*home.ledger->catalog().ref(kRepo, "main"));
    }
    std::vector<lineage::Conflict> open() {
        return open_conflicts(home.ledger->store(), head().version).value();
    }
    Result<VersionId> say(std::map<std::string, VersionId> by_path,
                          std::optional<VersionId> rest = {}) {
        return settle(*home.ledger, home.clock, kRepo, "main",
                      {std::move(by_path), std::move(rest), "somebody"});
    }
    std::map<std::string, std::uint64_t> sizes() {
        std::map<std::string, std::uint64_t> sizes;
        EXPECT_TRUE(walk_tree(head().version.tree, tree_loader(home.ledger->store()),
                              [&](const std::string& path, const TreeItem& file) -> Status {
                                  sizes[path] = file.size;
                                  return {};
                              }));
        return sizes;
    }
    using Sizes = std::map<std::string, std::uint64_t>;

    HubConfig config;
    Board a{"a", 1}, b{"b", 2};
    HubHome home{3};
    VersionId said_by_a, said_by_b;
};

TEST_F(Settle, KnowsWhichPathsAreOpenAndBetweenWhom) {
    ASSERT_EQ(open().size(), 2u);
    EXPECT_EQ(paths_text(open()), "settings, table");
    EXPECT_EQ(boards_of(open(), home.ledger->catalog()), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(sizes(), (Sizes{{"of-a", 1}, {"of-b", 1}}));  // neither content is shown
}

TEST_F(Settle, TakesOneVersionForAllOpenPathsAndKeepsTheRest) {
    const auto settled = say({}, said_by_b);

    ASSERT_TRUE(settled) << settled.error().what;
    EXPECT_EQ(head().id, *settled);
    EXPECT_EQ(head().repo, kRepo);
    EXPECT_EQ(head().branch, "main");
    EXPECT_TRUE(open().empty());
    EXPECT_EQ(sizes(), (Sizes{{"of-a", 1}, {"of-b", 1}, {"settings", 3}, {"table", 2}}));
}

TEST_F(Settle, TakesAVersionForEachPath) {
    ASSERT_TRUE(say({{"settings", said_by_a}}, said_by_b));
    EXPECT_EQ(sizes(), (Sizes{{"of-a", 1}, {"of-b", 1}, {"settings", 2}, {"table", 2}}));
}

TEST_F(Settle, StaysSettledWhileTheBoardsGoOn) {
    ASSERT_TRUE(say({}, said_by_a));
    b.commit(kRepo, {{"new", "1234"}, {"of-b", "1"}, {"settings", "bbb"}, {"table", "bb"}},
             {said_by_b});
    fold();
    EXPECT_TRUE(open().empty());
    EXPECT_EQ(sizes(),
              (Sizes{{"new", 4}, {"of-a", 1}, {"of-b", 1}, {"settings", 2}, {"table", 1}}));
}

TEST_F(Settle, IsOpenAgainWhenTheOtherBoardChangesThatPath) {
    ASSERT_TRUE(say({}, said_by_a));
    b.commit(kRepo, {{"of-b", "1"}, {"settings", "newer"}, {"table", "bb"}}, {said_by_b});
    fold();
    EXPECT_EQ(paths_text(open()), "settings");
}

TEST_F(Settle, StandsAfterARestart) {
    const VersionId settled = say({}, said_by_a).value();
    home.reopen();
    EXPECT_EQ(head().id, settled);
    EXPECT_TRUE(open().empty());
}

TEST_F(Settle, RefusesToLeaveAPathOpenOrToChangeOneThatIsNot) {
    const auto part = say({{"settings", said_by_a}});
    ASSERT_FALSE(part);
    EXPECT_EQ(part.error().code, Errc::conflict);
    EXPECT_NE(part.error().what.find("table"), std::string::npos) << part.error().what;

    const auto other = say({{"of-a", said_by_b}}, said_by_b);
    ASSERT_FALSE(other);
    EXPECT_EQ(other.error().code, Errc::invalid);
}

TEST_F(Settle, SaysSoWhenNothingIsOpen) {
    ASSERT_TRUE(say({}, said_by_a));
    const auto again = say({}, said_by_a);
    ASSERT_FALSE(again);
    EXPECT_NE(again.error().what.find("nothing is in conflict"), std::string::npos);
}

}  // namespace
}  // namespace tributary::hub
