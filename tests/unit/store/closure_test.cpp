// What a version needs: every record once, each before what needs it, whatever its trees look like.
#include "common/store/closure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::commit_version;
using test::Random;
using test::stage_file;
using test::StoreMachine;

const std::string kRepo = "lab/model";

class Closure : public testing::Test {
protected:
    Closure() : store(*machine.open()) {}

    TreeItem folder(const std::string& name, const std::vector<TreeItem>& items) {
        const auto tree = encode_tree(items);
        for (const EncodedTreeNode& node : tree->nodes)
            EXPECT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
        return {TreeItem::Type::tree, name, tree->id.digest, tree->size};
    }
    VersionId commit(std::vector<TreeItem> items) {
        return *commit_version(*store, kRepo, "main", std::move(items));
    }
    std::vector<RecordKey> closure(const VersionId& version,
                                   const std::vector<VersionId>& covered = {}) {
        std::vector<RecordKey> keys;
        EXPECT_TRUE(closure_of(*store, version, covered, [&](const RecordKey& key) {
            keys.push_back(key);
            return Status();
        }));
        return keys;
    }

    StoreMachine machine;
    std::unique_ptr<Store> store;
};

TEST_F(Closure, HandsOutEachRecordBeforeWhatNeedsIt) {
    const Bytes plain = Random(1).bytes(40'000);  // three pieces
    const TreeItem file = *stage_file(*store, "w.bin", plain);
    const TreeItem data = folder("data", {file});
    const VersionId version = commit({data});

    const std::vector<RecordKey> keys = closure(version);

    ASSERT_EQ(keys.size(), 7U);
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(keys[i].kind, RecordKind::piece);
    EXPECT_EQ(keys[3], (RecordKey{RecordKind::recipe, file.target}));
    EXPECT_EQ(keys[4], (RecordKey{RecordKind::tree, data.target}));
    EXPECT_EQ(keys[5].kind, RecordKind::tree);
    EXPECT_EQ(keys[6], (RecordKey{RecordKind::version, version.digest}));
}

TEST_F(Closure, LeavesOutWhatACoveredVersionHasAtTheSamePlace) {
    const TreeItem kept = folder("kept", {*stage_file(*store, "a", Random(1).bytes(100))});
    const VersionId before = commit({kept, *stage_file(*store, "b", Random(2).bytes(100))});
    const TreeItem b = *stage_file(*store, "b", Random(3).bytes(100));
    const VersionId after = commit({kept, b});

    const std::vector<RecordKey> keys = closure(after, {before});

    ASSERT_EQ(keys.size(), 3U);  // the new b, the root, the version
    EXPECT_EQ(keys[0], (RecordKey{RecordKind::piece, b.target}));
}

// Sixty folders, each holding the one before it twice, stand for 2^60 files.
TEST_F(Closure, OfFoldersThatNameEachOtherTwiceEndsSoon) {
    TreeItem item = *stage_file(*store, "f", {});
    for (int depth = 0; depth < 60; ++depth) {
        TreeItem left = item, right = item;
        left.name = "left";
        right.name = "right";
        item = folder("folder", {left, right});
    }
    const VersionId version = commit({item});

    EXPECT_EQ(closure(version).size(), 62U);
    EXPECT_EQ(*first_missing(*store, version, {}), std::nullopt);
    EXPECT_THAT(*store->check(false), testing::IsEmpty());
}

// One piece can stand in a recipe, and the recipe in a folder, more often than there is time for.
TEST_F(Closure, HandsOutAFileOfManyPiecesOnce) {
    const TreeItem file = *stage_file(*store, "a", Random(1).bytes(40'000));  // three pieces
    TreeItem again = file;
    again.name = "b";
    EXPECT_EQ(closure(commit({file, again})).size(), 6U);
}

TEST_F(Closure, RefusesAFileThatHasAnotherLengthInAnotherPlace) {
    const TreeItem file = *stage_file(*store, "a", Random(1).bytes(40'000));
    TreeItem lying = file;
    lying.name = "b";
    lying.size += 1;
    const auto missing = first_missing(*store, commit({file, lying}), {});
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, Errc::corrupt);
}

// So that a version of any size is walked beside other work.
TEST_F(Closure, PairsFilesOfACoveredVersionBeforeTheirPiecesAreHandedOut) {
    Bytes large = Random(1).bytes(40'000), small = Random(2).bytes(500);
    const TreeItem same = *stage_file(*store, "same", Random(3).bytes(700));
    const VersionId before =
        commit({*stage_file(*store, "large", large), same, *stage_file(*store, "small", small)});
    large[100] ^= 1;
    small[100] ^= 1;
    const VersionId version =
        commit({*stage_file(*store, "large", large), same, *stage_file(*store, "small", small),
                *stage_file(*store, "without", Random(4).bytes(300))});
    ClosureWalk walk(*store, version, {before});
    std::set<PieceId> handed_out;
    std::vector<std::size_t> pairs;
    walk.on_pair([&](const Recipe& own, const Recipe& beside) {
        EXPECT_FALSE(handed_out.contains(own.pieces[0].id));
        EXPECT_NE(own.pieces[0].id, beside.pieces[0].id);
        EXPECT_EQ(own.pieces.back().id == beside.pieces.back().id, own.pieces.size() > 1);
        pairs.push_back(own.pieces.size());
    });
    EXPECT_TRUE(walk.step(SIZE_MAX,
                          [&](const RecordKey& key) {
                              handed_out.insert({key.name});
                              return Status();
                          })
                    .value());
    EXPECT_EQ(pairs, (std::vector<std::size_t>{3, 1}));
}

TEST_F(Closure, TakesNoMoreThanSoManyAtATime) {
    std::vector<TreeItem> items;
    for (std::uint64_t i = 0; i < 100; ++i)
        items.push_back(*stage_file(*store, std::to_string(i), Random(i + 1).bytes(100)));
    items.push_back(*stage_file(*store, "w", Random(200).bytes(100'000), {}, 1000));
    const VersionId version = commit(items);
    std::vector<RecordKey> keys;

    ClosureWalk walk(*store, version, {});
    for (bool done = false; !done;) {
        const std::size_t before = keys.size();
        done = *walk.step(7, [&](const RecordKey& key) {
            keys.push_back(key);
            return Status();
        });
        ASSERT_LE(keys.size() - before, 7U);
    }

    EXPECT_EQ(keys, closure(version));
    EXPECT_EQ(keys.size(), 203U);
}

}  // namespace
}  // namespace tributary
