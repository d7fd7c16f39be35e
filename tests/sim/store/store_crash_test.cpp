// A store on a disk that loses what was not synced: power cut before every call that changes the
// disk, several times over with different damage; every call failing; a second cut while the first
// is recovered from. Nothing acknowledged is lost, nothing is invented, the store always opens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <functional>
#include <map>
#include <set>
#include <string>

#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::commit_version;
using test::Random;
using test::read_files;
using test::SimFiles;
using test::stage_file;
using test::start_body;
using test::StoreMachine;

const std::string kRepo = "lab/model";

// The version that is committed once the trouble is over.
constexpr std::uint64_t kAfterwards = 40;

// What the world outside the store knows.
struct Expected {
    std::map<VersionId, Bytes> acknowledged;
    std::map<VersionId, Bytes> planned;  // that and what was under way
    std::set<VersionId> given_up;        // to make room, or about to be
    std::uint64_t recorded_bytes = 0;
    std::uint64_t head_sequence = 0;
    std::string last_error;
};

Bytes version_bytes(std::size_t number, std::size_t size) {
    Bytes plain = Random(7).bytes(size);
    // A part of the file is new in each version, the rest stays.
    Random(100 + number).fill(ByteSpan(plain).subspan(number * 701 % (size - 1500), 1500));
    return plain;
}

// Commits one version; true when it was acknowledged.
bool commit_one(StoreMachine& machine, Store& store, std::size_t number, std::size_t size,
                Expected& expected) {
    machine.clock.advance(1000);
    const Bytes plain = version_bytes(number, size);
    const Bytes before = number == 0 ? Bytes() : version_bytes(number - 1, size);
    const auto item = stage_file(store, "w.bin", plain, before, 4096);
    if (!item) return false;
    expected.planned[VersionId{}] = plain;  // under way: any id, these bytes
    const auto id = commit_version(store, kRepo, "main", {*item}, {}, "number");
    if (!id) return false;
    expected.acknowledged[*id] = plain;
    expected.planned[*id] = plain;
    expected.recorded_bytes += plain.size();
    expected.head_sequence = store.head().sequence;
    return true;
}

// Makes a store, commits through several seals, closes and opens it on the way. Ends at the first
// error.
void record_story(StoreMachine& machine, Expected& expected) {
    for (std::size_t number = 0; number < 9;) {
        auto store = machine.open();
        if (!store) return;
        for (int i = 0; i < 3; ++i, ++number)
            if (!commit_one(machine, **store, number, 6000, expected)) return;
    }
}

// A version larger than a batch goes to the log in parts.
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

// Another store's records and journal come in, as at a hub.
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

// Old versions are given up and what they took is won back, with work going on between the steps.
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

using Story = std::function<void(StoreMachine&, Expected&)>;

std::unique_ptr<StoreMachine> new_machine() {
    auto machine = std::make_unique<StoreMachine>();
    machine->options.segment_bytes = 6 * 1024;
    return machine;
}

void power_on(StoreMachine& machine) {
    machine.files.set_hook({});
    machine.files.restart();
}

// The disk is sound again: everything promised is there, nothing else, and work goes on.
void expect_whole(StoreMachine& machine, const Expected& expected, std::size_t others_max = 1) {
    auto store = machine.open();
    ASSERT_TRUE(store) << store.error().what;
    EXPECT_THAT((*store)->recovery().damage, testing::IsEmpty());
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
        bool planned = *read == version_bytes(kAfterwards, 6000);
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

std::uint64_t effects_of(const Story& story) {
    const auto machine = new_machine();
    Expected expected;
    story(*machine, expected);
    const std::uint64_t effects = machine->files.effects();
    EXPECT_FALSE(expected.acknowledged.empty()) << expected.last_error;
    EXPECT_TRUE(expected.given_up.empty() || expected.last_error.empty()) << expected.last_error;
    EXPECT_GE(machine->files.list("/data/store/segments")->size(), 2U) << "no segment was sealed";
    return effects;
}

void crash_everywhere(const Story& story, std::uint64_t seeds, std::uint64_t from = 0) {
    const std::uint64_t effects = effects_of(story);
    for (std::uint64_t at = from; at <= effects; ++at) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", seed " +
                         std::to_string(seed));
            const auto machine = new_machine();
            Expected expected;
            machine->files.crash_before_effect(at, seed);
            story(*machine, expected);
            if (at == effects) machine->files.crash(seed);
            power_on(*machine);
            expect_whole(*machine, expected);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutWhileRecording) {
    crash_everywhere(record_story, 8);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutInAVersionOfSeveralParts) {
    crash_everywhere(parts_story, 2);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutWhileAnotherJournalComesIn) {
    crash_everywhere(intake_story, 4);
}

TEST(StoreCrash, LosesNothingThatStaysWhereverThePowerIsCutWhileSpaceIsWon) {
    crash_everywhere(compact_story, 2, effects_of(record_story));
}

void crash_twice_everywhere(const Story& story, std::uint64_t from = 0, std::uint64_t stride = 1) {
    const std::uint64_t effects = effects_of(story);
    std::uint64_t second_cuts = 0;
    for (std::uint64_t at = from; at <= effects; at += stride) {
        const std::uint64_t seed = at * 31 + 5;
        for (std::uint64_t again = 0;; ++again) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", then before effect " +
                         std::to_string(again) + " of recovery");
            const auto machine = new_machine();
            Expected expected;
            machine->files.crash_before_effect(at, seed);
            story(*machine, expected);
            if (at == effects) machine->files.crash(seed);
            power_on(*machine);
            machine->files.crash_before_effect(machine->files.effects() + again, seed + again);
            const bool cut = !machine->open().has_value();
            if (cut) {
                ++second_cuts;
            } else {
                machine->files.crash(seed);
            }
            power_on(*machine);
            expect_whole(*machine, expected);
            if (testing::Test::HasFailure()) return;
            if (!cut) break;
        }
    }
    EXPECT_GT(second_cuts, (effects - from) / stride);
}

TEST(StoreCrash, RecoversFromASecondCutWhileItRecovers) { crash_twice_everywhere(record_story); }

TEST(StoreCrash, RecoversFromASecondCutAfterOneWhileSpaceWasWon) {
    crash_twice_everywhere(compact_story, effects_of(record_story), 4);
}

// A card that wears out turns read-only.
TEST(StoreCrash, ReadsAllThatIsThereOfAReadOnlyDiskAndChangesNothing) {
    const std::uint64_t effects = effects_of(compact_story);
    for (std::uint64_t at = 1; at <= effects; at += 3) {
        SCOPED_TRACE("cut before effect " + std::to_string(at));
        const auto machine = new_machine();
        Expected expected;
        machine->files.crash_before_effect(at, at);
        compact_story(*machine, expected);
        if (at == effects) machine->files.crash(at);
        power_on(*machine);
        machine->options.create = false;
        machine->files.fail_call(SimFiles::Effect::lock, 1, EROFS);
        const std::uint64_t before = machine->files.effects();
        const auto store = machine->open();
        if (!store && expected.acknowledged.empty()) continue;
        ASSERT_TRUE(store) << store.error().what;
        EXPECT_TRUE((*store)->recovery().read_only);
        EXPECT_THAT((*store)->recovery().damage, testing::IsEmpty());
        for (const auto& [id, plain] : expected.acknowledged) {
            const auto read = read_files(**store, id);
            ASSERT_TRUE(read) << "lost: " << read.error().what;
            EXPECT_EQ(*read, plain);
        }
        EXPECT_THAT(*(*store)->check(true), testing::IsEmpty());
        EXPECT_EQ((*store)->writable().error().code, Errc::denied);
        EXPECT_LE(machine->files.effects(), before + 1) << "the lock that was refused";
        if (testing::Test::HasFailure()) return;
    }
}

// A killed process leaves its writes in the page cache. What the next one shows from there may be
// acted on, so it must have been made durable.
TEST(StoreCrash, ShowsNothingAfterAKillThatAPowerCutCouldStillTake) {
    struct Killed {};
    const std::uint64_t effects = effects_of(record_story);
    for (std::uint64_t at = 0; at < effects; ++at) {
        SCOPED_TRACE("killed before effect " + std::to_string(at));
        const auto machine = new_machine();
        Expected expected;
        machine->files.set_hook([&](SimFiles::Effect, const std::string&) {
            if (machine->files.effects() == at) throw Killed();
        });
        try {
            record_story(*machine, expected);
        } catch (const Killed&) {
        }
        machine->files.set_hook({});
        auto store = machine->open();
        ASSERT_TRUE(store) << store.error().what;
        const auto rows = (*store)->versions(std::nullopt, 100);
        ASSERT_TRUE(rows);
        for (const VersionRow& row : *rows)
            expected.acknowledged[row.id] = *read_files(**store, row.id);
        expected.head_sequence = (*store)->head().sequence;
        store->reset();
        machine->files.crash(at);
        power_on(*machine);
        expect_whole(*machine, expected);
        if (testing::Test::HasFailure()) return;
    }
}

// Every call of a kind fails once, after which the process goes on, or the power is cut.
void fail_everywhere(SimFiles::Effect effect, int error_number, bool then_cut) {
    for (std::uint64_t nth = 1;; ++nth) {
        SCOPED_TRACE("call " + std::to_string(nth) + " fails with errno " +
                     std::to_string(error_number));
        const auto machine = new_machine();
        Expected expected;
        machine->files.fail_call(effect, nth, error_number);
        std::uint64_t calls = 0;
        machine->files.set_hook(
            [&](SimFiles::Effect e, const std::string&) { calls += e == effect ? 1 : 0; });
        record_story(*machine, expected);
        machine->files.set_hook({});
        if (then_cut) {
            machine->files.crash(nth);
            power_on(*machine);
        }
        if (calls < nth) break;
        expect_whole(*machine, expected);  // goes on recording; then the power is cut after all
        machine->files.crash(nth + 1);
        power_on(*machine);
        expect_whole(*machine, expected, 2);
        if (testing::Test::HasFailure()) return;
    }
}

TEST(StoreTrouble, LosesNothingAcknowledgedWhicheverCallFails) {
    using Effect = SimFiles::Effect;
    for (const Effect effect :
         {Effect::create, Effect::append, Effect::truncate, Effect::sync, Effect::rename,
          Effect::make_directory, Effect::sync_directory, Effect::lock}) {
        for (const int error_number : {ENOSPC, EIO}) {
            for (const bool then_cut : {false, true}) {
                fail_everywhere(effect, error_number, then_cut);
                ASSERT_FALSE(HasFailure()) << "effect " << static_cast<int>(effect);
            }
        }
    }
}

TEST(StoreTrouble, IsClosedForWritingAfterAFailedSyncAndStillReads) {
    const auto machine = new_machine();
    Expected expected;
    auto store = *machine->open();
    ASSERT_TRUE(commit_one(*machine, *store, 0, 6000, expected));
    machine->files.fail_call(SimFiles::Effect::sync, 1, EIO);
    EXPECT_FALSE(commit_one(*machine, *store, 1, 6000, expected));

    const auto again = store->stage_object(RecordKind::notes, as_bytes("more"));
    ASSERT_TRUE(again);
    const auto committed = store->commit();

    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Errc::unavailable);
    EXPECT_THAT(committed.error().what, testing::HasSubstr("open it again"));
    for (const auto& [id, plain] : expected.acknowledged) EXPECT_EQ(*read_files(*store, id), plain);
}

TEST(StoreTrouble, TurnsAwayWhatAFullDiskCannotHoldAndGoesOnWhenThereIsSpace) {
    const auto machine = new_machine();
    Expected expected;
    auto store = *machine->open();
    ASSERT_TRUE(commit_one(*machine, *store, 0, 6000, expected));
    machine->files.set_capacity(100'000);

    const auto item = stage_file(*store, "w.bin", version_bytes(1, 6000));
    const auto refused = commit_version(*store, kRepo, "main", {*item});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    EXPECT_THAT(refused.error().what, testing::HasSubstr("free some space"));
    machine->files.set_capacity(std::uint64_t{1} << 30);
    EXPECT_TRUE(store->commit());  // what was staged is still there
    store->abandon();
    EXPECT_TRUE(commit_one(*machine, *store, 2, 6000, expected));
    EXPECT_EQ(store->versions(std::nullopt, 10)->size(), 3U);
}

// One bit of the medium turns, anywhere in any segment: what is read is right or is an error, fsck
// tells, and versions that need no damaged record stay readable.
TEST(StoreDamage, IsFoundAndNamedAndHurtsOnlyWhatNeedsIt) {
    Expected expected;
    const auto count_bits = [&] {
        const auto machine = new_machine();
        record_story(*machine, expected);
        std::map<std::string, std::uint64_t> bytes;
        const auto names = *machine->files.list("/data/store/segments");
        for (const std::string& name : names)
            bytes[name] = machine->files.stat("/data/store/segments/" + name)->size;
        return bytes;
    }();
    ASSERT_GE(count_bits.size(), 3U);
    Random random(11);
    std::uint64_t silent = 0;
    for (int round = 0; round < 600; ++round) {
        const auto machine = new_machine();
        Expected now;
        record_story(*machine, now);
        auto file = count_bits.begin();
        std::advance(file, static_cast<long>(random.below(count_bits.size())));
        const std::uint64_t bit = random.below(file->second * 8);
        machine->files.flip_bit("/data/store/segments/" + file->first, bit);
        SCOPED_TRACE(file->first + " byte " + std::to_string(bit / 8));

        auto store = machine->open();
        ASSERT_TRUE(store) << store.error().what;
        const auto wrong = (*store)->check(true);
        ASSERT_TRUE(wrong) << wrong.error().what;
        std::size_t unreadable = 0;
        for (const auto& [id, plain] : now.acknowledged) {
            const auto read = read_files(**store, id);
            if (read) {
                EXPECT_EQ(*read, plain);
            } else {
                ++unreadable;
            }
        }
        if (wrong->empty() && (*store)->recovery().damage.empty()) {
            ++silent;  // only the last mark, which nothing behind it vouches for
            EXPECT_EQ(unreadable, 0U);
        } else {
            EXPECT_THAT(wrong->empty() ? (*store)->recovery().damage.front() : wrong->front(),
                        testing::HasSubstr(file->first));
        }
        Expected after;
        EXPECT_TRUE(commit_one(*machine, **store, kAfterwards, 6000, after)) << "cannot go on";
        for (const auto& [id, plain] : after.acknowledged)
            EXPECT_EQ(*read_files(**store, id), plain);
        if (HasFailure()) return;
    }
    EXPECT_LE(silent, 6U);
}

}  // namespace
}  // namespace tributary
