// What of a version goes into a slot.
#include "agent/update/slot.h"

#include <gtest/gtest.h>

#include "tests/support/doubled_tree.h"
#include "tests/support/store_builder.h"

namespace tributary::agent {
namespace {

class SlotContentOf : public testing::Test {
protected:
    TreeId stage(const EncodedTree& tree) {
        for (const EncodedTreeNode& node : tree.nodes)
            EXPECT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
        return tree.id;
    }

    test::StoreMachine machine;
    std::unique_ptr<Store> store = machine.open().value();
};

TEST_F(SlotContentOf, AFileInAFolderIsThatFileAlone) {
    const TreeItem file{TreeItem::Type::file, "m.bin", sha256(as_bytes("m")), 1};
    const TreeId below = stage(encode_tree({file}).value());
    const TreeId top = stage(encode_tree({{TreeItem::Type::tree, "d", below.digest, 1}}).value());

    const auto content = slot_content(*store, top, "d/m.bin");

    ASSERT_TRUE(content) << content.error().what;
    EXPECT_EQ(content->items, std::vector{file});
    EXPECT_EQ(content->tree, below);
    EXPECT_EQ(content->bytes, 1U);
}

TEST_F(SlotContentOf, APathThatNamesNoFileIsInvalid) {
    const TreeId top = stage(encode_tree({}).value());
    EXPECT_EQ(slot_content(*store, top, "m.bin").error().code, Errc::invalid);
}

TEST_F(SlotContentOf, ATreeThatStandsForMoreFilesThanADiskTakesIsInvalid) {
    const auto content = slot_content(*store, stage(test::doubled_tree(60)), "");
    ASSERT_FALSE(content);
    EXPECT_EQ(content.error().code, Errc::invalid);
}

}  // namespace
}  // namespace tributary::agent
