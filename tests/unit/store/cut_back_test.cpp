// What a commit that failed had handed to the log is dropped from it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/must.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::Random;
using test::read_files;
using test::stage_file;
using test::StoreMachine;

const std::string kRepo = "lab/model";
const std::string kSegments = "/data/store/segments";

// With an index in a file, which must not miss what is dropped.
class CutBack : public testing::Test {
protected:
    CutBack() { machine.options.index_path = dir / "index.sqlite"; }

    std::unique_ptr<Store> open() {
        auto store = must(machine.open());
        EXPECT_THAT(store->recovery().damage, testing::IsEmpty());
        return store;
    }
    VersionId commit(Store& store, std::uint64_t seed, std::size_t bytes = 1000) {
        return must(
            commit_version(store, kRepo, "main", {must(stage_file(store, "w", of(seed, bytes)))}));
    }
    // Stages so much that `parts` of it go to the log.
    PieceId stage_parts(Store& store, std::uint64_t seed, std::size_t parts) {
        const Bytes plain = of(seed, parts * Store::kBatchBytes + 100'000);
        must(stage_file(store, "w", plain, {}, 256 * 1024));
        return PieceId{sha256(ByteView(plain).first(256 * 1024))};
    }
    static Bytes of(std::uint64_t seed, std::size_t bytes) { return Random(seed).bytes(bytes); }
    // All bytes of the log.
    std::map<std::string, Bytes> segments() {
        std::map<std::string, Bytes> all;
        for (const std::string& name : must(machine.files.list(kSegments)))
            all[name] = must(read_file(machine.files, join_path(kSegments, name), 1 << 30));
        return all;
    }

    test::TempDir dir;
    StoreMachine machine;
};

TEST_F(CutBack, LeavesTheLogAsItWasBeforeAVersionThatWasGivenUp) {
    auto store = open();
    const VersionId id = commit(*store, 1);
    const auto before = segments();
    const PieceId piece = stage_parts(*store, 2, 3);
    ASSERT_GT(segments().at("000001.seg").size(), 3 * Store::kBatchBytes);

    store->abandon();

    EXPECT_EQ(segments(), before);
    EXPECT_FALSE(store->has({RecordKind::piece, piece.digest}));
    const VersionId next = commit(*store, 3);
    store.reset();
    store = open();
    EXPECT_FALSE(store->recovery().index_rebuilt);
    EXPECT_EQ(must(read_files(*store, id)), of(1, 1000));
    EXPECT_EQ(must(read_files(*store, next)), of(3, 1000));
    EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
}

TEST_F(CutBack, OpensTheSegmentAgainThatWasSealedOnTheWay) {
    machine.options.segment_bytes = 2 * Store::kBatchBytes;
    auto store = open();
    for (std::uint64_t seed = 1; seed < 8; ++seed) commit(*store, seed, 500'000);
    const auto before = segments();
    stage_parts(*store, 20, 7);
    ASSERT_GE(segments().size(), before.size() + 3);

    store->abandon();

    EXPECT_EQ(segments(), before);
    store.reset();
    store = open();
    EXPECT_EQ(segments(), before);
    EXPECT_FALSE(store->recovery().index_rebuilt);
    EXPECT_EQ(must(store->versions(kRepo, 100)).size(), 7U);
    for (std::uint64_t seed = 30; seed < 38; ++seed) commit(*store, seed, 500'000);
    store.reset();
    store = open();
    EXPECT_EQ(must(store->versions(kRepo, 100)).size(), 15U);
    EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
}

// Else what is appended next could meet the old bytes again.
TEST_F(CutBack, IsDurableBeforeAnythingElseIsAppended) {
    for (std::uint64_t seed = 0; seed < 8; ++seed) {
        auto store = open();
        commit(*store, seed);
        const auto before = segments();
        stage_parts(*store, 20 + seed, 1);

        store->abandon();

        machine.files.crash(seed);
        store.reset();
        machine.files.restart();
        EXPECT_EQ(segments(), before);
    }
}

TEST_F(CutBack, LeavesNoSegmentWhereNoneWas) {
    auto store = open();
    stage_parts(*store, 2, 2);
    ASSERT_EQ(segments().size(), 1U);

    store->abandon();

    EXPECT_THAT(segments(), testing::IsEmpty());
    const VersionId id = commit(*store, 3);
    store.reset();
    EXPECT_EQ(must(read_files(*open(), id)), of(3, 1000));
}

TEST_F(CutBack, KeepsWhatWasCommittedMeanwhile) {
    auto store = open();
    commit(*store, 1);
    const PieceId early = stage_parts(*store, 2, 2);
    const VersionId id = commit(*store, 3);  // another's, while the first one paused
    const auto before = segments();
    stage_parts(*store, 4, 2);

    store->abandon();

    EXPECT_EQ(segments(), before);
    EXPECT_TRUE(store->has({RecordKind::piece, early.digest}));
    EXPECT_EQ(must(read_files(*store, id)), of(3, 1000));
}

TEST_F(CutBack, KeepsWhatAPeerWasToldIsHere) {
    StoreMachine device(2);
    const auto from = must(device.open());
    const PieceId sent =
        must(from->stage_piece({.plain = of(9, 1000)}, std::nullopt, codec::Level::fast));
    auto store = open();
    commit(*store, 1);
    must(store->stage_record(must(from->read_record({RecordKind::piece, sent.digest}))));
    stage_parts(*store, 2, 2);  // and with it what came

    store->abandon();

    EXPECT_TRUE(store->has({RecordKind::piece, sent.digest}));
    // Later ones are dropped again.
    must(store->commit());
    const auto before = segments();
    stage_parts(*store, 3, 2);
    store->abandon();
    EXPECT_EQ(segments(), before);
}

TEST_F(CutBack, KeepsWhatWasCopiedToWinSpace) {
    machine.options.segment_bytes = 2 * Store::kBatchBytes;
    auto store = open();
    for (std::uint64_t seed = 1; seed < 8; ++seed) commit(*store, seed, 500'000);
    const auto rows = must(store->versions(kRepo, 100));
    for (std::uint64_t seed = 20; seed < 23; ++seed)  // one part, and no more is staged
        must(store->stage_piece({.plain = of(seed, 400'000)}, std::nullopt, codec::Level::fast));
    CompactionPlan plan;
    plan.evict = {rows[5].id, rows[6].id};
    const auto compaction = must(store->compact(plan));
    while (!must(compaction->step())) {
    }
    ASSERT_GT(compaction->report().segments_removed, 0U);

    store->abandon();

    EXPECT_EQ(must(read_files(*store, rows[4].id)), of(3, 500'000));
    EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
}

TEST_F(CutBack, GivesAFullDiskItsRoomBack) {
    auto store = open();
    commit(*store, 1);
    const auto before = segments();
    machine.files.set_capacity(3 * Store::kBatchBytes);
    const auto staged = stage_file(*store, "w", of(2, 5 * Store::kBatchBytes), {}, 256 * 1024);
    ASSERT_FALSE(staged);
    ASSERT_EQ(staged.error().code, Errc::exhausted);

    store->abandon();

    EXPECT_EQ(segments(), before);
    commit(*store, 3, 2 * Store::kBatchBytes);
}

}  // namespace
}  // namespace tributary
