// A store whose index is a real file (the log is on a simulated disk): the index is disposable, and
// bytes are few.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <functional>

#include "common/store/index.h"
#include "common/store/sqlite.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::commit_version;
using test::Random;
using test::read_files;
using test::stage_file;
using test::start_body;
using test::StoreMachine;
using test::TempDir;

const std::string kRepo = "lab/model";

class StoreIndexFile : public testing::Test {
protected:
    StoreIndexFile() {
        machine.options.segment_bytes = 32 * 1024;
        machine.options.index_path = index;
    }

    std::unique_ptr<Store> open() {
        auto store = machine.open();
        if (!store) ADD_FAILURE() << store.error().what;
        TRIBUTARY_CHECK(store.has_value());
        EXPECT_EQ((*store)->recovery().index_trouble, "");
        return *std::move(store);
    }
    VersionId commit(Store& store, ByteView plain) {
        const auto item = stage_file(store, "w.bin", plain);
        const auto id = commit_version(store, kRepo, "main", {*item});
        EXPECT_TRUE(id);
        return *id;
    }
    // Several sealed segments and an open one.
    void fill() {
        const auto store = open();
        for (std::uint64_t i = 0; i < 12; ++i) ids.push_back(commit(*store, Random(i).bytes(8000)));
        EXPECT_GE(store->counters().segments, 3U);
    }
    void expect_all(Store& store) {
        const auto rows = store.versions(kRepo, 100);
        ASSERT_TRUE(rows);
        ASSERT_EQ(rows->size(), ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i) {
            EXPECT_EQ((*rows)[ids.size() - 1 - i].id, ids[i]);
            EXPECT_EQ(*read_files(store, ids[i]), Random(i).bytes(8000));
        }
        const auto wrong = store.check(true);
        ASSERT_TRUE(wrong) << wrong.error().what;
        EXPECT_THAT(*wrong, testing::IsEmpty());
    }
    // Overwrites a part of the index file.
    void damage_index(std::uint64_t offset, const Bytes& bytes) {
        std::FILE* file = std::fopen(index.c_str(), "r+b");
        ASSERT_NE(file, nullptr);
        std::fseek(file, static_cast<long>(offset), SEEK_SET);
        std::fwrite(bytes.data(), 1, bytes.size(), file);
        std::fclose(file);
    }

    TempDir dir;
    const std::string index = dir / "index.sqlite";
    StoreMachine machine;
    std::vector<VersionId> ids;
};

TEST_F(StoreIndexFile, UsesItsIndexAgainWhenItFits) {
    fill();
    const auto store = open();
    EXPECT_FALSE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(StoreIndexFile, BuildsAMissingIndexAnewAndSaysHowFarItIs) {
    fill();
    ASSERT_TRUE(system_files().remove(index));
    std::vector<std::string> told;
    machine.options.progress = [&](std::string_view what, std::uint64_t, std::uint64_t) {
        told.emplace_back(what);
    };
    const auto store = open();
    EXPECT_TRUE(store->recovery().index_rebuilt);
    EXPECT_THAT(told, testing::Contains("segments indexed"));
    expect_all(*store);
}

TEST_F(StoreIndexFile, BuildsAnIndexThatIsNoDatabaseAnew) {
    fill();
    damage_index(0, Bytes(4096, 0x55));
    const auto store = open();
    EXPECT_TRUE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(StoreIndexFile, BuildsAnIndexOfAnotherSchemaNumberAnew) {
    fill();
    damage_index(60, {0, 0, 0, 99});  // user_version in SQLite's header
    const auto store = open();
    EXPECT_TRUE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(StoreIndexFile, BuildsAnIndexOfAnotherStoreAnew) {
    fill();
    StoreMachine other(2);
    other.options = machine.options;
    other.options.index_path = ":memory:";
    for (std::uint64_t i = 0; i < 12; ++i) commit(**other.open(), Random(50 + i).bytes(8000));
    other.options.index_path = index;

    const auto store = other.open();

    ASSERT_TRUE(store);
    EXPECT_TRUE((*store)->recovery().index_rebuilt);
    EXPECT_EQ((*store)->versions(kRepo, 100)->size(), 12U);
    EXPECT_THAT(*(*store)->check(false), testing::IsEmpty());
}

TEST_F(StoreIndexFile, AnswersRightlyOrSaysSoWhateverHappensToTheIndex) {
    fill();
    const auto sound = read_file(system_files(), index, 1 << 20);
    ASSERT_TRUE(sound);
    Random random(9);
    for (int round = 0; round < 12; ++round) {
        ASSERT_TRUE(replace_file(system_files(), index, *sound));
        damage_index(random.below(sound->size()), random.bytes(1 + random.below(200u)));
        const auto store = open();
        ASSERT_TRUE(store->check(false));  // builds it anew when it does not say what the log says
        const auto rows = store->versions(kRepo, 100);
        ASSERT_TRUE(rows) << rows.error().what;
        ASSERT_EQ(rows->size(), ids.size());
        for (std::size_t i = 0; i < ids.size(); ++i)
            EXPECT_EQ((*rows)[ids.size() - 1 - i].id, ids[i]);
    }
}

// The head of our own journal is asked for while the store is opened.
TEST_F(StoreIndexFile, OpensWithAndAnswersDespiteADamagedPage) {
    fill();
    JournalHead head;
    {
        const auto store = open();
        head = store->head();
    }
    const auto sound = read_file(system_files(), index, 1 << 20);
    ASSERT_TRUE(sound);
    constexpr std::uint64_t kPage = 4096;
    for (std::uint64_t page = 1; page < sound->size() / kPage; ++page) {
        SCOPED_TRACE("page " + std::to_string(page));
        ASSERT_TRUE(replace_file(system_files(), index, *sound));
        damage_index(page * kPage, Bytes(16, 0x55));
        auto store = machine.open();
        ASSERT_TRUE(store) << store.error().what;
        EXPECT_EQ((*store)->head().hash, head.hash);
        EXPECT_EQ((*store)->head().sequence, head.sequence);
    }
}

// SQLite has no checksums: a turned bit in a row is believed, unless the log is asked.
class LyingIndex : public StoreIndexFile {
protected:
    // Entries as they stand in the rows of the file: incarnation, number, hash.
    static constexpr std::size_t kNumberAt = 16, kHashAt = 17, kSegmentAt = 49, kOffsetAt = 50;

    void SetUp() override {
        fill();
        const auto store = open();
        head = store->head();
        for (const Bytes& plain : entries(*store)) {
            Bytes row(head.incarnation.bytes.begin(), head.incarnation.bytes.end());
            row.push_back(static_cast<std::uint8_t>(rows.size() + 1));
            const EntryHash hash = parse_entry(plain)->hash;
            row.insert(row.end(), hash.digest.bytes.begin(), hash.digest.bytes.end());
            rows.push_back(std::move(row));
        }
    }
    std::vector<Bytes> entries(Store& store) {
        std::vector<Bytes> all;
        const auto read = store.read_entries(head.incarnation, 1, [&](ByteView plain) {
            all.emplace_back(plain.begin(), plain.end());
            return true;
        });
        if (!read) ADD_FAILURE() << read.error().what;
        return all;
    }
    std::vector<std::uint64_t> places(ByteView what) {
        const Bytes file = *read_file(system_files(), index, 1 << 20);
        std::vector<std::uint64_t> found;
        for (auto at = file.begin();; ++at) {
            at = std::search(at, file.end(), what.begin(), what.end());
            if (at == file.end()) return found;
            found.push_back(static_cast<std::uint64_t>(at - file.begin()));
        }
    }
    // The log is sound and all of it is read, whatever the index says.
    void expect_all_entries_although_a_row_lies(std::size_t byte) {
        constexpr std::size_t kRow = 4;  // in the second segment
        ASSERT_FALSE(places(rows[kRow]).empty());
        for (const std::uint64_t place : places(rows[kRow])) damage_index(place + byte, {0x7F});
        const auto store = open();
        EXPECT_FALSE(store->recovery().index_rebuilt);
        EXPECT_EQ(entries(*store).size(), rows.size());
        for (const Bytes& row : rows) {
            Digest hash;
            std::copy_n(row.begin() + kHashAt, kDigestBytes, hash.bytes.begin());
            EXPECT_TRUE(store->has({RecordKind::entry, hash}));
        }
        const auto wrong = store->check(true);
        ASSERT_TRUE(wrong);
        for (const std::string& what : *wrong)
            EXPECT_THAT(what, testing::HasSubstr("index.sqlite"));
    }

    JournalHead head;
    std::vector<Bytes> rows;
};

TEST_F(LyingIndex, DoesNotCondemnARecordThatStandsElsewhereInItsSegment) {
    expect_all_entries_although_a_row_lies(kOffsetAt);
}

TEST_F(LyingIndex, DoesNotCondemnARecordThatStandsInAnotherSegment) {
    expect_all_entries_although_a_row_lies(kSegmentAt);
}

TEST_F(LyingIndex, IsBuiltAnewWhenItNamesAnEntryThatTheLogDoesNotHave) {
    expect_all_entries_although_a_row_lies(kHashAt + 3);
}

TEST_F(LyingIndex, IsBuiltAnewWhenItNamesANewestRecordThatTheLogDoesNotHave) {
    const Bytes bytes = test::unsigned_receipt({{7}});
    const Digest receipt = name_of_plain(RecordKind::receipt, bytes);
    {
        const auto store = open();
        ASSERT_TRUE(store->stage_object(RecordKind::receipt, bytes));
        for (std::uint64_t i = 0; i < 6; ++i) commit(*store, Random(50 + i).bytes(8000));
    }
    ASSERT_FALSE(places(receipt.bytes).empty());
    for (const std::uint64_t place : places(receipt.bytes)) damage_index(place + 5, {0x7F});
    const auto store = open();
    EXPECT_EQ(*store->latest_receipt({{7}}), receipt);
}

TEST_F(LyingIndex, DoesNotGiveAHeadThatIsNotInTheLog) {
    while (places(rows.back()).empty()) rows.pop_back();  // those of the open segment
    for (const std::uint64_t place : places(rows.back())) damage_index(place + kNumberAt, {0x7F});

    const auto store = open();

    EXPECT_TRUE(store->recovery().index_rebuilt);
    EXPECT_EQ(store->head().sequence, head.sequence);
    EXPECT_EQ(store->head().hash, head.hash);
    expect_all(*store);
}

TEST_F(StoreIndexFile, NoticesThatSealedSegmentsAreGone) {
    fill();
    const auto names = machine.files.list("/data/store/segments");
    ASSERT_TRUE(names);
    for (std::size_t i = 1; i < names->size(); ++i)
        ASSERT_TRUE(machine.files.remove("/data/store/segments/" + (*names)[i]));
    // Whoever only reads must not keep it from the one who records next.
    for (int opened = 0; opened < 2; ++opened) {
        const auto store = open();
        EXPECT_THAT(store->recovery().damage,
                    testing::Contains(testing::HasSubstr("missing or empty, though what it held")));
        EXPECT_TRUE(store->recovery().index_rebuilt);
        EXPECT_TRUE(store->recovery().head_in_doubt);
    }
    VersionId id;
    {
        const auto store = open();
        ASSERT_TRUE(store->start_journal(start_body()));
        id = commit(*store, Random(99).bytes(100));
    }
    for (int opened = 0; opened < 2; ++opened) {
        const auto store = open();
        EXPECT_FALSE(store->recovery().head_in_doubt);
        EXPECT_THAT(store->recovery().damage, testing::Contains(testing::HasSubstr("missing")));
        EXPECT_EQ(store->recovery().index_rebuilt, opened == 0);
        EXPECT_EQ(*read_files(*store, id), Random(99).bytes(100));
    }
}

TEST_F(StoreIndexFile, TellsOfTheOpenSegmentWhenItIsLostOrEmptied) {
    for (const bool emptied : {false, true}) {
        SCOPED_TRACE(emptied ? "emptied" : "removed");
        ASSERT_TRUE(Index::remove(index));
        machine.files.restart();
        StoreMachine fresh;
        fresh.options = machine.options;
        auto store = *fresh.open();
        const auto item = stage_file(*store, "w.bin", Random(1).bytes(3000));
        ASSERT_TRUE(commit_version(*store, kRepo, "main", {*item}));
        ASSERT_EQ(store->counters().segments, 1u);
        store.reset();
        const std::string segment = "/data/store/segments/000001.seg";
        ASSERT_TRUE(fresh.files.remove(segment));
        if (emptied) {
            ASSERT_TRUE(fresh.files.create(segment));
        }
        for (int i = 0; i < 2; ++i) {  // whoever opens it next hears of it, too
            store = *fresh.open();
            ASSERT_EQ(store->recovery().damage.size(), 1u);
            EXPECT_THAT(store->recovery().damage.front(), testing::HasSubstr("000001.seg"));
            EXPECT_TRUE(store->recovery().head_in_doubt);
            store.reset();
        }
        store = *fresh.open();
        ASSERT_TRUE(store->start_journal(start_body()));
        const auto again = stage_file(*store, "w.bin", Random(2).bytes(3000));
        const auto id = commit_version(*store, kRepo, "main", {*again});
        ASSERT_TRUE(id);
        store = nullptr;
        store = *fresh.open();
        EXPECT_EQ(store->recovery().damage.size(), 1u) << "the gap stays named";
        EXPECT_EQ(*read_files(*store, *id), Random(2).bytes(3000));
    }
}

// Incompressible input; bytes handed to write, index included.
// One open segment, whose rows move to the file of the index four entries at a time, or at the end.
class KeptRows : public StoreIndexFile {
protected:
    KeptRows() {
        machine.options.segment_bytes = limits::kSegmentBytesDevice;
        machine.options.segment_records = 64;  // a sixteenth of that in RAM
    }
    void record(Store& store, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i)
            ids.push_back(commit(store, Random(ids.size()).bytes(8000)));
    }
    void fill() {
        const auto store = open();
        record(*store, 10);
    }
    std::optional<Index::Kept> kept(const std::string& path) {
        std::uint64_t written = 0;
        return Index::open(path, written).value()->kept().value();
    }
    Bytes segment_now() { return read_file(machine.files, segment, 1 << 20).value(); }

    const std::string segment = "/data/store/segments/000001.seg";
};

TEST_F(KeptRows, AreAllInTheFileAfterACleanEndAndUsedAgain) {
    fill();
    ASSERT_TRUE(kept(index));
    EXPECT_EQ(kept(index)->bytes, segment_now().size());

    const auto store = open();

    EXPECT_FALSE(store->recovery().index_rebuilt);
    expect_all(*store);
    const auto found = store->versions_by_prefix(to_hex(ids[3].digest.bytes), 2);
    EXPECT_EQ(found.value().size(), 1u);
}

TEST_F(KeptRows, AreTakenUpWhereAKillLeftThemAndTheRestIsReadBack) {
    const std::string left = dir / "left.sqlite";
    {
        const auto store = open();
        record(*store, 9);  // and the start of the journal
        for (const char* end : {"", "-wal"})
            ASSERT_TRUE(replace_file(system_files(), left + end,
                                     read_file(system_files(), index + end, 1 << 20).value()));
    }
    const auto before = kept(left);
    ASSERT_TRUE(before);
    ASSERT_LT(before->bytes, segment_now().size());
    machine.options.index_path = left;

    const auto store = open();

    EXPECT_FALSE(store->recovery().index_rebuilt);
    expect_all(*store);
    record(*store, 3);
    expect_all(*store);
}

TEST_F(KeptRows, GoOnIntoSealedSegments) {
    machine.options.segment_bytes = 32 * 1024;
    for (int life = 0; life < 8; ++life) {
        const auto store = open();
        EXPECT_FALSE(store->recovery().index_rebuilt);
        record(*store, 3);
    }
    const auto store = open();
    EXPECT_GE(store->counters().segments, 3u);
    expect_all(*store);
}

TEST_F(KeptRows, OfMoreThanTheLogHoldsAreNotBelieved) {
    fill();
    const Bytes earlier = segment_now();
    const std::vector<VersionId> known = ids;
    record(*open(), 5);
    ASSERT_TRUE(replace_file(machine.files, segment, earlier));
    ids = known;

    const auto store = open();

    EXPECT_TRUE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(KeptRows, OfAnotherSegmentOfThatNumberAreNotBelieved) {
    fill();
    machine.files.restart();
    ASSERT_TRUE(machine.files.remove(segment));
    ids.clear();
    StoreMachine other(2);
    other.options = machine.options;
    other.options.index_path = ":memory:";
    {
        const auto store = other.open().value();
        record(*store, 12);
    }
    ASSERT_TRUE(
        replace_file(machine.files, segment, read_file(other.files, segment, 1 << 20).value()));

    const auto store = open();

    EXPECT_TRUE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(KeptRows, WhoseExtentWasDamagedAreNotBelieved) {
    fill();
    {
        std::uint64_t written = 0;
        Database database(index, written);
        ASSERT_TRUE(database.open());
        ASSERT_TRUE(
            database.run("PRAGMA locking_mode = EXCLUSIVE;"
                         "UPDATE kept SET bytes = bytes - 64; DELETE FROM entry"));
    }
    const auto store = open();
    EXPECT_TRUE(store->recovery().index_rebuilt);
    expect_all(*store);
}

TEST_F(KeptRows, OfASegmentThatIsDamagedAreNotBelieved) {
    fill();
    Bytes damaged = segment_now();
    damaged[damaged.size() / 2] ^= 1;
    ASSERT_TRUE(replace_file(machine.files, segment, damaged));

    const auto store = open();

    EXPECT_TRUE(store->recovery().index_rebuilt);
    EXPECT_THAT(store->recovery().damage, testing::Not(testing::IsEmpty()));
    EXPECT_EQ(*read_files(*store, ids.front()), Random(0).bytes(8000));
    EXPECT_EQ(*read_files(*store, ids.back()), Random(9).bytes(8000));
}

TEST_F(StoreIndexFile, WritesLittleMoreThanItRecords) {
    machine.options.segment_bytes = limits::kSegmentBytesDevice;
    const auto store = open();
    const std::uint64_t plain_bytes = 30'000'000;
    for (std::uint64_t i = 0; i < 10; ++i) {
        const Bytes plain = Random(i).bytes(plain_bytes / 10);
        const auto item = stage_file(*store, "w.bin", plain, {}, 256 * 1024);
        ASSERT_TRUE(item);
        ASSERT_TRUE(commit_version(*store, kRepo, "main", {*item}));
    }
    const StoreCounters counters = store->counters();
    const double amplification =
        static_cast<double>(counters.written_bytes) / static_cast<double>(plain_bytes);
    RecordProperty("write_amplification", std::to_string(amplification));
    EXPECT_GE(counters.segments, 3U);
    EXPECT_LE(amplification, 1.02);
}

TEST_F(StoreIndexFile, WritesLittleForASmallDurableCommit) {
    machine.options.segment_bytes = 256 * 1024;  // so that seals and index writes are among them
    const auto store = open();
    ASSERT_TRUE(store->start_journal(start_body()));
    ASSERT_TRUE(store->commit());
    const std::uint64_t before = store->counters().written_bytes;
    constexpr std::uint64_t kCommits = 1000;
    for (std::uint64_t i = 0; i < kCommits; ++i) {
        machine.clock.advance(1000);
        commit(*store, Random(i).bytes(100));
    }
    const std::uint64_t each = (store->counters().written_bytes - before) / kCommits;
    RecordProperty("bytes_per_small_commit", std::to_string(each));
    EXPECT_GE(store->counters().segments, 4U);
    EXPECT_LE(each, 4096U);
}

}  // namespace
}  // namespace tributary
