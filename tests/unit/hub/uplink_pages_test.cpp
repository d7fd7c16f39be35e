// A page that is asked for again, because its board waits for its turn, is the same page.
#include <gtest/gtest.h>

#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

TEST(UplinkPages, LeaveOutWhatAReceiptCoversUntilTheyAreAskedForAsAWhole) {
    test::HubHome home{1};
    test::Board board{"board", 2};
    board.bind_at(*home.ledger);
    test::AgentEnd end(board, "board", *home.ledger, home.clock, 3);
    const VersionId first = board.commit("lab/data", {{"a", "1"}, {"b", "2"}, {"c", "3"}});
    end.connect();
    end.pass(0);
    board.commit("lab/data", {{"a", "1"}, {"b", "2"}, {"c", "3"}, {"d", "4"}}, {first});

    agent::Uplink& uplink = end.uplink();
    ASSERT_TRUE(uplink.make_plan().value());
    const auto objects = [&](bool whole) { return uplink.read_page(0, whole).value().objects; };
    const auto offered = objects(false);
    EXPECT_EQ(objects(false), offered);
    EXPECT_EQ(objects(false), offered);
    EXPECT_GT(objects(true).size(), offered.size());
    EXPECT_EQ(objects(true), objects(false)) << "of this plan";
}

}  // namespace
}  // namespace tributary::hub
