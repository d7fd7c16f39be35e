// What a store promises while nothing goes wrong, and what it tells about itself.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/must.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"
#include "tests/unit/codec/samples.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::Random;
using test::read_files;
using test::stage_file;
using test::start_body;
using test::StoreMachine;

const std::string kRepo = "lab/model";

VersionId commit_bytes(Store& store, ByteView plain, ByteView before = {},
                       const std::string& branch = "main") {
    return must(
        commit_version(store, kRepo, branch, {must(stage_file(store, "w.bin", plain, before))}));
}

TEST(Store, GivesBackWhatWasCommitted) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const Bytes plain = Random(2).bytes(100'000);

    const VersionId id = commit_bytes(*store, plain);

    EXPECT_EQ(must(read_files(*store, id)), plain);
    EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
}

TEST(Store, GivesBackWhatWasCommittedAfterItIsOpenedAgain) {
    StoreMachine machine;
    const Bytes plain = Random(2).bytes(100'000);
    auto store = must(machine.open());
    const VersionId id = commit_bytes(*store, plain);
    const JournalHead head = store->head();
    store.reset();

    store = must(machine.open());

    EXPECT_EQ(must(read_files(*store, id)), plain);
    EXPECT_EQ(store->head().hash, head.hash);
    EXPECT_EQ(store->head().sequence, 2U);
    EXPECT_EQ(store->head().time, head.time);
    EXPECT_THAT(store->recovery().damage, testing::IsEmpty());
}

TEST(Store, AnIdenticalPieceCostsNothing) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const Bytes plain = Random(3).bytes(50'000);
    must(store->stage_piece({.plain = plain}, std::nullopt, codec::Level::fast));
    must(store->commit());
    const StoreCounters before = store->counters();

    must(store->stage_piece({.plain = plain}, std::nullopt, codec::Level::fast));
    must(store->commit());

    EXPECT_EQ(store->counters().stored_bytes, before.stored_bytes);
    EXPECT_EQ(store->counters().written_bytes, before.written_bytes);
}

TEST(Store, KeepsChainsAsShortAsItWasTold) {
    StoreMachine machine;
    machine.options.chain_depth_max = 3;
    const auto store = must(machine.open());
    Bytes plain = Random(4).bytes(20'000);
    PieceId id = must(store->stage_piece({.plain = plain}, std::nullopt, codec::Level::fast));
    std::vector<int> bases;
    for (std::uint8_t i = 0; i < 9; ++i) {
        plain[i * 100U] = static_cast<std::uint8_t>(plain[i * 100U] + 1);
        id = must(
            store->stage_piece({.plain = plain}, Store::PieceBase{id, {}}, codec::Level::standard));
        bases.push_back(must(store->read_header({RecordKind::piece, id.digest})).base_count);
        must(store->commit());
    }

    EXPECT_EQ(bases, (std::vector<int>{1, 1, 1, 0, 1, 1, 1, 0, 1}));
    EXPECT_EQ(must(store->read_plain({RecordKind::piece, id.digest})), plain);
}

TEST(Store, KnowsTheDepthOfAChainAfterItIsOpenedAgain) {
    StoreMachine machine;
    machine.options.chain_depth_max = 2;
    Bytes plain = Random(4).bytes(20'000);
    auto store = must(machine.open());
    PieceId id = must(store->stage_piece({.plain = plain}, std::nullopt, codec::Level::fast));
    std::vector<int> bases;
    for (std::uint8_t i = 0; i < 4; ++i) {
        must(store->commit());
        store.reset();
        store = must(machine.open());
        plain[i * 100U] = static_cast<std::uint8_t>(plain[i * 100U] + 1);
        id = must(
            store->stage_piece({.plain = plain}, Store::PieceBase{id, {}}, codec::Level::standard));
        bases.push_back(must(store->read_header({RecordKind::piece, id.digest})).base_count);
    }
    EXPECT_EQ(bases, (std::vector<int>{1, 1, 0, 1}));
}

// What level max makes of weights takes ten times as long to decode as what other levels do.
TEST(Store, KeepsTheLinksOfAChainFewThatAreSlowToDecode) {
    StoreMachine machine;
    const auto store = must(machine.open());
    Random random(9);
    Bytes plain = codec::weights(random, 4000);
    PieceId id = must(store->stage_piece({plain, codec::ElementType::f32}, {}, codec::Level::max));
    std::vector<codec::Encoding> encodings;
    for (int i = 0; i < 12; ++i) {
        plain = codec::train(random, plain);
        id = must(store->stage_piece({plain, codec::ElementType::f32}, Store::PieceBase{id, {}},
                                     codec::Level::max));
        const RecordHeader header = must(store->read_header({RecordKind::piece, id.digest}));
        EXPECT_EQ(header.base_count, 1);
        encodings.push_back(static_cast<codec::Encoding>(header.encoding));
    }

    const auto slow = std::ranges::count(encodings, codec::Encoding::delta_mixed);
    EXPECT_EQ(slow, 9);
    EXPECT_EQ(encodings.back(), codec::Encoding::delta_classes);
    EXPECT_EQ(must(store->read_plain({RecordKind::piece, id.digest})), plain);
}

TEST(Store, DoesNotTrustTheBaseBytesItIsGiven) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const Bytes base = Random(5).bytes(20'000);
    const PieceId base_id =
        must(store->stage_piece({.plain = base}, std::nullopt, codec::Level::fast));
    Bytes changed = base;
    changed[7] ^= 1;
    const Bytes other = Random(6).bytes(20'000);  // the file was overwritten meanwhile

    const PieceId id = must(store->stage_piece({.plain = changed}, Store::PieceBase{base_id, other},
                                               codec::Level::standard));

    EXPECT_EQ(must(store->read_plain({RecordKind::piece, id.digest})), changed);
}

TEST(Store, ForgetsWhatWasStagedWhenItIsAbandoned) {
    StoreMachine machine;
    const auto store = must(machine.open());
    commit_bytes(*store, Random(7).bytes(1000));
    const JournalHead head = store->head();
    const Bytes plain = Random(8).bytes(1000);
    const PieceId id = must(store->stage_piece({.plain = plain}, std::nullopt, codec::Level::fast));
    must(store->stage_entry(CommitBody{kRepo, "main", VersionId{sha256(plain)}}));

    store->abandon();

    EXPECT_FALSE(store->has({RecordKind::piece, id.digest}));
    EXPECT_EQ(store->head().hash, head.hash);
    must(store->commit());
    EXPECT_EQ(must(store->versions(std::nullopt, 10)).size(), 1U);
}

TEST(Store, HandsLargeVersionsToTheLogInParts) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const std::uint64_t syncs = machine.files.counters().syncs;

    const Bytes plain = Random(9).bytes(5 * Store::kBatchBytes);
    const VersionId id = commit_bytes(*store, plain);

    EXPECT_GE(machine.files.counters().syncs - syncs, 5U);
    EXPECT_EQ(must(read_files(*store, id)), plain);
}

TEST(Store, SealsSegmentsAndFindsWhatIsInThem) {
    StoreMachine machine;
    machine.options.segment_bytes = 64 * 1024;
    std::vector<std::pair<VersionId, Bytes>> versions;
    auto store = must(machine.open());
    for (std::uint64_t i = 0; i < 20; ++i) {
        const Bytes plain = Random(100 + i).bytes(20'000);
        versions.emplace_back(commit_bytes(*store, plain), plain);
    }
    EXPECT_GT(store->counters().segments, 5U);
    for (int opened = 0; opened < 2; ++opened) {
        for (const auto& [id, plain] : versions) EXPECT_EQ(must(read_files(*store, id)), plain);
        EXPECT_FALSE(store->has({RecordKind::piece, sha256(as_bytes("nothing like it"))}));
        EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
        store.reset();
        store = must(machine.open());
    }
}

TEST(Store, SealsASegmentOfManySmallRecords) {
    StoreMachine machine;
    machine.options.segment_records = 100;
    const auto store = must(machine.open());
    must(store->start_journal(start_body()));
    for (std::uint64_t i = 0; i < 300; ++i) {
        must(store->stage_object(RecordKind::notes, Random(i).bytes(40)));
        must(store->commit());
    }
    EXPECT_GE(store->counters().segments, 3U);
    for (std::uint64_t i = 0; i < 300; ++i) {
        const Digest name = name_of_plain(RecordKind::notes, Random(i).bytes(40));
        EXPECT_EQ(must(store->read_plain({RecordKind::notes, name})), Random(i).bytes(40));
    }
}

// The footer of many small records is larger than what is kept free for everything else.
TEST(Store, TurnsACommitAwayWhenTheDiskHasNoRoomForTheFooterBeforeIt) {
    StoreMachine machine;
    machine.options.segment_records = 8000;
    const auto store = must(machine.open());
    must(store->start_journal(start_body()));
    for (std::uint64_t i = 0; i < 7998; ++i)
        must(store->stage_object(RecordKind::notes, Random(i).bytes(8)));
    must(store->commit());
    const std::uint64_t used = store->counters().stored_bytes + 100;
    machine.files.set_capacity(used + 320 * limits::KiB);
    must(store->stage_object(RecordKind::notes, Random(1).bytes(9)));
    must(store->stage_object(RecordKind::notes, Random(2).bytes(9)));

    const auto refused = store->commit();

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    machine.files.set_capacity(used + 4 * limits::MiB);
    must(store->commit());
    EXPECT_EQ(store->counters().segments, 2U);
}

TEST(Store, NamesAGapInItsSegmentsOnceHoweverWide) {
    StoreMachine machine;
    auto store = must(machine.open());
    const Bytes plain = Random(1).bytes(1000);
    const VersionId id = commit_bytes(*store, plain);
    store.reset();
    must(
        machine.files.rename("/data/store/segments/000001.seg", "/data/store/segments/001000.seg"));
    must(replace_file(machine.files, "/data/store/segments/0001000.seg",
                      {}));  // no name of a segment

    store = must(machine.open());

    ASSERT_FALSE(store->recovery().damage.empty());
    EXPECT_EQ(store->recovery().damage.front(),
              "segments/000001.seg to segments/000999.seg: missing");
    EXPECT_EQ(must(read_files(*store, id)), plain);
}

TEST(Store, NamesEachDamageOnceWhetherItWasFoundAtOpeningOrByACheck) {
    StoreMachine machine;
    auto store = must(machine.open());
    commit_bytes(*store, Random(1).bytes(20'000));
    commit_bytes(*store, Random(2).bytes(20'000));
    store.reset();
    machine.files.flip_bit("/data/store/segments/000001.seg", 8 * 10'000);
    must(machine.open()).reset();  // nothing is added to a damaged segment
    commit_bytes(*must(machine.open()), Random(3).bytes(100));
    store = must(machine.open());
    ASSERT_THAT(store->recovery().damage, testing::SizeIs(2));  // the piece, and no footer

    auto wrong = must(store->check(false));

    EXPECT_THAT(wrong, testing::IsSupersetOf(store->recovery().damage));
    std::ranges::sort(wrong);
    EXPECT_EQ(std::ranges::adjacent_find(wrong), wrong.end());
    EXPECT_EQ(std::ranges::count_if(
                  wrong, [](const std::string& what) { return what.find("footer") != what.npos; }),
              1);
}

TEST(Store, FindsInEachPartWhatIsWrongThereAndInAllPartsEverything) {
    StoreMachine machine;
    machine.options.segment_bytes = 64 * 1024;
    auto store = must(machine.open());
    for (std::uint64_t i = 0; i < 24; ++i) commit_bytes(*store, Random(i).bytes(20'000));
    ASSERT_GE(store->counters().segments, 6u);
    for (std::uint32_t part = 1; part <= 4; ++part)
        EXPECT_THAT(must(store->check_part(part, 4)), testing::IsEmpty());
    store.reset();
    machine.files.flip_bit("/data/store/segments/000002.seg", 8 * 10'000);
    machine.files.flip_bit("/data/store/segments/000005.seg", 8 * 10'000);
    store = must(machine.open());

    const auto names = [](const std::string& segment) {
        return testing::Contains(testing::HasSubstr(segment));
    };
    const auto second = must(store->check_part(2, 4));
    EXPECT_THAT(second, names("000002"));
    EXPECT_THAT(second, testing::Contains(testing::StartsWith("version "))) << "who needs it";
    EXPECT_THAT(must(store->check_part(1, 4)), names("000005"));
    EXPECT_THAT(must(store->check_part(3, 4)), testing::IsEmpty());
    EXPECT_THAT(must(store->check_part(4, 4)), testing::IsEmpty());
    EXPECT_THAT(must(store->check_part(1, 1)), testing::AllOf(names("000002"), names("000005")));
}

TEST(Store, CallsAVersionSoundWhoseDamagedPieceWasRecordedAgain) {
    StoreMachine machine;
    machine.options.segment_bytes = 64 * 1024;
    auto store = must(machine.open());
    const Bytes plain = Random(100).bytes(20'000);
    const VersionId id = commit_bytes(*store, plain);
    for (std::uint64_t i = 0; i < 4; ++i) commit_bytes(*store, Random(i).bytes(20'000));
    store.reset();
    machine.files.flip_bit("/data/store/segments/000001.seg", 8 * 10'000);  // in its first piece
    store = must(machine.open());
    EXPECT_EQ(read_files(*store, id).error().code, Errc::corrupt);

    must(stage_file(*store, "w.bin", plain));
    must(store->commit());

    EXPECT_EQ(must(read_files(*store, id)), plain);
    EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
}

TEST(Store, CountsWhatWasRecordedAndWrittenSinceItWasMade) {
    StoreMachine machine;
    auto store = must(machine.open());
    commit_bytes(*store, Random(1).bytes(30'000));
    commit_bytes(*store, Random(2).bytes(30'000));
    const StoreCounters before = store->counters();
    store.reset();
    store = must(machine.open());

    const StoreCounters after = store->counters();

    EXPECT_EQ(after.recorded_bytes, 60'000U);
    EXPECT_EQ(before.recorded_bytes, 60'000U);
    EXPECT_GE(after.written_bytes, before.written_bytes - 100);  // the last acknowledged mark
    EXPECT_EQ(after.stored_bytes, before.stored_bytes);
    EXPECT_EQ(after.records, before.records);
}

TEST(Store, IsOwnedByOneProcess) {
    StoreMachine machine;
    machine.options.holder = "tributary-agent run, pid 7";
    const auto store = must(machine.open());

    const auto second = machine.open();

    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().code, Errc::conflict);
    EXPECT_THAT(second.error().what, testing::HasSubstr("tributary-agent run, pid 7"));
}

TEST(Store, IsNotMadeWhenItOnlyShouldBeOpened) {
    StoreMachine machine;
    machine.options.create = false;
    const auto store = machine.open();
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::not_found);
}

TEST(Store, RefusesAnotherFormat) {
    StoreMachine machine;
    must(machine.open()).reset();
    must(replace_file(machine.files, "/data/store/format", as_bytes("tributary store 2\n")));
    const auto store = machine.open();
    ASSERT_FALSE(store);
    EXPECT_EQ(store.error().code, Errc::unsupported);
}

TEST(Store, IsOneWithoutItsFormatFileAsLongAsItHasSegments) {
    for (const bool garbled : {false, true}) {
        StoreMachine machine;
        auto store = must(machine.open());
        const auto item = must(stage_file(*store, "f", as_bytes("kept")));
        const VersionId id = must(commit_version(*store, "a/b", "main", {item}));
        store.reset();
        must(machine.files.remove("/data/store/format"));
        if (garbled) must(replace_file(machine.files, "/data/store/format", Bytes(18, 0)));
        machine.options.create = false;
        store = must(machine.open());
        ASSERT_EQ(store->recovery().damage.size(), 1u);
        EXPECT_NE(store->recovery().damage.front().find("format"), std::string::npos);
        EXPECT_EQ(as_text(must(read_files(*store, id))), "kept");
        store.reset();
        EXPECT_TRUE(must(machine.open())->recovery().damage.empty());
    }
}

// ---- journals and index ----

TEST(StoreJournal, GrowsByEntriesThatFollowEachOther) {
    StoreMachine machine;
    const auto store = must(machine.open());
    commit_bytes(*store, Random(1).bytes(100));
    machine.clock.set_wall({5});  // somebody set the clock back
    commit_bytes(*store, Random(2).bytes(100));
    std::vector<EntryHeader> headers;
    std::vector<EntryHash> hashes;

    must(store->read_entries(store->head().incarnation, 1, [&](ByteView plain) {
        const EntryView entry = must(parse_entry(plain));
        headers.push_back(entry.header);
        hashes.push_back(entry.hash);
        return true;
    }));

    ASSERT_EQ(headers.size(), 3U);
    EXPECT_EQ(headers[0].kind, EntryKind::start);
    EXPECT_TRUE(headers[0].previous.is_none());
    for (std::size_t i = 1; i < 3; ++i) {
        EXPECT_EQ(headers[i].previous, hashes[i - 1]);
        EXPECT_EQ(headers[i].sequence, i + 1);
        EXPECT_GT(headers[i].time, headers[i - 1].time);
    }
    EXPECT_EQ(store->head().hash, hashes[2]);
}

TEST(StoreJournal, NeedsAStart) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const auto staged = store->stage_entry(CommitBody{kRepo, "main", {}});
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Errc::invalid);
}

TEST(StoreJournal, TakesAnotherJournalOnlyInItsOrder) {
    StoreMachine device, hub(2);
    const auto from = must(device.open());
    commit_bytes(*from, Random(1).bytes(100));
    commit_bytes(*from, Random(2).bytes(100));
    std::vector<Bytes> entries;
    must(from->read_entries(from->head().incarnation, 1, [&](ByteView plain) {
        entries.emplace_back(plain.begin(), plain.end());
        return true;
    }));
    const auto to = must(hub.open());

    EXPECT_EQ(to->stage_foreign_entry(entries[1]).error().code, Errc::conflict);
    must(to->stage_foreign_entry(entries[0]));
    must(to->stage_foreign_entry(entries[1]));
    must(to->commit());
    must(to->stage_foreign_entry(entries[1]));  // again: no effect
    must(to->stage_foreign_entry(entries[2]));
    must(to->commit());

    const auto heads = must(to->heads());
    ASSERT_EQ(heads.size(), 1U);
    EXPECT_EQ(heads[0].hash, from->head().hash);
    EXPECT_EQ(must(to->versions(kRepo, 10)).size(), 2U);
}

TEST(StoreJournal, GoesOnInANewIncarnation) {
    StoreMachine machine;
    auto store = must(machine.open());
    commit_bytes(*store, Random(1).bytes(100));
    const JournalHead old = store->head();
    StartBody body = start_body();
    body.continues = old.incarnation;
    body.continues_sequence = old.sequence;
    body.continues_hash = old.hash;

    must(store->start_journal(body));
    must(store->commit());

    EXPECT_NE(store->head().incarnation, old.incarnation);
    EXPECT_GT(store->head().time, old.time);
    const JournalHead head = store->head();
    store.reset();
    store = must(machine.open());
    EXPECT_EQ(store->head().incarnation, head.incarnation);
    EXPECT_EQ(must(store->heads()).size(), 2U);
}

TEST(StoreIndex, AnswersAlikeForSealedAndOpenSegments) {
    StoreMachine machine;
    machine.options.segment_bytes = 8 * 1024;
    const auto store = must(machine.open());
    std::vector<VersionId> ids;
    for (std::uint64_t i = 0; i < 30; ++i) {
        machine.clock.advance(1000);
        ids.push_back(commit_bytes(*store, Random(i).bytes(1000), {}, i % 3 == 0 ? "dev" : "main"));
    }
    ASSERT_GT(store->counters().segments, 2U);
    const Incarnation own = store->head().incarnation;

    EXPECT_EQ(must(store->branch_head(kRepo, "main", own))->id, ids[29]);
    EXPECT_EQ(must(store->branch_head(kRepo, "dev", own))->id, ids[27]);
    EXPECT_FALSE(must(store->branch_head(kRepo, "none", own)).has_value());
    const auto branches = must(store->branches(kRepo));
    ASSERT_EQ(branches.size(), 2U);
    EXPECT_EQ(branches[0].branch, "dev");
    EXPECT_EQ(branches[0].id, ids[27]);
    EXPECT_EQ(branches[1].id, ids[29]);
    EXPECT_EQ(must(store->repositories()), std::vector<std::string>{kRepo});
    const auto newest = must(store->versions(kRepo, 5));
    ASSERT_EQ(newest.size(), 5U);
    for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(newest[i].id, ids[29 - i]);
    EXPECT_EQ(must(store->versions(std::nullopt, 100)).size(), 30U);
    const std::string hex = to_hex(ids[3].digest.bytes);
    const auto found = must(store->versions_by_prefix(hex.substr(0, 9), 10));
    ASSERT_EQ(found.size(), 1U);
    EXPECT_EQ(found[0].id, ids[3]);
    EXPECT_EQ(must(store->versions_by_prefix("", 7)).size(), 7U);
    EXPECT_EQ(store->versions_by_prefix("xyz", 7).error().code, Errc::invalid);
    EXPECT_EQ(must(store->count_versions_after(own, 21)), 10U);
    EXPECT_FALSE(must(store->latest_receipt(own)).has_value());
}

// ---- sync's side ----

TEST(StoreRecords, TravelToAnotherStoreAsTheyAre) {
    StoreMachine device, hub(2);
    const auto from = must(device.open());
    const Bytes one = Random(1).bytes(20'000);
    Bytes two = one;
    two[100] ^= 0x55;
    const RecordKey key_one{RecordKind::piece, sha256(one)},
        key_two{RecordKind::piece, sha256(two)};
    must(from->stage_piece({.plain = one}, std::nullopt, codec::Level::fast));
    must(from->stage_piece({.plain = two}, Store::PieceBase{PieceId{key_one.name}, one},
                           codec::Level::fast));
    must(from->commit());
    const Bytes frame_two = must(from->read_record(key_two));
    const auto to = must(hub.open());

    EXPECT_EQ(to->stage_record(frame_two).error().code, Errc::not_found);  // its base is not there
    must(to->stage_record(must(from->read_record(key_one))));
    must(to->stage_record(frame_two));
    must(to->commit());

    EXPECT_EQ(must(to->read_record(key_two)), frame_two);
    EXPECT_EQ(must(to->read_plain(key_two)), two);
}

TEST(StoreRecords, AreRefusedWhenTheyAreNotWhatTheyName) {
    StoreMachine machine;
    const auto store = must(machine.open());
    const Bytes plain = Random(1).bytes(100);
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.name = sha256(as_bytes("something else"));
    header.stored_length = header.plain_length = 100;
    Bytes frame;
    append_record(frame, header, plain);

    EXPECT_EQ(store->stage_record(frame).error().code, Errc::corrupt);
    frame[70] ^= 1;
    EXPECT_EQ(store->stage_record(frame).error().code, Errc::corrupt);
    EXPECT_FALSE(store->has(header.key()));
}

// A few bytes that decode to a megabyte, under a header that speaks of less.
TEST(StoreRecords, ThatAreDecompressionBombsAreRefusedByName) {
    StoreMachine machine;
    const auto store = must(machine.open());
    Bytes plain(limits::kPieceBytesMax);
    const Bytes words = Random(5).bytes(13);
    for (std::size_t i = 0; i < plain.size(); ++i) plain[i] = words[i % words.size()];
    codec::Coder coder;
    const codec::Encoded coded = coder.encode({plain}, {}, codec::Level::fast);
    ASSERT_EQ(coded.encoding, codec::Encoding::zstd);
    ASSERT_LT(coded.payload.size(), 1000u);
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.encoding = static_cast<std::uint8_t>(coded.encoding);
    header.stored_length = static_cast<std::uint32_t>(coded.payload.size());
    for (const std::size_t length :
         {std::size_t{1}, std::size_t{1000}, limits::kPieceBytesMax - 1}) {
        header.plain_length = static_cast<std::uint32_t>(length);
        header.name = sha256(ByteView(plain).first(length));
        Bytes frame;
        append_record(frame, header, coded.payload);

        const Status staged = store->stage_record(frame);

        ASSERT_FALSE(staged);
        EXPECT_EQ(staged.error().code, Errc::corrupt);
        EXPECT_NE(staged.error().what.find("piece " + header.name.text()), std::string::npos)
            << staged.error().what;
        EXPECT_FALSE(store->has(header.key()));
    }
}

TEST(StoreRecords, AreCodedAnewWhenTheSendersChainIsTooDeepHere) {
    StoreMachine device, hub(2);
    hub.options.chain_depth_max = 1;
    const auto from = must(device.open());
    const auto to = must(hub.open());
    Bytes plain = Random(1).bytes(20'000);
    std::optional<Store::PieceBase> base;
    std::vector<int> bases;
    for (std::uint8_t i = 0; i < 4; ++i) {
        plain[i * 100U] ^= 0x55;
        const PieceId id = must(from->stage_piece({.plain = plain}, base, codec::Level::standard));
        base = Store::PieceBase{id, {}};
        must(to->stage_record(must(from->read_record({RecordKind::piece, id.digest}))));
        bases.push_back(must(to->read_header({RecordKind::piece, id.digest})).base_count);
        EXPECT_EQ(must(to->read_plain({RecordKind::piece, id.digest})), plain);
    }
    EXPECT_EQ(bases, (std::vector<int>{0, 1, 0, 1}));
}

}  // namespace
}  // namespace tributary
