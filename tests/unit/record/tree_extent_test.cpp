#include "common/record/tree_extent.h"

#include <gtest/gtest.h>

#include <map>

#include "common/base/limits.h"
#include "tests/support/doubled_tree.h"

namespace tributary {
namespace {

using test::at_most;
using test::doubled_tree;
using Type = TreeItem::Type;

TreeItem folder(std::string name, const TreeId& id) {
    return {Type::tree, std::move(name), id.digest, 0};
}
TreeItem empty_file(std::string name) { return {Type::file, std::move(name), sha256({}), 0}; }

class TreeExtentOf : public testing::Test {
protected:
    TreeId add(const EncodedTree& tree) {
        for (const EncodedTreeNode& node : tree.nodes) nodes_[node.id] = node.bytes;
        return tree.id;
    }
    TreeId tree(std::vector<TreeItem> items) { return add(encode_tree(std::move(items)).value()); }
    // Directories one in another, `item` in the innermost.
    TreeId nested(std::size_t directories, const TreeItem& item) {
        TreeId top = tree({item});
        for (std::size_t i = 1; i < directories; ++i) top = tree({folder("d", top)});
        return top;
    }
    Result<TreeExtent> extent(const TreeId& id) { return tree_extent(id, loader(), known); }
    LoadTreeNode loader() {
        return [this](const TreeId& id) -> Result<Bytes> {
            ++reads;
            const auto found = nodes_.find(id);
            if (found == nodes_.end()) return fail(Errc::not_found, id.text());
            return found->second;
        };
    }

    TreeExtents known;
    std::size_t reads = 0;

private:
    std::map<TreeId, Bytes> nodes_;
};

TEST_F(TreeExtentOf, OneWithNothingInItIsADirectory) {
    EXPECT_EQ(extent(tree({})), (TreeExtent{0, 1}));
}

TEST_F(TreeExtentOf, CountsADirectoryInEachPlace) {
    const TreeId below = tree({empty_file("x"), empty_file("y")});
    EXPECT_EQ(extent(tree({folder("a", below), folder("b", below), empty_file("c")})),
              (TreeExtent{7, 2}));
}

TEST_F(TreeExtentOf, SixtyDoubledLevelsReadsEachNodeOnce) {
    const TreeId top = add(doubled_tree(60));
    const auto measured = tree_extent(top, at_most(1000, loader()), known);
    ASSERT_TRUE(measured) << measured.error().what;
    EXPECT_EQ(*measured, (TreeExtent{3 * (std::uint64_t{1} << 59) - 2, 60}));
    EXPECT_EQ(reads, 60U);
}

TEST_F(TreeExtentOf, MoreThanANumberHoldsIsTheGreatestNumber) {
    TreeId top = tree({empty_file("f")});
    for (int level = 1; level < 60; ++level)
        top = tree({folder("a", top), folder("b", top), folder("c", top), folder("d", top)});
    EXPECT_EQ(extent(top)->paths, UINT64_MAX);
    EXPECT_EQ(check_tree_extent(top, loader(), known).error().code, Errc::invalid);
}

TEST_F(TreeExtentOf, ASplitDirectoryCountsItsItems) {
    std::vector<TreeItem> items;
    const TreeId below = tree({empty_file("x")});
    for (std::size_t i = 0; i < 20'000; ++i) items.push_back(empty_file(std::to_string(i)));
    items.push_back(folder("below", below));
    const EncodedTree split = encode_tree(items).value();
    ASSERT_GT(split.nodes.size(), 2U);
    EXPECT_EQ(extent(add(split)), (TreeExtent{20'002, 2}));
}

TEST_F(TreeExtentOf, TheNextVersionReadsOnlyWhatIsNewInIt) {
    std::vector<TreeItem> items;
    for (std::size_t i = 0; i < 20'000; ++i) items.push_back(empty_file(std::to_string(i)));
    ASSERT_TRUE(extent(add(encode_tree(items).value())));
    items.push_back(empty_file("one more"));
    const TreeId next = add(encode_tree(items).value());
    reads = 0;

    EXPECT_EQ(extent(next), (TreeExtent{20'001, 1}));
    EXPECT_LE(reads, 3U);
}

TEST_F(TreeExtentOf, AsManyDirectoriesOneInAnotherAsMayBeAreMeasured) {
    EXPECT_EQ(extent(nested(limits::kTreeDepthMax, empty_file("f")))->depth, limits::kTreeDepthMax);
}

TEST_F(TreeExtentOf, OneDirectoryMoreIsInvalid) {
    const auto measured = extent(nested(limits::kTreeDepthMax + 1, empty_file("f")));
    ASSERT_FALSE(measured);
    EXPECT_EQ(measured.error().code, Errc::invalid);
}

// "a" is met first, at a legal depth; by the way through "b" the same nodes lie too deep.
TEST_F(TreeExtentOf, DepthIsThatOfTheDeepestPlaceOfWhatIsKnownAlready) {
    const TreeId shared = nested(limits::kTreeDepthMax / 2 + 1, empty_file("f"));
    const TreeId longer = nested(limits::kTreeDepthMax / 2, folder("s", shared));
    const auto measured = extent(tree({folder("a", shared), folder("b", longer)}));
    ASSERT_FALSE(measured);
    EXPECT_EQ(measured.error().code, Errc::invalid);
}

// Each node says that it is a part of a directory, and none ever is one.
TEST_F(TreeExtentOf, PartsWithoutEndAreCorruptBeforeTheyAreRead) {
    std::map<TreeId, Bytes> nodes;
    TreeId top = tree({empty_file("f")});
    for (int i = 0; i < 1000; ++i) {
        Bytes bytes;
        ByteWriter out(bytes);
        out.put(std::uint8_t{1});
        out.put(std::uint8_t{5});
        out.put(std::uint32_t{1});
        out.put_short_text("f");
        top.digest.put(out);
        out.put(std::uint64_t{0});
        top = TreeId{sha256_of("tributary/1/tree", bytes)};
        nodes[top] = std::move(bytes);
    }
    std::size_t loads = 0;
    const auto measured = tree_extent(
        top,
        [&](const TreeId& id) {
            ++loads;
            return Result<Bytes>(nodes.at(id));
        },
        known);
    ASSERT_FALSE(measured);
    EXPECT_EQ(measured.error().code, Errc::corrupt);
    EXPECT_EQ(loads, 2U);
}

TEST_F(TreeExtentOf, AVersionMayHaveTwentyThreeDoubledLevelsAndNoMore) {
    EXPECT_TRUE(check_tree_extent(add(doubled_tree(23)), loader(), known));
    const Status checked = check_tree_extent(add(doubled_tree(24)), loader(), known);
    ASSERT_FALSE(checked);
    EXPECT_EQ(checked.error().code, Errc::invalid);
    EXPECT_NE(checked.error().what.find("16777216"), std::string::npos);
}

}  // namespace
}  // namespace tributary
