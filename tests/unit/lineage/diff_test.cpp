#include "common/lineage/diff.h"

#include <gtest/gtest.h>

#include "common/record/record.h"
#include "tests/support/doubled_tree.h"
#include "tests/unit/lineage/world.h"

namespace tributary::lineage {
namespace {

std::vector<Change> diff(World& world, const TreeId& a, const TreeId& b) {
    std::vector<Change> changes;
    const Status status = diff_trees(a, b, world.load_node(), [&](const Change& change) {
        changes.push_back(change);
        return Status{};
    });
    EXPECT_TRUE(status) << status.error().what;
    return changes;
}

std::vector<std::string> lines(const std::vector<Change>& changes) {
    std::vector<std::string> lines;
    for (const Change& change : changes)
        lines.push_back(std::string(name_of(change.kind)) + " " + change.path);
    return lines;
}

FilesOf many_files() {
    FilesOf files;
    for (int i = 0; i < 8000; ++i)
        files["sample-" + std::string(60, 'x') + std::to_string(i)] = "content";
    return files;
}

TEST(TreeDiff, NamesEachKindOfChangeInTreeOrder) {
    World world;
    const TreeId before = world.tree({{"a", "1"}, {"b/c", "1"}, {"b/d", "1"}, {"run", "1"}});
    const TreeId after = world.tree({{"a", "2"}, {"b/c", "1"}, {"b/e", "1"}, {"run", "1*"}});
    EXPECT_EQ(lines(diff(world, before, after)),
              (std::vector<std::string>{"changed a", "removed b/d", "added b/e", "mode run"}));
}

TEST(TreeDiff, ShowsAFileThatBecameADirectoryAsRemovedAndAdded) {
    World world;
    const auto changes =
        diff(world, world.tree({{"x", "1"}}), world.tree({{"x/y", "1"}, {"x/z", "1"}}));
    EXPECT_EQ(lines(changes), (std::vector<std::string>{"removed x", "added x/y", "added x/z"}));
}

TEST(TreeDiff, AgainstNothingIsEveryFile) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}, {"b/c", "1"}});
    EXPECT_EQ(lines(diff(world, {}, tree)), (std::vector<std::string>{"added a", "added b/c"}));
    EXPECT_EQ(lines(diff(world, tree, {})), (std::vector<std::string>{"removed a", "removed b/c"}));
}

TEST(TreeDiff, ReadsNothingOfEqualTrees) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}});
    world.nodes_loaded = 0;
    EXPECT_TRUE(diff(world, tree, tree).empty());
    EXPECT_EQ(world.nodes_loaded, 0u);
}

TEST(TreeDiff, DoesNotReadEqualSubtrees) {
    World world;
    FilesOf files{{"changes", "1"}};
    for (char d = 'a'; d <= 'z'; ++d) files[std::string(1, d) + "/deep/file"] = "1";
    const TreeId before = world.tree(files);
    files["changes"] = "2";
    const TreeId after = world.tree(files);
    world.nodes_loaded = 0;
    EXPECT_EQ(diff(world, before, after).size(), 1u);
    EXPECT_EQ(world.nodes_loaded, 2u);  // the two roots
}

TEST(TreeDiff, ReadsFewNodesOfADirectoryThatIsSplit) {
    World world;
    FilesOf files = many_files();
    const TreeId before = world.tree(files);
    files.begin()->second = "other";
    files.erase(std::prev(files.end()));
    const TreeId after = world.tree(files);
    ASSERT_GT(parse_tree_node(*world.load_node()(before))->level, 0);
    world.nodes_loaded = 0;
    EXPECT_EQ(diff(world, before, after).size(), 2u);
    EXPECT_LE(world.nodes_loaded, 6u);  // two roots, and the first and last node of each
}

TEST(TreeDiff, ComparesAWholeDirectoryWithOneThatIsSplit) {
    World world;
    FilesOf files = many_files();
    const TreeId split = world.tree(files);
    files.erase(std::next(files.begin(), 3), files.end());
    EXPECT_EQ(diff(world, split, world.tree(files)).size(), 8000u - 3);
}

TEST(TreeDiff, AppliedToOneTreeGivesTheOther) {
    std::mt19937 random(4711);
    for (int round = 0; round < 300; ++round) {
        World world;
        const FilesOf a = random_files(random);
        const FilesOf b = random_files(random, random() % 2 == 0 ? a : FilesOf{});
        const TreeId tree_b = world.tree(b);
        FilesOf applied = a;
        const FilesOf all_b = world.files(tree_b);
        for (const Change& change : diff(world, world.tree(a), tree_b)) {
            if (change.before) {
                EXPECT_EQ(applied.erase(change.path), 1u);
            }
            if (change.after) applied[change.path] = all_b.at(change.path);
        }
        EXPECT_EQ(applied, b) << "round " << round;
    }
}

TEST(TreeDiff, ReportsAMissingNode) {
    World world;
    TreeId unknown;
    unknown.digest.bytes[5] = 1;
    const Status status = diff_trees(unknown, world.tree({{"a", "1"}}), world.load_node(),
                                     [](const Change&) { return Status{}; });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::not_found);
}

// A node that names one node twice, level upon level, stands for 2^32 of them.
TEST(TreeDiff, RefusesATreeThatDoesNotFitTheNodesBelowIt) {
    World world;
    const TreeId other = world.tree({{"a", "1"}});
    std::map<TreeId, Bytes> nodes;
    TreeId top = world.tree({{"b", "1"}});
    for (std::uint8_t level = 1; level <= 24; ++level) {
        Bytes node;
        ByteWriter out(node);
        out.put(std::uint8_t{1});
        out.put(level);
        out.put(std::uint32_t{2});
        for (const char* name : {"b", "c"}) {
            out.put_short_text(name);
            top.digest.put(out);
            out.put(std::uint64_t{1});
        }
        top = TreeId{name_of_plain(RecordKind::tree, node)};
        nodes[top] = node;
    }
    const LoadTreeNode load = [&](const TreeId& id) -> Result<Bytes> {
        const auto found = nodes.find(id);
        return found != nodes.end() ? Result<Bytes>(found->second) : world.load_node()(id);
    };
    const Status status = diff_trees(other, top, load, [](const Change&) { return Status{}; });
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::corrupt);
}

Status diff_at_most(World& world, const VersionId& a, const VersionId& b, std::uint64_t names_max) {
    const LoadTreeNode load = test::at_most(10'000, world.load_node());
    return diff_trees(
        world.tree_of(a), world.tree_of(b), load, [](const Change&) { return Status{}; },
        names_max);
}

TEST(TreeDiff, GivesUpOnDirectoriesThatStandInMorePlacesThanThereIsTimeFor) {
    World world;
    const VersionId a = world.commit_tree(test::doubled_tree(60, "f"));
    const VersionId b = world.commit_tree(test::doubled_tree(60, "g"));
    const VersionId nothing = world.commit(FilesOf{});
    for (const VersionId& before : {a, nothing}) {
        const Status status = diff_at_most(world, before, b, 1000);
        ASSERT_FALSE(status);
        EXPECT_EQ(status.error().code, Errc::exhausted);
    }
}

// One file differs in each place, but it takes all names of the directory to see that.
TEST(TreeDiff, CountsTheNamesItLooksAtNotThoseThatDiffer) {
    World world;
    FilesOf files;
    for (int i = 0; i < 500; ++i) files[std::to_string(i)] = "same";
    const VersionId a = world.commit(files);
    files["0"] = "other";
    const VersionId b = world.commit(files);
    EXPECT_TRUE(diff_at_most(world, a, b, 1000));
    EXPECT_FALSE(diff_at_most(world, a, b, 999));
}

TEST(TreeDiff, PassesOverWhatIsEqualHoweverOftenItStandsThere) {
    World world;
    EncodedTree tree = test::doubled_tree(60);
    const TreeItem doubled{TreeItem::Type::tree, "d", tree.id.digest, 0};
    const VersionId a = world.commit_tree(tree);
    const auto beside = [&](std::string_view content) {
        return world.commit_tree(*encode_tree(
            {doubled, {TreeItem::Type::file, "x", sha256(as_bytes(content)), content.size()}}));
    };
    EXPECT_TRUE(diff_at_most(world, a, a, 0));
    EXPECT_TRUE(diff_at_most(world, beside("1"), beside("2"), 4));
}

}  // namespace
}  // namespace tributary::lineage
