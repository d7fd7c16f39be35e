// A store on a disk that loses what was not synced: power cut before every call that changes the
// disk, several times over with different damage; every call failing; a second cut while the first
// is recovered from. Nothing acknowledged is lost, nothing is invented, the store always opens.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "tests/sim/store/stories.h"
#include "tests/support/full_counts.h"

namespace tributary {
namespace {

using namespace test;
using test::Random;

void crash_everywhere(const Story& story, std::uint64_t seeds, std::uint64_t from = 0,
                      IndexOn index = IndexOn::ram, std::uint64_t stride = 1) {
    const std::uint64_t effects = effects_of(story, index);
    for (std::uint64_t at = from; at <= effects; at += stride) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", seed " +
                         std::to_string(seed));
            Machine machine(index);
            Expected expected;
            machine.files.crash_before_effect(at, seed);
            story(machine, expected);
            if (at == effects) machine.files.crash(seed);
            machine.power_on();
            expect_whole(machine, expected);
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutWhileRecording) {
    crash_everywhere(record_story, 8);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutInAVersionOfSeveralParts) {
    crash_everywhere(parts_story, damage_seeds(2));
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutWhileWhatFailedIsDropped) {
    crash_everywhere(drop_story, damage_seeds(1));
    crash_everywhere(drop_in_large_segments_story, damage_seeds(1));
}

TEST(StoreCrash, LosesNothingAcknowledgedWhereverThePowerIsCutWhileAnotherJournalComesIn) {
    crash_everywhere(intake_story, damage_seeds(4));
}

TEST(StoreCrash, LosesNothingThatStaysWhereverThePowerIsCutWhileSpaceIsWon) {
    crash_everywhere(compact_story, damage_seeds(2), effects_of(record_story));
}

// SQLite's files are on the disk, too, with many more effects: whatever of the index is lost or
// torn, the log wins.
void crash_with_index_everywhere(const Story& story, std::uint64_t from) {
    crash_everywhere(story, damage_seeds(1), from, IndexOn::disk, cuts_asked() ? 1 : 5);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhateverIsLeftOfTheIndexWhileRecording) {
    crash_with_index_everywhere(record_story, 0);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhateverIsLeftOfTheIndexWhileWhatFailedIsDropped) {
    crash_with_index_everywhere(drop_story, 0);
    crash_with_index_everywhere(drop_in_large_segments_story, 0);
}

TEST(StoreCrash, LosesNothingAcknowledgedWhateverIsLeftOfTheIndexWhileSpaceIsWon) {
    crash_with_index_everywhere(compact_story, effects_of(record_story, IndexOn::disk));
}

TEST(StoreCrash, LosesNothingAcknowledgedWhateverIsLeftOfAnIndexThatIsBuiltAnew) {
    crash_with_index_everywhere(rebuild_story, effects_of(record_story, IndexOn::disk));
}

void crash_twice_everywhere(const Story& story, std::uint64_t from = 0, std::uint64_t stride = 1) {
    const std::uint64_t effects = effects_of(story);
    std::uint64_t second_cuts = 0;
    for (std::uint64_t at = from; at <= effects; at += stride) {
        const std::uint64_t seed = at * 31 + 5;
        for (std::uint64_t again = 0;; ++again) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", then before effect " +
                         std::to_string(again) + " of recovery");
            Machine machine;
            Expected expected;
            machine.files.crash_before_effect(at, seed);
            story(machine, expected);
            if (at == effects) machine.files.crash(seed);
            machine.power_on();
            machine.files.crash_before_effect(machine.files.effects() + again, seed + again);
            const bool cut = !machine.open().has_value();
            if (cut) {
                ++second_cuts;
            } else {
                machine.files.crash(seed);
            }
            machine.power_on();
            expect_whole(machine, expected);
            if (testing::Test::HasFailure()) return;
            if (!cut) break;
        }
    }
    EXPECT_GT(second_cuts, (effects - from) / stride);
}

TEST(StoreCrash, RecoversFromASecondCutWhileItRecovers) { crash_twice_everywhere(record_story); }

TEST(StoreCrash, RecoversFromASecondCutAfterOneWhileWhatFailedWasDropped) {
    crash_twice_everywhere(drop_in_large_segments_story, 0, 3);
}

TEST(StoreCrash, RecoversFromASecondCutAfterOneWhileSpaceWasWon) {
    crash_twice_everywhere(compact_story, effects_of(record_story), 4);
}

// ---- cuts at random: any story, any effect, any damage, perhaps a second cut in recovery ----

constexpr std::uint64_t kCutsSeed = 20261121;

void cut_at_random(std::uint64_t seed, const Story& story, std::uint64_t effects, IndexOn index) {
    Random random(seed);
    Machine machine(index);
    Expected expected;
    machine.files.crash_before_effect(random.next() % effects, random.next());
    story(machine, expected);
    machine.power_on();
    if (random.one_in(2)) {
        machine.files.crash_before_effect(machine.files.effects() + random.below(60u),
                                          random.next());
        (void)machine.open();
        machine.files.crash(random.next());
        machine.power_on();
    }
    if (index == IndexOn::disk && random.one_in(8))
        (void)machine.files.remove(kStore + "/index.sqlite");
    expect_whole(machine, expected);
}

TEST(StoreCrash, LosesNothingAcknowledgedAtRandomCuts) {
    struct Kind {
        Story story;
        IndexOn index;
        std::uint64_t effects;
    };
    std::vector<Kind> kinds;
    for (const Story& story : {Story(record_story), Story(parts_story), Story(drop_story),
                               Story(intake_story), Story(compact_story), Story(rebuild_story)})
        for (const IndexOn index : {IndexOn::ram, IndexOn::disk})
            kinds.push_back({story, index, effects_of(story, index)});
    const std::uint64_t count = cuts_asked().value_or(100);
    for (std::uint64_t i = 0; i < count && !HasFailure(); ++i) {
        const auto kind = static_cast<std::size_t>(i % kinds.size());
        SCOPED_TRACE("seed " + std::to_string(kCutsSeed + i) + ", story and index " +
                     std::to_string(kind));
        cut_at_random(kCutsSeed + i, kinds[kind].story, kinds[kind].effects, kinds[kind].index);
    }
}

// A card that wears out turns read-only.
TEST(StoreCrash, ReadsAllThatIsThereOfAReadOnlyDiskAndChangesNothing) {
    const std::uint64_t effects = effects_of(compact_story);
    for (std::uint64_t at = 1; at <= effects; at += 3) {
        SCOPED_TRACE("cut before effect " + std::to_string(at));
        Machine machine;
        Expected expected;
        machine.files.crash_before_effect(at, at);
        compact_story(machine, expected);
        if (at == effects) machine.files.crash(at);
        machine.power_on();
        machine.options.create = false;
        machine.files.fail_call(SimFiles::Effect::lock, 1, EROFS);
        const std::uint64_t before = machine.files.effects();
        const auto store = machine.open();
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
        EXPECT_LE(machine.files.effects(), before + 1) << "the lock that was refused";
        if (testing::Test::HasFailure()) return;
    }
}

// A controller that mistakes an address answers with other bytes, and no error. Nothing wrong is
// believed, and nothing is done to the store because of it.
TEST(StoreCrash, BelievesNoReadThatCameFromElsewhereAndLosesNothingByIt) {
    const std::uint64_t stride = cuts_asked() ? 1 : 9;
    std::uint64_t noticed = 0;
    for (std::uint64_t seed = 0; seed < damage_seeds(1); ++seed) {
        for (std::uint64_t nth = 1;; nth += stride) {
            SCOPED_TRACE("read " + std::to_string(nth) + ", seed " + std::to_string(seed));
            Machine machine;
            Expected expected;
            record_story(machine, expected);
            machine.files.misdirect_read(nth, 1000 * nth + seed);
            if (auto store = machine.open()) {
                for (const auto& [id, plain] : expected.acknowledged) {
                    const auto read = read_files(**store, id);
                    noticed += !read;
                    EXPECT_EQ(read.value_or(plain), plain);
                }
            }
            const bool over = machine.files.misdirects();
            machine.files.misdirect_read(UINT64_MAX, 0);
            expect_whole(machine, expected);
            if (testing::Test::HasFailure()) return;
            if (over) break;
        }
    }
    EXPECT_GT(noticed, 0u);
}

// A killed process leaves its writes in the page cache. What the next one shows from there may be
// acted on, so it must have been made durable.
TEST(StoreCrash, ShowsNothingAfterAKillThatAPowerCutCouldStillTake) {
    struct Killed {};
    const std::uint64_t effects = effects_of(record_story);
    for (std::uint64_t at = 0; at < effects; ++at) {
        SCOPED_TRACE("killed before effect " + std::to_string(at));
        Machine machine;
        Expected expected;
        machine.files.set_hook([&](SimFiles::Effect, const std::string&) {
            if (machine.files.effects() == at) throw Killed();
        });
        try {
            record_story(machine, expected);
        } catch (const Killed&) {
        }
        machine.files.set_hook({});
        auto store = machine.open();
        ASSERT_TRUE(store) << store.error().what;
        const auto rows = (*store)->versions(std::nullopt, 100);
        ASSERT_TRUE(rows);
        for (const VersionRow& row : *rows)
            expected.acknowledged[row.id] = *read_files(**store, row.id);
        expected.head_sequence = (*store)->head().sequence;
        store->reset();
        machine.files.crash(at);
        machine.power_on();
        expect_whole(machine, expected);
        if (testing::Test::HasFailure()) return;
    }
}

// Every call of a kind fails once, after which the process goes on, or the power is cut.
void fail_everywhere(const Story& story, SimFiles::Effect effect, int error_number, bool then_cut) {
    for (std::uint64_t nth = 1;; ++nth) {
        SCOPED_TRACE("call " + std::to_string(nth) + " fails with errno " +
                     std::to_string(error_number));
        Machine machine;
        Expected expected;
        machine.files.fail_call(effect, nth, error_number);
        std::uint64_t calls = 0;
        machine.files.set_hook(
            [&](SimFiles::Effect e, const std::string&) { calls += e == effect ? 1 : 0; });
        story(machine, expected);
        machine.files.set_hook({});
        if (then_cut) {
            machine.files.crash(nth);
            machine.power_on();
        }
        if (calls < nth) break;
        expect_whole(machine, expected);  // goes on recording; then the power is cut after all
        machine.files.crash(nth + 1);
        machine.power_on();
        expect_whole(machine, expected, 2);
        if (testing::Test::HasFailure()) return;
    }
}

void fail_everywhere(const Story& story, std::initializer_list<int> error_numbers) {
    using Effect = SimFiles::Effect;
    for (const Effect effect :
         {Effect::create, Effect::append, Effect::truncate, Effect::sync, Effect::rename,
          Effect::remove, Effect::make_directory, Effect::sync_directory, Effect::lock}) {
        for (const int error_number : error_numbers) {
            for (const bool then_cut : {false, true}) {
                fail_everywhere(story, effect, error_number, then_cut);
                ASSERT_FALSE(testing::Test::HasFailure()) << "effect " << static_cast<int>(effect);
            }
        }
    }
}

TEST(StoreTrouble, LosesNothingAcknowledgedWhicheverCallFails) {
    fail_everywhere(record_story, {ENOSPC, EIO});
}

TEST(StoreTrouble, LosesNothingAcknowledgedWhicheverCallFailsWhileWhatFailedIsDropped) {
    fail_everywhere(drop_in_large_segments_story, {EIO});
}

TEST(StoreTrouble, IsClosedForWritingAfterAFailedSyncAndStillReads) {
    Machine machine;
    Expected expected;
    auto store = *machine.open();
    ASSERT_TRUE(commit_one(machine, *store, 0, 6000, expected));
    machine.files.fail_call(SimFiles::Effect::sync, 1, EIO);
    EXPECT_FALSE(commit_one(machine, *store, 1, 6000, expected));

    const auto again = store->stage_object(RecordKind::notes, as_bytes("more"));
    ASSERT_TRUE(again);
    const auto committed = store->commit();

    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Errc::unavailable);
    EXPECT_THAT(committed.error().what, testing::HasSubstr("open it again"));
    for (const auto& [id, plain] : expected.acknowledged) EXPECT_EQ(*read_files(*store, id), plain);
}

TEST(StoreTrouble, TurnsAwayWhatAFullDiskCannotHoldAndGoesOnWhenThereIsSpace) {
    Machine machine;
    Expected expected;
    auto store = *machine.open();
    ASSERT_TRUE(commit_one(machine, *store, 0, 6000, expected));
    machine.files.set_capacity(100'000);

    const auto item = stage_file(*store, "w.bin", version_bytes(1, 6000));
    const auto refused = commit_version(*store, kRepo, "main", {*item});

    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::exhausted);
    EXPECT_THAT(refused.error().what, testing::HasSubstr("free some space"));
    machine.files.set_capacity(std::uint64_t{1} << 30);
    EXPECT_TRUE(store->commit());  // what was staged is still there
    store->abandon();
    EXPECT_TRUE(commit_one(machine, *store, 2, 6000, expected));
    EXPECT_EQ(store->versions(std::nullopt, 10)->size(), 3U);
}

}  // namespace
}  // namespace tributary
