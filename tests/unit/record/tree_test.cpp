#include "common/record/tree.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "tests/support/doubled_tree.h"

namespace tributary {
namespace {

using Type = TreeItem::Type;

TreeItem file(std::string name, std::string_view content, Type type = Type::file) {
    return {type, std::move(name), sha256(as_bytes(content)), content.size()};
}

std::vector<TreeItem> many_files(std::size_t count) {
    std::vector<TreeItem> items;
    for (std::size_t i = 0; i < count; ++i) {
        const std::string name = "frame-" + std::to_string(1000000 + i) + ".npy";
        items.push_back(file(name, name));
    }
    return items;
}

// The nodes of some trees, loaded by id as a store would.
class Nodes {
public:
    void add(const EncodedTree& tree) {
        for (const EncodedTreeNode& node : tree.nodes) nodes_[node.id] = node.bytes;
    }
    TreeId add_bytes(Bytes bytes) {
        const TreeId id{sha256_of("tributary/1/tree", bytes)};
        nodes_[id] = std::move(bytes);
        return id;
    }
    LoadTreeNode loader() const {
        return [this](const TreeId& id) -> Result<Bytes> {
            const auto found = nodes_.find(id);
            if (found == nodes_.end()) return fail(Errc::not_found, id.text());
            return found->second;
        };
    }

private:
    std::map<TreeId, Bytes> nodes_;
};

Bytes one_item_node(std::uint8_t type, std::string_view name, const Digest& target) {
    Bytes bytes;
    ByteWriter writer(bytes);
    writer.put(std::uint8_t{1});
    writer.put(std::uint8_t{0});
    writer.put(std::uint32_t{1});
    writer.put(type);
    writer.put_short_text(name);
    target.put(writer);
    writer.put(std::uint64_t{5});
    return bytes;
}

std::set<TreeId> ids_of(const EncodedTree& tree) {
    std::set<TreeId> ids;
    for (const EncodedTreeNode& node : tree.nodes) ids.insert(node.id);
    return ids;
}

TEST(TreeName, IsOneComponentOfAPath) {
    for (const std::string name : {"a", "...", ".hidden", "with space", "\xff"})
        EXPECT_TRUE(valid_tree_name(name)) << name;
    for (const std::string name : {"", ".", "..", "a/b", "/"})
        EXPECT_FALSE(valid_tree_name(name)) << name;
    EXPECT_FALSE(valid_tree_name(std::string_view("a\0b", 3)));
    EXPECT_TRUE(valid_tree_name(std::string(255, 'a')));
    EXPECT_FALSE(valid_tree_name(std::string(256, 'a')));
}

TEST(Tree, ReadsBackWhatWasWritten) {
    const std::vector<TreeItem> items = {file("B", "1"), file("a", "22", Type::executable),
                                         file("b", "333")};
    const auto tree = encode_tree({items[2], items[0], items[1]});
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->nodes.size(), 1u);
    EXPECT_EQ(tree->size, 6u);
    Nodes nodes;
    nodes.add(*tree);
    EXPECT_EQ(read_tree(tree->id, nodes.loader()), items);
}

TEST(Tree, AnEmptyDirectoryIsANodeToo) {
    const auto tree = encode_tree({});
    ASSERT_TRUE(tree);
    EXPECT_EQ(tree->nodes.front().bytes, Bytes({1, 0, 0, 0, 0, 0}));
    EXPECT_TRUE(parse_tree_node(tree->nodes.front().bytes));
}

TEST(Tree, RefusesItemsThatCannotStandInADirectory) {
    EXPECT_EQ(encode_tree({file("a", "1"), file("a", "2")}).error().code, Errc::invalid);
    EXPECT_EQ(encode_tree({file("..", "1")}).error().code, Errc::invalid);
    TreeItem nothing = file("a", "1");
    nothing.target = {};
    EXPECT_EQ(encode_tree({nothing}).error().code, Errc::invalid);
    TreeItem huge = file("b", "1");
    huge.size = UINT64_MAX;
    EXPECT_EQ(encode_tree({file("a", "1"), huge}).error().code, Errc::invalid);
}

TEST(Tree, RefusesEveryOtherFormOfANode) {
    const Digest target = sha256({});
    const Bytes good = one_item_node(1, "name", target);
    ASSERT_TRUE(parse_tree_node(good));
    const auto expect_corrupt = [](const Bytes& bytes, const char* why) {
        const auto node = parse_tree_node(bytes);
        ASSERT_FALSE(node) << why;
        EXPECT_EQ(node.error().code, Errc::corrupt) << why;
    };
    for (std::size_t length = 0; length < good.size(); ++length)
        expect_corrupt(Bytes(good.begin(), good.begin() + static_cast<std::ptrdiff_t>(length)),
                       "cut short");
    Bytes bytes = good;
    bytes.push_back(0);
    expect_corrupt(bytes, "trailing byte");
    bytes = good;
    bytes[0] = 2;
    expect_corrupt(bytes, "form");
    bytes = good;
    bytes[1] = 33;
    expect_corrupt(bytes, "level");
    bytes = good;
    bytes[2] = 2;
    expect_corrupt(bytes, "count");
    bytes[5] = 0xff;
    expect_corrupt(bytes, "a count that no memory holds");
    expect_corrupt(one_item_node(0, "name", target), "type 0");
    expect_corrupt(one_item_node(4, "name", target), "type 4");
    expect_corrupt(one_item_node(1, "", target), "no name");
    expect_corrupt(one_item_node(1, "..", target), "the directory above");
    expect_corrupt(one_item_node(1, "a/b", target), "a path");
    expect_corrupt(one_item_node(1, std::string(256, 'a'), target), "a long name");
    expect_corrupt(one_item_node(1, "name", Digest{}), "no target");
    expect_corrupt({1, 1, 0, 0, 0, 0}, "an inner node of nothing");
    bytes = good;
    bytes[13] = 0;  // "none" before a digest
    expect_corrupt(bytes, "none spelled otherwise");
}

TEST(Tree, RefusesNamesOutOfOrder) {
    const auto tree = encode_tree({file("a", "1"), file("b", "2")});
    Bytes bytes = tree->nodes.front().bytes;
    const std::size_t item = 1 + 2 + 1 + 33 + 8;
    std::swap_ranges(bytes.begin() + 6, bytes.begin() + 6 + item, bytes.begin() + 6 + item);
    EXPECT_FALSE(parse_tree_node(bytes));
    std::copy_n(bytes.begin() + 6, item, bytes.begin() + 6 + item);  // twice the same
    EXPECT_FALSE(parse_tree_node(bytes));
}

TEST(SplitTree, ReadsBackWhatWasWritten) {
    const std::vector<TreeItem> items = many_files(20000);
    const auto tree = encode_tree(items);
    ASSERT_TRUE(tree);
    EXPECT_GT(tree->nodes.size(), 5u);
    for (const EncodedTreeNode& node : tree->nodes)
        ASSERT_LE(node.bytes.size(), limits::kTreeNodeBytesMax);
    Nodes nodes;
    nodes.add(*tree);
    EXPECT_EQ(read_tree(tree->id, nodes.loader()), items);
}

TEST(SplitTree, ItsShapeDoesNotDependOnTheOrderOfInsertion) {
    std::vector<TreeItem> items = many_files(20000);
    const TreeId id = encode_tree(items)->id;
    std::shuffle(items.begin(), items.end(), std::mt19937(7));
    EXPECT_EQ(encode_tree(items)->id, id);
}

TEST(SplitTree, OneChangeInAHundredThousandNamesRewritesAFewNodes) {
    const std::vector<TreeItem> items = many_files(100000);
    const auto before = encode_tree(items);
    ASSERT_TRUE(before);
    ASSERT_GT(before->nodes.size(), 50u);
    const std::set<TreeId> known = ids_of(*before);
    std::mt19937 random(11);
    for (int round = 0; round < 3; ++round) {
        std::vector<TreeItem> changed = items;
        const std::size_t at = random() % items.size();
        const auto place = changed.begin() + static_cast<std::ptrdiff_t>(at);
        if (round == 0) place->target = sha256(as_bytes("another content"));
        if (round == 1) changed.erase(place);
        if (round == 2) changed.push_back(file(items[at].name + "b", "inserted"));
        const auto after = encode_tree(changed);
        const auto is_new = [&](const EncodedTreeNode& node) { return !known.contains(node.id); };
        // the leaf, at worst its neighbour, and the path to the root
        EXPECT_LE(std::ranges::count_if(after->nodes, is_new), 4) << "round " << round;
    }
}

TEST(SplitTree, NodesOfTheLongestNamesStayWithinTheLimit) {
    std::vector<TreeItem> items;
    for (std::size_t i = 0; i < 5000; ++i)
        items.push_back(file(std::to_string(100000 + i) + std::string(249, 'n'), "x"));
    const auto tree = encode_tree(items);
    for (const EncodedTreeNode& node : tree->nodes) {
        ASSERT_LE(node.bytes.size(), limits::kTreeNodeBytesMax);
        ASSERT_TRUE(parse_tree_node(node.bytes));
    }
    Nodes nodes;
    nodes.add(*tree);
    EXPECT_EQ(read_tree(tree->id, nodes.loader()), items);
}

TEST(SplitTree, AnotherSplitOfTheSameNamesIsRefused) {
    // one small directory, wrongly put under an inner node
    const auto tree = encode_tree({file("a", "1"), file("b", "2")});
    Nodes nodes;
    nodes.add(*tree);
    Bytes inner = {1, 1, 1, 0, 0, 0};
    ByteWriter writer(inner);
    writer.put_short_text("a");
    tree->id.digest.put(writer);
    writer.put(std::uint64_t{2});
    ASSERT_TRUE(parse_tree_node(inner));
    const auto read = read_tree(nodes.add_bytes(inner), nodes.loader());
    ASSERT_FALSE(read);
    EXPECT_EQ(read.error().code, Errc::corrupt);
}

TEST(WalkTree, VisitsEveryFileAndEveryEmptyDirectoryWithItsPath) {
    Nodes nodes;
    const auto empty = encode_tree({});
    nodes.add(*empty);
    const auto below = encode_tree(
        {file("x", "1"), file("y", "22"), {Type::tree, "nothing", empty->id.digest, 0}});
    nodes.add(*below);
    const auto root = encode_tree({file("z", "333"), {Type::tree, "d", below->id.digest, 3}});
    nodes.add(*root);
    std::vector<std::string> paths;
    const auto visit = [&](const std::string& path, const TreeItem&) -> Status {
        paths.push_back(path);
        return {};
    };
    ASSERT_TRUE(walk_tree(root->id, nodes.loader(), visit));
    EXPECT_EQ(paths, (std::vector<std::string>{"d/nothing", "d/x", "d/y", "z"}));
}

TEST(WalkTree, RefusesADirectoryThatLiesAboutItsSize) {
    Nodes nodes;
    const auto below = encode_tree({file("x", "1")});
    nodes.add(*below);
    const auto root = encode_tree({{Type::tree, "d", below->id.digest, 2}});
    nodes.add(*root);
    const auto status = walk_tree(root->id, nodes.loader(),
                                  [](const std::string&, const TreeItem&) { return Status{}; });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::corrupt);
}

TEST(WalkTree, BoundsTheDepth) {
    Nodes nodes;
    auto tree = encode_tree({});
    for (std::size_t depth = 0; depth < 80; ++depth) {
        nodes.add(*tree);
        tree = encode_tree({{Type::tree, "d", tree->id.digest, 0}});
    }
    nodes.add(*tree);
    EXPECT_FALSE(walk_tree(tree->id, nodes.loader(),
                           [](const std::string&, const TreeItem&) { return Status{}; }));
}

TEST(WalkTree, GivesUpAfterAsManyPathsAsItMayVisit) {
    Nodes nodes;
    const EncodedTree doubled = test::doubled_tree(60);
    nodes.add(doubled);
    const auto status = walk_tree(
        doubled.id, test::at_most(10'000, nodes.loader()),
        [](const std::string&, const TreeItem&) { return Status{}; }, 1000);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::exhausted);
}

TEST(WalkTree, VisitsExactlyAsManyPathsAsItMay) {
    Nodes nodes;
    const auto tree = encode_tree(many_files(100));
    nodes.add(*tree);
    const auto visit = [](const std::string&, const TreeItem&) { return Status{}; };
    EXPECT_TRUE(walk_tree(tree->id, nodes.loader(), visit, 100));
    EXPECT_FALSE(walk_tree(tree->id, nodes.loader(), visit, 99));
}

class FindFile : public testing::Test {
protected:
    FindFile() {
        const auto below = encode_tree(many_files(20'000));
        nodes.add(*below);
        const auto root =
            encode_tree({file("z", "333"), {Type::tree, "d", below->id.digest, below->size}});
        nodes.add(*root);
        id = root->id;
    }
    std::optional<TreeItem> find(std::string_view path) {
        return find_file(id, path, test::at_most(5, nodes.loader())).value();
    }
    Nodes nodes;
    TreeId id;
};

TEST_F(FindFile, AnswersTheFileAtItsPath) {
    EXPECT_EQ(find("z"), file("z", "333"));
    const std::vector<TreeItem> all = many_files(20'000);
    for (std::size_t i = 0; i < all.size(); i += 97) ASSERT_EQ(find("d/" + all[i].name), all[i]);
}

TEST_F(FindFile, AnswersNothingWhereNoFileIs) {
    for (const char* path : {"", "/", "d", "d/", "d/x", "d/a", "z/", "z/x", "x", "/z", "d//z"})
        EXPECT_EQ(find(path), std::nullopt) << path;
}

// Its author made it so that the walk turns in circles of ever new nodes.
TEST_F(FindFile, RefusesNodesThatStandAtAWrongLevel) {
    Bytes inner = {1, 2, 1, 0, 0, 0};
    ByteWriter writer(inner);
    writer.put_short_text("z");
    id.digest.put(writer);
    writer.put(std::uint64_t{2});
    const auto found = find_file(nodes.add_bytes(inner), "z", nodes.loader());
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tributary
