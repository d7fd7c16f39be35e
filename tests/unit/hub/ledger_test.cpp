#include "hub/store/ledger.h"

#include "hub/registry/registry.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

TEST(Ledger, ShowsTheSameAfterARestart) {
    Board a("a", 1);
    HubHome home(2);
    const VersionId first = a.commit("fleet/data", {{"x", "1"}});
    const VersionId second = a.commit("fleet/data", {{"x", "2"}}, {first});
    a.bring_to(*home.ledger);

    home.reopen();

    EXPECT_EQ(home.ledger->catalog().version_count(), 2u);
    EXPECT_EQ(home.ledger->catalog().ref("fleet/data", "device/a/main"), second);
    EXPECT_EQ(home.ledger->epoch(), 1u);
}

TEST(Ledger, RefusesAJournalThatDoesNotContinueWhatIsHeld) {
    Board a("a", 1);
    HubHome home(2);
    a.commit("fleet/data", {{"x", "1"}});
    a.commit("fleet/data", {{"x", "2"}});
    std::vector<Bytes> entries;
    ASSERT_TRUE(a.store().read_entries(a.store().head().incarnation, 2, [&](ByteView plain) {
        entries.emplace_back(plain.begin(), plain.end());
        return true;
    }));

    const Status accepted = home.ledger->accept(entries);  // number 1 is missing

    ASSERT_FALSE(accepted);
    EXPECT_EQ(accepted.error().code, Errc::conflict);
    EXPECT_EQ(home.ledger->store().heads().value().size(), 1u);
}

TEST(Catalog, FollowsLineageUpAndDown) {
    Board data("data", 1), trainer("trainer", 2);
    HubHome home(3);
    const VersionId set = data.commit("fleet/data", {{"x", "1"}});
    const VersionId model =
        trainer.commit("fleet/model", {{"m", "w"}}, {}, {{set.digest, "train_data", ""}});
    data.bring_to(*home.ledger);
    trainer.bring_to(*home.ledger);
    const Catalog& catalog = home.ledger->catalog();

    ASSERT_EQ(catalog.edges_up(model.digest).size(), 1u);
    EXPECT_EQ(catalog.edges_up(model.digest)[0].to, set.digest);
    ASSERT_EQ(catalog.edges_down(set.digest).size(), 1u);
    EXPECT_EQ(catalog.edges_down(set.digest)[0].from, model.digest);
    EXPECT_EQ(catalog.edges_down(set.digest)[0].role, "train_data");
}

class RegistryOfOneBoard : public testing::Test {
protected:
    RegistryOfOneBoard() {
        first = board.commit("fleet/model", {{"m", "1"}});
        second = board.commit("fleet/model", {{"m", "2"}}, {first});
        board.bring_to(*home.ledger);
    }

    Board board{"a", 1};
    HubHome home{2};
    test::SimClock clock;
    VersionId first, second;
    Registry registry{*home.ledger, clock, {}, 1};
};

TEST_F(RegistryOfOneBoard, ResolvesWhatAPersonWrites) {
    const std::string id = second.text();
    for (const std::string& reference :
         {id, id.substr(0, 20), id.substr(7, 12), std::string("fleet/model/device/a/main"),
          std::string("tributary://fleet/model/device%2Fa%2Fmain")})
        EXPECT_EQ(registry.resolve(reference), second) << reference;
    EXPECT_EQ(registry.resolve("fleet/model/device/a/main~1"), first);
    EXPECT_FALSE(registry.resolve("fleet/model/nothing"));
}

TEST_F(RegistryOfOneBoard, NeverMovesATag) {
    ASSERT_TRUE(registry.move_ref("fleet/model", "tags/v1", first, {}, "cli", "tester"));
    EXPECT_EQ(registry.resolve("fleet/model/tags/v1"), first);

    const Status moved = registry.move_ref("fleet/model", "tags/v1", second, {}, "cli", "tester");

    ASSERT_FALSE(moved);
    EXPECT_EQ(moved.error().code, Errc::conflict);
    EXPECT_EQ(registry.resolve("fleet/model/tags/v1"), first);
}

TEST_F(RegistryOfOneBoard, MovesAnAliasOnlyFromWhereItIsExpected) {
    ASSERT_TRUE(registry.move_ref("fleet/model", "@production", first, {}, "cli", "tester"));

    const Status late =
        registry.move_ref("fleet/model", "@production", second, second, "cli", "tester");

    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, Errc::conflict);
    EXPECT_TRUE(registry.move_ref("fleet/model", "@production", second, first, "cli", "tester"));
}

TEST_F(RegistryOfOneBoard, AssignsNothingThatIsNotApproved) {
    const auto assigned = registry.assign("model", second, {"a"});
    ASSERT_FALSE(assigned);
    EXPECT_EQ(assigned.error().code, Errc::denied);
    EXPECT_EQ(home.ledger->catalog().last_assignment_number(), 0u);
}

}  // namespace
}  // namespace tributary::hub
