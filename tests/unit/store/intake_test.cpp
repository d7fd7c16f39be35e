// What a store takes from a peer that may lie.
#include <gtest/gtest.h>

#include "tests/support/doubled_tree.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::Random;
using test::StoreMachine;

Bytes frame_of(RecordKind kind, const Digest& name, ByteView plain) {
    RecordHeader header;
    header.kind = kind;
    header.name = name;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(plain.size());
    Bytes frame;
    append_record(frame, header, plain);
    return frame;
}

class IntakeOfARecipe : public testing::Test {
protected:
    IntakeOfARecipe() {
        for (const Bytes* part : {&first, &second}) {
            blob.insert(blob.end(), part->begin(), part->end());
            recipe.pieces.push_back(
                {PieceId{sha256(*part)}, static_cast<std::uint32_t>(part->size())});
        }
        recipe.blob_bytes = blob.size();
        name = sha256(blob);
    }
    void take_piece(const Bytes& plain) {
        ASSERT_TRUE(store->stage_record(frame_of(RecordKind::piece, sha256(plain), plain)));
    }
    Status take_recipe() {
        return store->stage_record(
            frame_of(RecordKind::recipe, name, encode_recipe(recipe).value()));
    }
    bool held() { return store->has({RecordKind::recipe, name}); }

    StoreMachine machine;
    std::unique_ptr<Store> store = machine.open().value();
    const Bytes first = Random(1).bytes(3000), second = Random(2).bytes(5000);
    Bytes blob;
    Recipe recipe;
    Digest name;
};

TEST_F(IntakeOfARecipe, KeepsOneWhosePiecesMakeUpItsBlob) {
    take_piece(first);
    take_piece(second);
    EXPECT_TRUE(take_recipe());
    EXPECT_TRUE(held());
}

TEST_F(IntakeOfARecipe, RefusesOneThatWouldSpoilTheBlobOfAnother) {
    take_piece(first);
    take_piece(second);
    std::swap(recipe.pieces[0], recipe.pieces[1]);

    const Status taken = take_recipe();

    ASSERT_FALSE(taken);
    EXPECT_EQ(taken.error().code, Errc::corrupt);
    EXPECT_FALSE(held());
}

TEST_F(IntakeOfARecipe, DoesNotKeepOneThatItCannotCheck) {
    take_piece(first);
    EXPECT_TRUE(take_recipe());
    EXPECT_FALSE(held());
}

// ---- checked by another thread ----

TEST_F(IntakeOfARecipe, IsTheSameInThreeSteps) {
    for (const bool in_ram : {false, true}) {
        store.reset();
        StoreMachine fresh;
        if (in_ram) fresh.options.segment_bytes = limits::kSegmentBytesHub;
        store = fresh.open().value();
        const auto take = [&](RecordKind kind, const Digest& key, const Bytes& plain) {
            const Bytes frame = frame_of(kind, key, plain);
            IncomingRecord record = store->receive(frame, IfHeld::skip).value();
            record.check();
            return store->stage(std::move(record));
        };
        EXPECT_TRUE(take(RecordKind::piece, sha256(first), first));
        EXPECT_FALSE(take(RecordKind::piece, sha256(second), first));
        EXPECT_TRUE(take(RecordKind::piece, sha256(second), second));
        Recipe lying = recipe;
        std::swap(lying.pieces[0], lying.pieces[1]);
        const Status spoilt = take(RecordKind::recipe, name, encode_recipe(lying).value());
        EXPECT_EQ(spoilt.error().code, Errc::corrupt);
        EXPECT_FALSE(held());
        EXPECT_TRUE(take(RecordKind::recipe, name, encode_recipe(recipe).value()));
        EXPECT_TRUE(held());
        store.reset();
    }
}

TEST_F(IntakeOfARecipe, TakesWhatAnotherBroughtMeanwhile) {
    const Bytes frame = frame_of(RecordKind::piece, sha256(first), first);
    IncomingRecord one = store->receive(frame, IfHeld::skip).value();
    IncomingRecord other = store->receive(frame, IfHeld::skip).value();
    one.check();
    other.check();
    EXPECT_TRUE(store->stage(std::move(one)));
    EXPECT_TRUE(store->stage(std::move(other)));
    EXPECT_TRUE(store->commit());
    EXPECT_EQ(store->read_plain({RecordKind::piece, sha256(first)}).value(), first);
}

TEST_F(IntakeOfARecipe, ComparesAFileWithItsRecipeFromWhatIsInRam) {
    machine.options.segment_bytes = limits::kSegmentBytesHub;
    store.reset();
    store = machine.open().value();
    take_piece(first);
    take_piece(second);
    ASSERT_TRUE(store->commit());
    const Bytes frame = frame_of(RecordKind::recipe, name, encode_recipe(recipe).value());
    const std::uint64_t before = machine.files.counters().read_bytes;
    IncomingRecord record = store->receive(frame, IfHeld::skip).value();
    record.check();
    store->abandon();  // which forgets them: from here on they would have to be read
    EXPECT_TRUE(store->stage(std::move(record)));
    EXPECT_EQ(machine.files.counters().read_bytes, before);
    EXPECT_TRUE(held());
}

// ---- in turns ----

TEST_F(IntakeOfARecipe, IsLookedAtAFewPiecesAtATime) {
    take_piece(first);
    take_piece(second);
    const Bytes frame = frame_of(RecordKind::recipe, name, encode_recipe(recipe).value());
    IncomingRecord record = store->receive(frame, IfHeld::skip).value();
    record.check();
    EXPECT_FALSE(store->look_at_pieces(record, 1));
    EXPECT_FALSE(store->look_at_pieces(record, 1));
    EXPECT_TRUE(store->look_at_pieces(record, 1)) << "the blob that they make up";
    EXPECT_TRUE(store->stage(std::move(record)));
    EXPECT_TRUE(held());
}

TEST_F(IntakeOfARecipe, IsLookedAtAFewBytesAtATime) {
    recipe = {};
    Sha256 all;
    for (std::uint64_t i = 0; i < 4; ++i) {
        const Bytes part = Random(10 + i).bytes(Store::kBatchBytes / 2);
        take_piece(part);
        all.update(part);
        recipe.pieces.push_back({PieceId{sha256(part)}, static_cast<std::uint32_t>(part.size())});
        recipe.blob_bytes += part.size();
    }
    name = all.finish();
    const Bytes frame = frame_of(RecordKind::recipe, name, encode_recipe(recipe).value());
    IncomingRecord record = store->receive(frame, IfHeld::skip).value();
    record.check();
    EXPECT_FALSE(store->look_at_pieces(record, 100));
    EXPECT_FALSE(store->look_at_pieces(record, 100));
    EXPECT_TRUE(store->look_at_pieces(record, 100));
    EXPECT_TRUE(store->stage(std::move(record)));
    EXPECT_TRUE(held());
}

TEST_F(IntakeOfARecipe, IsLookedAtAnewWhenItsPiecesMayBeGoneMeanwhile) {
    take_piece(first);
    take_piece(second);
    const Bytes frame = frame_of(RecordKind::recipe, name, encode_recipe(recipe).value());
    IncomingRecord record = store->receive(frame, IfHeld::skip).value();
    record.check();
    while (!store->look_at_pieces(record, 1)) {
    }
    store->abandon();
    EXPECT_TRUE(store->stage(std::move(record)));
    EXPECT_FALSE(held());
}

TEST(Intake, FindsDamageOnTheDiskUnderWhatIsInRam) {
    StoreMachine machine;
    machine.options.segment_bytes = limits::kSegmentBytesHub;
    const auto store = machine.open().value();
    const Bytes plain = encode_tree({}).value().nodes.at(0).bytes;
    const RecordKey key{RecordKind::tree, name_of_plain(RecordKind::tree, plain)};
    const Bytes frame = frame_of(key.kind, key.name, plain);
    ASSERT_TRUE(store->stage_record(frame));
    ASSERT_TRUE(store->commit());
    ASSERT_TRUE(store->check(true).value().empty());
    ASSERT_TRUE(store->read_plain(key));

    const std::string segment = "/data/store/segments/000001.seg";
    const Bytes all = read_file(machine.files, segment, 1 << 20).value();
    const auto at = std::search(all.begin(), all.end(), frame.begin(), frame.end()) - all.begin();
    machine.files.flip_bit(segment, (static_cast<std::uint64_t>(at) + frame.size() - 6) * 8);
    EXPECT_FALSE(store->check(true).value().empty());
}

TEST(Intake, ShowsNothingThatWasGivenUpFromRam) {
    StoreMachine machine;
    machine.options.segment_bytes = limits::kSegmentBytesHub;
    const auto store = machine.open().value();
    const Bytes plain = encode_tree({}).value().nodes.at(0).bytes;
    const RecordKey key{RecordKind::tree, name_of_plain(RecordKind::tree, plain)};
    ASSERT_TRUE(store->stage_record(frame_of(key.kind, key.name, plain)));
    EXPECT_EQ(store->read_plain(key).value(), plain);
    store->abandon();
    EXPECT_EQ(store->read_plain(key).error().code, Errc::not_found);
}

TEST(Intake, DoesNotPileUpObjectsWhileTheDiskIsFull) {
    StoreMachine machine;
    const auto store = machine.open().value();
    machine.files.set_capacity(1);
    std::uint64_t refused = 0;
    for (std::uint64_t i = 0; i < 8; ++i) {
        const Bytes plain = Random(i).bytes(limits::kPieceBytesMax);
        const Digest name = sha256(plain);
        const bool taken =
            store->stage_record(frame_of(RecordKind::piece, name, plain)).has_value();
        refused += !taken && !store->has({RecordKind::piece, name}) ? 1u : 0u;
    }
    EXPECT_EQ(refused, 7u);
}

// Each directory names the next one twice: two to the sixtieth paths, sixty nodes.
TEST(Intake, GivesUpTheWalkOverATreeOfMorePathsThanThereIsTimeToVisit) {
    StoreMachine machine;
    const auto store = machine.open().value();
    const EncodedTree doubled = test::doubled_tree(60);
    for (const EncodedTreeNode& node : doubled.nodes)
        ASSERT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
    // One path after the other it would never end.
    const Status walked =
        walk_tree(doubled.id, test::at_most(2 * limits::kListPathsMax, tree_loader(*store)),
                  [](const std::string&, const TreeItem&) { return Status(); });
    ASSERT_FALSE(walked);
    EXPECT_EQ(walked.error().code, Errc::exhausted);
}

}  // namespace
}  // namespace tributary
