#include "tests/sim/store/stories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/store/two_bases.h"

namespace tributary::test {

Bytes version_bytes(std::size_t number, std::size_t size) {
    Bytes plain = Random(7).bytes(size);
    // A part of the file is new in each version, the rest stays.
    Random(100 + number).fill(ByteSpan(plain).subspan(number * 701 % (size - 1500), 1500));
    return plain;
}

// A second file: weights that go on as they went, each version of which stands on two.
static Bytes weights(std::size_t number) {
    Trending trending(3);
    Bytes plain = trending.next();
    for (std::size_t i = 0; i < number; ++i) plain = trending.next();
    return plain;
}

static Bytes both_files(std::size_t number, std::size_t size) {
    Bytes plain = version_bytes(number, size);
    const Bytes more = weights(number);
    plain.insert(plain.end(), more.begin(), more.end());
    return plain;
}

bool commit_one(StoreMachine& machine, Store& store, std::size_t number, std::size_t size,
                Expected& expected) {
    machine.clock.advance(1000);
    const Bytes plain = both_files(number, size);
    const Bytes before = number == 0 ? Bytes() : version_bytes(number - 1, size);
    const auto item = stage_file(store, "w.bin", version_bytes(number, size), before, 4096);
    const Bytes now = weights(number);
    if (!item || !stage_weights(store, now, number == 0 ? Bytes() : weights(number - 1)))
        return false;
    const TreeItem second{TreeItem::Type::file, "weights", sha256(now), now.size()};
    expected.planned[VersionId{}] = plain;  // under way: any id, these bytes
    const auto id = commit_version(store, kRepo, "main", {*item, second}, {}, "number");
    if (!id) return false;
    expected.acknowledged[*id] = plain;
    expected.planned[*id] = plain;
    expected.recorded_bytes += plain.size();
    expected.head_sequence = store.head().sequence;
    return true;
}

void record_story(StoreMachine& machine, Expected& expected) {
    for (std::size_t number = 0; number < 9;) {
        auto store = machine.open();
        if (!store) return;
        for (int i = 0; i < 3; ++i, ++number)
            if (!commit_one(machine, **store, number, 6000, expected)) return;
    }
}

void parts_story(StoreMachine& machine, Expected& expected) {
    auto store = machine.open();
    if (!store) return;
    const std::size_t size = Store::kBatchBytes + 50'000;
    for (std::size_t number = 0; number < 2; ++number) {
        machine.clock.advance(1000);
        const Bytes plain = Random(number).bytes(size);
        const auto item = stage_file(**store, "w.bin", plain, {}, 256 * 1024);
        if (!item) return;
        const auto id = commit_version(**store, kRepo, "main", {*item});
        if (!id) {
            expected.planned[VersionId{}] = plain;
            return;
        }
        expected.acknowledged[*id] = expected.planned[*id] = plain;
        expected.recorded_bytes += plain.size();
        expected.head_sequence = (*store)->head().sequence;
    }
}

void drop_story(StoreMachine& machine, Expected& expected) {
    auto store = machine.open();
    if (!store) return;
    for (std::size_t number = 0; number < 2; ++number) {
        if (!commit_one(machine, **store, number, 6000, expected)) return;
        const std::uint64_t stored = (*store)->counters().stored_bytes;
        const Bytes plain = Random(number).bytes(2 * Store::kBatchBytes + 300'000);
        if (!stage_file(**store, "w.bin", plain, {}, 256 * 1024)) return;
        if ((*store)->counters().stored_bytes < stored + 2 * Store::kBatchBytes)
            expected.last_error = "no part went to the log";
        (*store)->abandon();
        if (!(*store)->writable()) return;
        if ((*store)->counters().stored_bytes != stored)
            expected.last_error = "what was given up is still there";
        if (number == 1) break;
        store->reset();
        store = machine.open();
        if (!store) return;
    }
    (void)commit_one(machine, **store, 2, 3 * Store::kBatchBytes / 2, expected);
}

void drop_in_large_segments_story(StoreMachine& machine, Expected& expected) {
    machine.options.segment_bytes = 3 * Store::kBatchBytes / 2;
    drop_story(machine, expected);
}

void intake_story(StoreMachine& machine, Expected& expected) {
    StoreMachine device(2);
    device.options.segment_bytes = 1024 * 1024;
    auto from = *device.open();
    for (std::size_t number = 0; number < 4; ++number) {
        Expected there;
        ASSERT_TRUE(commit_one(device, *from, number, 6000, there));
        expected.planned.insert(there.planned.begin(), there.planned.end());
    }
    auto store = machine.open();
    if (!store) return;
    if (!(*store)->start_journal(start_body())) return;
    Status staged = (*store)->commit();
    std::set<RecordKey> sent;
    const auto send = [&](const RecordKey& key) {
        if (staged && sent.insert(key).second)
            staged = (*store)->stage_record(*from->read_record(key));
    };
    (void)from->read_entries(from->head().incarnation, 1, [&](ByteView plain) {
        const EntryView entry = *parse_entry(plain);
        if (entry.header.kind == EntryKind::commit) {
            const auto body = std::get<CommitBody>(*parse_body(entry.header.kind, entry.body));
            const Version version = *read_version(*from, body.version);
            EXPECT_TRUE(walk_tree(version.tree, tree_loader(*from),
                                  [&](const std::string&, const TreeItem& file) {
                                      const BlobId blob{file.target};
                                      const Recipe recipe = *read_recipe(*from, blob, file.size);
                                      for (const RecipePiece& piece : recipe.pieces)
                                          send({RecordKind::piece, piece.id.digest});
                                      if (recipe.pieces.size() > 1)
                                          send({RecordKind::recipe, blob.digest});
                                      return Status();
                                  }));
            send({RecordKind::tree, version.tree.digest});
            send({RecordKind::notes, version.notes.digest});
            send({RecordKind::version, body.version.digest});
            if (staged) staged = (*store)->stage_foreign_entry(plain);
            if (staged) staged = (*store)->commit();
            if (staged) expected.acknowledged[body.version] = expected.planned[body.version];
        } else if (staged) {
            staged = (*store)->stage_foreign_entry(plain);
        }
        return staged.has_value();
    });
    if (!staged) expected.last_error = staged.error().what;
}

void compact_story(StoreMachine& machine, Expected& expected) {
    record_story(machine, expected);
    auto store = machine.open();
    if (!store || expected.acknowledged.size() < 9) return;
    const auto rows = (*store)->versions(kRepo, 100);
    if (!rows) return;
    CompactionPlan plan;
    plan.dead_percent_min = 1;
    for (std::size_t i = 3; i < rows->size(); ++i) {
        plan.evict.push_back((*rows)[i].id);
        expected.given_up.insert((*rows)[i].id);
        expected.acknowledged.erase((*rows)[i].id);
    }
    auto compaction = (*store)->compact(plan);
    if (!compaction) return;
    std::size_t number = 9;
    for (int steps = 0;; ++steps) {
        const auto done = (*compaction)->step();
        if (!done || *done) break;
        if (steps % 8 == 7 && !commit_one(machine, **store, number++, 6000, expected)) return;
    }
    if ((*compaction)->report().segments_removed < 3) expected.last_error = "nothing was won";
}

void rebuild_story(StoreMachine& machine, Expected& expected) {
    record_story(machine, expected);
    const std::string index = join_path(kStore, "index.sqlite");
    for (const char* suffix : {"", "-wal"})
        if (machine.files.stat(index + suffix) && !machine.files.remove(index + suffix)) return;
    auto store = machine.open();
    if (!store || expected.acknowledged.size() < 9) return;
    for (std::size_t number = 9; number < 12; ++number)
        if (!commit_one(machine, **store, number, 6000, expected)) return;
}

void expect_whole(StoreMachine& machine, const Expected& expected, std::size_t others_max) {
    auto store = machine.open();
    ASSERT_TRUE(store) << store.error().what;
    EXPECT_THAT((*store)->recovery().damage, testing::IsEmpty());
    EXPECT_EQ((*store)->recovery().index_trouble, "");
    const auto wrong = (*store)->check(true);
    ASSERT_TRUE(wrong) << wrong.error().what;
    EXPECT_THAT(*wrong, testing::IsEmpty());
    for (const auto& [id, plain] : expected.acknowledged) {
        const auto read = read_files(**store, id);
        ASSERT_TRUE(read) << "lost: " << read.error().what;
        EXPECT_EQ(*read, plain);
    }
    const auto rows = (*store)->versions(std::nullopt, 1000);
    ASSERT_TRUE(rows);
    EXPECT_LE(rows->size(), expected.acknowledged.size() + expected.given_up.size() + others_max);
    for (const VersionRow& row : *rows) {
        if (expected.acknowledged.contains(row.id)) continue;
        if (expected.given_up.contains(row.id) && *(*store)->evicted(row.id)) continue;
        const auto read = read_files(**store, row.id);
        ASSERT_TRUE(read) << "half there: " << read.error().what;
        bool planned = *read == both_files(kAfterwards, 6000);
        for (const auto& [id, plain] : expected.planned) planned |= plain == *read;
        EXPECT_TRUE(planned) << "invented";
    }
    EXPECT_GE((*store)->head().sequence, expected.head_sequence);
    EXPECT_GE((*store)->counters().recorded_bytes, expected.recorded_bytes);

    Expected after;
    if (!(*store)->head().incarnation.is_none() || (*store)->start_journal(start_body())) {
        EXPECT_TRUE(commit_one(machine, **store, kAfterwards, 6000, after));
    }
    store->reset();
    store = machine.open();
    ASSERT_TRUE(store);
    for (const auto& [id, plain] : after.acknowledged) EXPECT_EQ(*read_files(**store, id), plain);
}

std::uint64_t effects_of(const Story& story, IndexOn index) {
    Machine machine(index);
    Expected expected;
    story(machine, expected);
    const std::uint64_t effects = machine.files.effects();
    EXPECT_FALSE(expected.acknowledged.empty());
    EXPECT_EQ(expected.last_error, "");
    EXPECT_GE(machine.files.list(kStore + "/segments")->size(), 2U) << "no segment was sealed";
    EXPECT_EQ(machine.files.stat(kStore + "/index.sqlite").has_value(), index == IndexOn::disk);
    return effects;
}

}  // namespace tributary::test
