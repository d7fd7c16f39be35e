// What is believed of a damaged stretch of a segment: frames may stand there that are part of a
// recorded file. A store that recorded a segment of another store, and entries between damaged
// ones.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "common/store/segment.h"
#include "tests/support/must.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::Random;
using test::read_files;
using test::SimFiles;
using test::stage_file;
using test::start_body;
using test::StoreMachine;
using testing::Contains;
using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

const std::string kRepo = "lab/model";
const std::string kSegment = "/data/store/segments/000001.seg";
const Incarnation kReceipted{{7}};

Bytes file_of(SimFiles& files, const std::string& path) {
    const auto file = must(files.open_read(path));
    Bytes bytes(static_cast<std::size_t>(must(file->size())));
    must(file->read_exactly(0, bytes));
    return bytes;
}

std::size_t place_of(const Bytes& where, ByteView what) {
    const auto at = std::search(where.begin(), where.end(), what.begin(), what.end());
    TRIBUTARY_CHECK(at != where.end());
    return static_cast<std::size_t>(at - where.begin());
}

// Commits `plain` as one piece that is stored as it is.
VersionId commit(Store& store, const std::string& repo, ByteView plain) {
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.name = sha256(plain);
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(plain.size());
    Bytes frame;
    append_record(frame, header, plain);
    must(store.stage_record(frame));
    const auto item = must(stage_file(store, "w.bin", plain, {}, 1024 * 1024));
    return must(commit_version(store, repo, "main", {item}));
}

std::set<Incarnation> journals(Store& store) {
    std::set<Incarnation> all;
    for (const JournalHead& head : must(store.heads())) all.insert(head.incarnation);
    return all;
}

std::vector<std::uint64_t> sequences(Store& store, const Incarnation& journal) {
    std::vector<std::uint64_t> all;
    must(store.read_entries(journal, 1, [&](ByteView plain) {
        all.push_back(must(parse_entry(plain)).header.sequence);
        return true;
    }));
    return all;
}

// ---- a segment of another store, recorded as a file ----

class RecordedSegment : public testing::Test {
protected:
    static constexpr std::size_t kFrameHeader = RecordHeader::kFixedBytes + 4;

    RecordedSegment() {
        {
            StoreMachine other(2);
            const auto from = must(other.open());
            for (std::uint64_t i = 0; i < 3; ++i) {
                pieces.push_back(Random(50 + i).bytes(3000));
                commit(*from, "other/model", pieces.back());
            }
            must(from->stage_object(RecordKind::receipt, test::unsigned_receipt(kReceipted)));
            must(from->commit());
            foreign = from->head();
            inner = file_of(other.files, kSegment);
        }
        const auto store = must(machine.open());
        before = commit(*store, kRepo, Random(1).bytes(500));
        with_segment = commit(*store, kRepo, inner);
        after = commit(*store, kRepo, Random(2).bytes(500));
        own = store->head();
        payload_at = place_of(file_of(machine.files, kSegment), inner);
    }

    void flip(std::uint64_t byte, unsigned bit = 0) {
        machine.files.flip_bit(kSegment, byte * 8 + bit);
    }
    // Opens the damaged store and checks that nothing of the other store is taken for ours.
    void expect_nothing_of_the_other(const std::string& named = kSegment.substr(12)) {
        const auto opened = machine.open();
        ASSERT_TRUE(opened) << opened.error().what;
        Store& store = **opened;
        EXPECT_THAT(journals(store), ElementsAre(own.incarnation));
        EXPECT_EQ(store.head().hash, own.hash);
        EXPECT_FALSE(store.recovery().head_in_doubt);
        EXPECT_THAT(must(store.repositories()), ElementsAre(kRepo));
        EXPECT_EQ(must(store.versions(std::nullopt, 10)).size(), 3U);
        EXPECT_EQ(must(store.latest_receipt(kReceipted)), std::nullopt);
        for (const bool data : {false, true}) {
            const auto wrong = must(store.check(data));
            EXPECT_THAT(wrong, Contains(HasSubstr(named)));
            EXPECT_THAT(wrong, Each(Not(HasSubstr(foreign.incarnation.text()))));
            EXPECT_THAT(wrong, Each(Not(HasSubstr("other/model"))));
        }
        EXPECT_TRUE(read_files(store, before));
        EXPECT_TRUE(read_files(store, after));
        EXPECT_FALSE(read_files(store, with_segment));
    }

    StoreMachine machine;
    Bytes inner;
    std::vector<Bytes> pieces;  // of the other store
    JournalHead foreign;
    JournalHead own;
    VersionId before, with_segment, after;
    std::size_t payload_at = 0;
};

TEST_F(RecordedSegment, IsNotBelievedWhicheverByteOfItsHeaderIsDamaged) {
    for (std::size_t byte = payload_at - kFrameHeader; byte < payload_at; ++byte) {
        SCOPED_TRACE("byte " + std::to_string(byte - (payload_at - kFrameHeader)));
        flip(byte, byte % 8);
        expect_nothing_of_the_other();
        flip(byte, byte % 8);
        if (HasFailure()) return;
    }
}

TEST_F(RecordedSegment, IsNotBelievedWhereverItsPayloadIsDamaged) {
    for (std::size_t byte = 0; byte < inner.size(); byte += 97) {
        flip(payload_at + byte, 3);
        expect_nothing_of_the_other();
        flip(payload_at + byte, 3);
        if (HasFailure()) return;
    }
}

TEST_F(RecordedSegment, IsNotBelievedInASegmentThatLostItsFooter) {
    {
        StoreOptions options = machine.options;
        machine.options.segment_records = 1;  // the next commit begins a new segment
        const auto store = must(machine.open());
        commit(*store, kRepo, Random(3).bytes(100));
        own = store->head();
        machine.options = options;
    }
    const std::uint64_t bytes = must(machine.files.stat(kSegment)).size;
    ASSERT_TRUE(machine.files.stat("/data/store/segments/000002.seg"));
    flip(bytes - 5);  // in the tail
    flip(payload_at - kFrameHeader + 20);
    const auto store = must(machine.open());
    EXPECT_THAT(journals(*store), ElementsAre(own.incarnation));
    EXPECT_EQ(must(store->versions(std::nullopt, 10)).size(), 4U);
    EXPECT_EQ(must(store->latest_receipt(kReceipted)), std::nullopt);
    EXPECT_THAT(must(store->check(true)), Each(Not(HasSubstr("other/model"))));
}

TEST_F(RecordedSegment, DoesNotHideDamageFromFsckInASealedSegment) {
    {
        StoreOptions options = machine.options;
        machine.options.segment_records = 1;
        const auto store = must(machine.open());
        commit(*store, kRepo, Random(3).bytes(100));
        machine.options = options;
    }
    flip(payload_at - kFrameHeader + 20);
    const auto store = must(machine.open());
    const auto wrong = must(store->check(false));
    EXPECT_THAT(wrong, Contains(HasSubstr("piece " + sha256(inner).text())));
    EXPECT_THAT(wrong, Each(Not(HasSubstr(sha256(pieces[0]).text()))));
}

// A record of the other store may stand on one that is not here: taken for held, it would never be
// recorded.
TEST_F(RecordedSegment, DoesNotMakeAPieceHeldThatCannotBeRead) {
    StoreMachine other(3);
    const Bytes base = Random(70).bytes(5000);
    Bytes changed = base;
    changed[100] ^= 1;
    Bytes segment;
    {
        other.options.segment_records = 1;
        const auto from = must(other.open());
        commit(*from, "other/model", base);
        const auto item = must(stage_file(*from, "w.bin", changed, base, 1024 * 1024));
        must(commit_version(*from, "other/model", "main", {item}));
        const std::string newest = must(other.files.list("/data/store/segments")).back();
        segment = file_of(other.files, "/data/store/segments/" + newest);
    }
    {
        const auto store = must(machine.open());
        commit(*store, kRepo, segment);
    }
    flip(place_of(file_of(machine.files, kSegment), segment) - kFrameHeader + 20);

    const auto store = must(machine.open());
    const RecordKey key{RecordKind::piece, sha256(changed)};
    EXPECT_FALSE(store->has(key));
    const VersionId id = commit(*store, kRepo, changed);

    EXPECT_EQ(must(read_files(*store, id)), changed);
}

TEST_F(RecordedSegment, OfANewerProgramIsDamageAndNoReasonToUpgrade) {
    Bytes newer;
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.name = sha256(as_bytes("x"));
    header.stored_length = header.plain_length = 1;
    append_record(newer, header, as_bytes("x"));
    newer[4] = 77;  // a kind of the future, under a right checksum
    store_le(newer.data() + 56, crc32c(ByteView(newer).first(56)));
    Bytes plain;
    append_record(plain, header, as_bytes("x"));
    plain.insert(plain.end(), newer.begin(), newer.end());
    {
        const auto store = must(machine.open());
        commit(*store, kRepo, plain);
    }
    flip(place_of(file_of(machine.files, kSegment), plain) - kFrameHeader + 20);

    const auto store = machine.open();

    ASSERT_TRUE(store) << store.error().what;
    EXPECT_FALSE((*store)->recovery().damage.empty());
}

// Its last record is cut off: what its header spans reaches into records of ours.
TEST_F(RecordedSegment, DoesNotCoverTheRecordsBehindIt) {
    inner.erase(inner.end() - segment::AckMark::kBytes - segment::BatchMark::kBytes - 100,
                inner.end());
    VersionId with_part, whole;
    {
        const auto store = must(machine.open());
        with_part = commit(*store, kRepo, inner);
        whole = commit(*store, kRepo, Random(4).bytes(100));
    }
    const Bytes bytes = file_of(machine.files, kSegment);
    const auto at = std::find_end(bytes.begin(), bytes.end(), inner.begin(), inner.end());
    flip(static_cast<std::size_t>(at - bytes.begin()) - kFrameHeader + 20);

    const auto store = must(machine.open());

    EXPECT_TRUE(read_version(*store, with_part));
    EXPECT_TRUE(read_files(*store, whole));
    EXPECT_THAT(sequences(*store, own.incarnation), ElementsAre(1, 2, 3, 4, 5, 6));
}

// The journal of this very store, gone on elsewhere (a copied card): it chains from ours.
TEST(RecordedSegmentOfACopy, DoesNotReplaceOurOwnEntries) {
    StoreMachine machine, copy(2);
    for (StoreMachine* each : {&machine, &copy}) {
        each->entropy = test::SimEntropy(9);
        const auto store = must(each->open());
        commit(*store, kRepo, Random(1).bytes(500));
    }
    {
        copy.clock.advance(1000);
        const auto store = must(copy.open());
        commit(*store, "copy/model", Random(2).bytes(500));
        commit(*store, "copy/model", Random(3).bytes(500));
    }
    const Bytes theirs = file_of(copy.files, kSegment);
    JournalHead own;
    {
        const auto store = must(machine.open());
        commit(*store, kRepo, theirs);
        own = store->head();
    }
    machine.files.flip_bit(kSegment, (place_of(file_of(machine.files, kSegment), theirs) - 30) * 8);

    const auto store = must(machine.open());

    EXPECT_EQ(store->head().hash, own.hash);
    EXPECT_THAT(sequences(*store, own.incarnation), ElementsAre(1, 2, 3));
    EXPECT_THAT(must(store->repositories()), ElementsAre(kRepo));
}

// ---- entries between damaged records ----

// Entries have frame headers of 60 bytes; this one is named by where its own bytes begin.
void damage_header(StoreMachine& machine, std::size_t payload_at) {
    machine.files.flip_bit(kSegment, (payload_at - 40) * 8);
}

TEST(OwnEntriesAmongDamage, AreKeptButNotWrittenOnFrom) {
    StoreMachine machine;
    const Bytes object = Random(9).bytes(300);
    Incarnation journal;
    std::vector<std::size_t> at;
    {
        const auto store = must(machine.open());
        commit(*store, kRepo, Random(1).bytes(100));
        must(store->stage_piece({.plain = object}, {}, codec::Level::fast));
        for (int i = 0; i < 3; ++i)
            must(store->stage_entry(CommitBody{kRepo, "main", VersionId{sha256(object)}}));
        must(store->commit());
        journal = store->head().incarnation;
        const Bytes bytes = file_of(machine.files, kSegment);
        must(store->read_entries(journal, 3, [&](ByteView plain) {
            at.push_back(place_of(bytes, plain));
            return true;
        }));
        damage_header(machine, place_of(bytes, object));
    }
    damage_header(machine, at[2]);  // in doubt: 3 and 4, and whether there was a 5

    const auto store = must(machine.open());

    EXPECT_THAT(sequences(*store, journal), ElementsAre(1, 2, 3, 4));
    EXPECT_EQ(store->head().sequence, 4U);
    EXPECT_TRUE(store->recovery().head_in_doubt);
}

// Two devices' journals come in at a hub: the first entries by themselves, then one batch of
// objects, then j2 k2 j3 k3 ...
class EntriesAmongDamage : public testing::Test {
protected:
    void SetUp() override {
        StoreMachine device_j(2), device_k(3);
        const auto of_j = entries_of(device_j), of_k = entries_of(device_k);
        j = must(parse_entry(of_j[0])).header.incarnation;
        const auto hub = must(machine.open());
        must(hub->stage_foreign_entry(of_j[0]));
        must(hub->stage_foreign_entry(of_k[0]));
        must(hub->commit());
        must(hub->stage_piece({.plain = object}, {}, codec::Level::fast));
        for (std::size_t i = 1; i < of_j.size(); ++i) {
            must(hub->stage_foreign_entry(of_j[i]));
            must(hub->stage_foreign_entry(of_k[i]));
        }
        must(hub->commit());
        const Bytes bytes = file_of(machine.files, kSegment);
        for (const Bytes& entry : of_j) j_at.push_back(place_of(bytes, entry));
        for (const Bytes& entry : of_k) k_at.push_back(place_of(bytes, entry));
        object_at = place_of(bytes, object);
    }
    static std::vector<Bytes> entries_of(StoreMachine& device) {
        const auto store = must(device.open());
        for (std::uint64_t i = 0; i < 5; ++i) commit(*store, kRepo, Random(i).bytes(50));
        std::vector<Bytes> all;
        must(store->read_entries(store->head().incarnation, 1, [&](ByteView plain) {
            all.emplace_back(plain.begin(), plain.end());
            return true;
        }));
        return all;
    }
    StoreMachine machine;
    const Bytes object = Random(9).bytes(300);
    Incarnation j;
    std::vector<std::size_t> j_at, k_at;  // of the entries' bytes, from 1 at index 0
    std::size_t object_at = 0;
};

TEST_F(EntriesAmongDamage, BehindItUpToTheMarkAreBelieved) {
    damage_header(machine, j_at[2]);
    const auto hub = must(machine.open());
    EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2, 4, 5, 6));
    EXPECT_THAT(must(hub->check(false)), Contains(HasSubstr("entry 4 does not follow entry 2")));
}

TEST_F(EntriesAmongDamage, AreBelievedWhenTheyFollowTheOneBefore) {
    damage_header(machine, object_at);
    damage_header(machine, j_at[3]);  // in doubt: j2 k2 j3 k3
    const auto hub = must(machine.open());
    EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2, 3, 5, 6));
    EXPECT_TRUE(hub->has({RecordKind::piece, sha256(object)}) == false);
}

TEST_F(EntriesAmongDamage, AreBelievedWhenTheNextOneNamesThem) {
    damage_header(machine, j_at[2]);
    damage_header(machine, k_at[3]);  // in doubt: k3 j4; j5 names j4
    const auto hub = must(machine.open());
    EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2, 4, 5, 6));
}

TEST_F(EntriesAmongDamage, ThatNothingBearsOutAreNamedByFsckAndNotBelieved) {
    damage_header(machine, j_at[2]);
    damage_header(machine, j_at[4]);  // in doubt: k3 j4 k4
    const auto hub = must(machine.open());
    EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2, 6));
    const auto wrong = must(hub->check(false));
    EXPECT_THAT(wrong, Contains(HasSubstr("entry 4 of journal " + j.text())));
}

TEST_F(EntriesAmongDamage, LetTheJournalBeSentAgainWhenTheLastOnesAreLost) {
    for (std::size_t i = 2; i < 6; ++i) {
        if (i != 3) damage_header(machine, j_at[i]);
    }
    auto hub = must(machine.open());
    EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2));
    for (const bool again : {false, true}) {
        if (again) hub.reset(), hub = must(machine.open());
        StoreMachine device(2);
        for (const Bytes& entry : entries_of(device)) must(hub->stage_foreign_entry(entry));
        must(hub->commit());
        EXPECT_THAT(sequences(*hub, j), ElementsAre(1, 2, 3, 4, 5, 6));
    }
}

}  // namespace
}  // namespace tributary
