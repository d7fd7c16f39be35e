// A version of more records than the names that a hub keeps of a board: its plan has many pages.
#include "hub/intake/readable.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

class LargePlan : public testing::Test {
protected:
    static constexpr std::size_t kFiles = Readable::kNearNamesMax + 1'000;
    LargePlan() { board.bind_at(*home.ledger); }

    VersionId commit(const std::string& last, std::vector<VersionId> parents = {}) {
        std::vector<TreeItem> items;
        for (std::size_t i = 0; i < kFiles; ++i) {
            std::string name = std::to_string(i);
            name.insert(0, 8 - name.size(), '0');
            const std::string content = i + 1 == kFiles ? last : name;
            const auto digest = board.store().stage_object(RecordKind::piece, as_bytes(content));
            items.push_back({TreeItem::Type::file, name, digest.value(), content.size()});
        }
        return board.commit_tree("fleet/data", encode_tree(items).value(), std::move(parents));
    }
    void sync(const std::function<void(sync::Page& page)>& twist = {}) {
        AgentEnd end(board, board.device(), *home.ledger, home.clock, ++seed);
        pages = offered = sent = 0;
        end.twist_page = [&](sync::Page& page) {
            ++pages;
            if (twist) twist(page);
            offered += page.objects.size();
        };
        end.twist_record = [&](Bytes&) { ++sent; };
        end.connect();
        end.wait(60'000);
        receipts = std::exchange(end.receipts, {});
    }
    std::size_t stored() {
        std::size_t count = 0;
        EXPECT_TRUE(
            home.ledger->store().for_each_name(RecordKind::piece, [&](const Digest&) -> Status {
                ++count;
                return {};
            }));
        return count;
    }

    HubHome home{2};
    Board board{"a", 1};
    std::uint64_t seed = 100;
    std::size_t pages = 0, offered = 0, sent = 0;
    std::vector<Receipt> receipts;
};

// First by many pages; then, when the hub misses something in the end, once more by all of them,
// among them more than it knows the board to have sent.
TEST_F(LargePlan, ArrivesWholeAlsoWhenAllOfItIsListedAgain) {
    const VersionId first = commit("last");
    sync();
    ASSERT_EQ(receipts.size(), 1u);
    EXPECT_EQ(receipts[0].whole, std::vector{first});
    EXPECT_GT(pages, 8u);
    EXPECT_GT(sent, kFiles);
    EXPECT_EQ(stored(), kFiles);

    home.reopen();
    const VersionId second = commit("changed", {first});
    bool left_out = false;
    sync([&](sync::Page& page) {
        if (left_out) return;
        left_out = std::erase_if(page.objects, [](const sync::OfferedObject& object) {
                       return object.key.kind == RecordKind::piece;
                   }) != 0;
    });

    ASSERT_TRUE(left_out);
    ASSERT_FALSE(receipts.empty());
    EXPECT_EQ(receipts.back().whole, std::vector{second});
    EXPECT_TRUE(receipts.back().refused.empty());
    EXPECT_GT(offered, kFiles) << "it lists all that the version needs";
    EXPECT_GT(sent, kFiles - Readable::kNearNamesMax) << "the hub does not know it to have sent it";
    EXPECT_LT(sent, kFiles / 2);
    EXPECT_EQ(stored(), kFiles + 1) << "nothing is stored twice";
}

}  // namespace
}  // namespace tributary::hub
