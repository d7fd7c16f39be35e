#include "common/lineage/overlay.h"

#include "tests/unit/lineage/world.h"

namespace tributary::lineage {
namespace {

using Items = std::map<std::string, std::optional<TreeItem>>;

TEST(Overlay, PutsOtherFilesInTheirPlacesAndLeavesTheRest) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}, {"d-x", "1"}, {"d/a", "1"}, {"d/e/b", "1"}});
    const TreeId other = world.tree({{"new", "2"}, {"folder/x", "3"}});
    const auto from = [&](const std::string& path) {
        return find_item(other, path, world.load_node()).value();
    };

    const EncodedTree made = overlay(tree,
                                     {{"a", std::nullopt},
                                      {"d/a", from("new")},
                                      {"d/e/b", std::nullopt},
                                      {"f/g/h", from("folder/x")},
                                      {"whole", from("folder")}},
                                     world.load_node())
                                 .value();
    const VersionId version = world.commit_tree(made);

    EXPECT_EQ(world.files(version),
              (FilesOf{{"d-x", "1"}, {"d/a", "2"}, {"f/g/h", "3"}, {"whole/x", "3"}}));
    EXPECT_EQ(made.id, world.tree(world.files(version)));  // the one form of that content
}

TEST(Overlay, OfNothingIsTheTreeItself) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}, {"d/a", "1"}});
    EXPECT_EQ(overlay(tree, {}, world.load_node()).value().id, tree);
}

TEST(Overlay, MayLeaveNothing) {
    World world;
    const TreeId tree = world.tree({{"d/a", "1"}});
    EXPECT_EQ(overlay(tree, {{"d/a", std::nullopt}}, world.load_node()).value().id, world.tree({}));
}

TEST(Overlay, DoesNotLeadThroughAFile) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}});
    const auto item = find_item(tree, "a", world.load_node()).value();
    const auto made = overlay(tree, Items{{"a/b", item}}, world.load_node());
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid);
}

TEST(FindItem, KnowsFilesFoldersAndNothing) {
    World world;
    const TreeId tree = world.tree({{"a", "1"}, {"d/e/b", "22"}});
    const auto find = [&](const std::string& path) {
        return find_item(tree, path, world.load_node()).value();
    };
    EXPECT_EQ(find("d/e/b")->size, 2u);
    EXPECT_TRUE(find("d/e")->is_tree());
    EXPECT_FALSE(find("d/x"));
    EXPECT_FALSE(find("a/b"));
}

}  // namespace
}  // namespace tributary::lineage
