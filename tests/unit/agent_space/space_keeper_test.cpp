#include "agent/space/space_keeper.h"

#include "tests/unit/agent_space/space_fixture.h"

namespace tributary::agent {
namespace {

class SpaceKeeperTest : public SpaceTest {
protected:
    static constexpr std::uint64_t kQuota = 20 * kSegment;

    static bool always() { return true; }
    void fill_up() {
        while (stored() < kQuota - kSegment) record();
    }
    static void work(SpaceKeeper& space) {
        while (space.work()) {
        }
    }
};

TEST(SpaceLimits, AShareIsOfTheDiskAndNotTooSmall) {
    const std::uint64_t gib = 1ull << 30;
    EXPECT_EQ(space_limits({0, 50}, 32 * gib).quota_bytes, 32 * gib / 100 * 50);
    EXPECT_EQ(space_limits({0, 50}, 10 * limits::MiB).quota_bytes, kShareBytesMin);
    EXPECT_EQ(space_limits({0, 50}, 0).quota_bytes, 0u);
    EXPECT_EQ(space_limits({0, 0}, 32 * gib).quota_bytes, 0u);
    EXPECT_EQ(space_limits({7 * gib, 0}, 0).quota_bytes, 7 * gib);
}

TEST(SpaceLimits, SmallQuotasHaveSmallSegmentsAndOneInReserve) {
    const SpaceLimits small = space_limits({kQuotaBytesMin, 0}, 0);
    EXPECT_EQ(small.segment_bytes, 1 * limits::MiB);
    EXPECT_EQ(small.full_bytes(), 7 * limits::MiB);
    EXPECT_EQ(small.goal_bytes(), 6 * limits::MiB);
    EXPECT_LE(small.roomy_bytes(), small.full_bytes());
    const SpaceLimits large = space_limits({1ull << 30, 0}, 0);
    EXPECT_EQ(large.segment_bytes, limits::kSegmentBytesDevice);
    EXPECT_LT(large.goal_bytes(), large.roomy_bytes());
    EXPECT_LT(large.roomy_bytes(), large.full_bytes());
}

TEST_F(SpaceKeeperTest, DoesNothingWithoutAQuotaOrBelowIt) {
    record_many(20);
    log(receipt());
    auto none = keeper(0);
    EXPECT_FALSE(none.work());
    EXPECT_TRUE(none.admit(always));
    auto large = keeper(std::uint64_t{1} << 30);
    EXPECT_FALSE(large.work());
    EXPECT_TRUE(large.admit(always));
}

TEST_F(SpaceKeeperTest, MakesRoomInTheBackgroundDownToTheGoalAndNoFurther) {
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    work(space);
    EXPECT_LE(stored(), space.limits().goal_bytes());
    EXPECT_GT(stored(), space.limits().goal_bytes() / 2);
    EXPECT_TRUE(space.admit(always));
    EXPECT_FALSE(is_readable(all.front()));
    EXPECT_TRUE(is_readable(all.back()));
    EXPECT_THAT(store->check(true).value(), testing::IsEmpty());
}

TEST_F(SpaceKeeperTest, MakesRoomWhenTheDiskEndsBeforeTheQuota) {
    record_many(40);
    log(receipt());
    auto space = keeper(std::uint64_t{1} << 30);
    EXPECT_FALSE(space.work());
    constexpr std::uint64_t kLarge = 1'000'000'000;
    machine.files.set_capacity(kLarge);
    machine.files.set_capacity(kLarge - *machine.files.free_bytes("/") + 200'000);
    const std::uint64_t before = stored();

    work(space);

    EXPECT_LE(stored(), before - 2 * kSegment);
    EXPECT_GT(stored(), before / 4);
    EXPECT_FALSE(is_readable(all.front()));
    EXPECT_TRUE(is_readable(all.back()));
}

TEST_F(SpaceKeeperTest, NeverTakesMoreThanTheQuotaOnItsWay) {
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    std::uint64_t most = 0;
    while (space.work()) most = std::max(most, stored());
    EXPECT_LE(most, kQuota + kSegment / 2);
}

TEST_F(SpaceKeeperTest, WhatIsRecordedBetweenItsStepsIsSafe) {
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    for (int step = 0; space.work(); ++step)
        if (step % 5 == 0 && all.size() < 200) record("main", 500);
    const std::size_t newest = all.size() - 2;
    for (std::size_t i = newest; i < all.size(); ++i) EXPECT_TRUE(is_readable(all[i]));
    EXPECT_THAT(store->check(true).value(), testing::IsEmpty());
}

TEST_F(SpaceKeeperTest, RefusesAndSaysWhyWhenNothingMayGo) {
    fill_up();
    auto space = keeper(kQuota);
    const Status admitted = space.admit(always);
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error().code, Errc::exhausted);
    EXPECT_THAT(admitted.error().what,
                testing::HasSubstr("wait for the hub's receipt: " + std::to_string(all.size())));
    EXPECT_EQ(space.refusal(space.brief_survey()), admitted.error().what);
}

TEST_F(SpaceKeeperTest, SaysThatKeepVersionsHoldsThem) {
    config.store.keep_versions = 1000;
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    const Status admitted = space.admit(always);
    ASSERT_FALSE(admitted);
    EXPECT_THAT(admitted.error().what,
                testing::HasSubstr("wait for the hub's receipt: 0, that are the newest"));
}

TEST_F(SpaceKeeperTest, MakesRoomForACommitAtOnceWhenAReceiptHasCome) {
    fill_up();
    auto space = keeper(kQuota);
    ASSERT_FALSE(space.admit(always));
    log(receipt());
    EXPECT_TRUE(space.admit(always));
    EXPECT_LE(stored(), space.limits().goal_bytes());
}

TEST_F(SpaceKeeperTest, DoesNotTryAgainWhatWasInVain) {
    fill_up();
    auto space = keeper(kQuota);
    work(space);
    ASSERT_FALSE(space.admit(always));
    const std::uint64_t written = store->counters().written_bytes;
    const std::uint64_t effects = machine.files.effects();
    for (int i = 0; i < 100; ++i) {
        EXPECT_FALSE(space.work());
        EXPECT_FALSE(space.admit(always));
    }
    EXPECT_EQ(store->counters().written_bytes, written);
    EXPECT_EQ(machine.files.effects(), effects);
}

TEST_F(SpaceKeeperTest, GoesOnByItselfWhenAnInstallHasEnded) {
    fill_up();
    log(receipt());
    begin_download();
    auto space = keeper(kQuota);
    space.on_push_stored();
    const Status admitted = space.admit(always);
    ASSERT_FALSE(admitted);
    EXPECT_THAT(admitted.error().what, testing::HasSubstr("an install is downloading"));

    save_installs({});
    machine.clock.advance(60'000);

    EXPECT_TRUE(space.admit(always));
}

TEST_F(SpaceKeeperTest, WaitsForAPushThatComesOnAndNotForOneThatStandsStill) {
    fill_up();
    log(receipt());
    begin_download();
    auto space = keeper(kQuota);
    for (int i = 0; i < 3; ++i) {
        space.on_push_stored();
        machine.clock.advance(SpaceKeeper::kPatienceMs - 1);
        EXPECT_FALSE(space.admit(always));
        EXPECT_FALSE(space.work());
    }

    machine.clock.advance(60'000);  // the attempt in vain is not repeated before that

    EXPECT_TRUE(space.admit(always));
    EXPECT_LE(stored(), space.limits().goal_bytes());
}

TEST_F(SpaceKeeperTest, DoesNotWaitForAPushWhereNobodyTakesOne) {
    fill_up();
    log(receipt());
    begin_download();
    auto space = keeper(kQuota);
    EXPECT_TRUE(space.admit(always));
}

TEST_F(SpaceKeeperTest, ThinsNothingOutWhileTheHubIsThereAndReceipts) {
    config.store.when_full = "thin";
    fill_up();
    auto space = keeper(kQuota);
    for (int i = 0; i < 3; ++i) {
        space.on_hub_there();
        machine.clock.advance(SpaceKeeper::kPatienceMs - 1);
        EXPECT_FALSE(space.admit(always));
        EXPECT_NE(space.refusal(space.brief_survey()), "");
    }
    for (const VersionId& id : all) EXPECT_FALSE(store->thinned(id).value());

    machine.clock.advance(1);  // it is there, and takes nothing

    EXPECT_EQ(space.refusal(space.brief_survey()), "");
    EXPECT_TRUE(space.admit(always));
    EXPECT_LE(stored(), space.limits().goal_bytes());
}

TEST_F(SpaceKeeperTest, ThinsOutAtOnceWhenTheHubIsGone) {
    config.store.when_full = "thin";
    fill_up();
    auto space = keeper(kQuota);
    space.on_hub_there();
    EXPECT_FALSE(space.admit(always));
    space.on_hub_gone();
    EXPECT_TRUE(space.admit(always));
}

TEST_F(SpaceKeeperTest, DoesNotLookThroughLongJournalsToSayHowItStands) {
    record();
    auto space = keeper(kQuota);
    EXPECT_TRUE(space.brief_survey().value());
    for (std::uint64_t i = 0; i <= SpaceKeeper::kBriefEntriesMax; ++i)
        ASSERT_TRUE(store->stage_entry(ThinnedBody{{sha256(as_bytes("a version"))}}));
    ASSERT_TRUE(store->commit());
    ASSERT_GT(stored(), kQuota);
    EXPECT_FALSE(space.brief_survey().value());
    EXPECT_EQ(space.refusal(space.brief_survey()), "") << "the next attempt tells";
    const Status admitted = space.admit(always);
    ASSERT_FALSE(admitted);
    EXPECT_EQ(space.refusal(space.brief_survey()), admitted.error().what);
}

TEST_F(SpaceKeeperTest, EndsWhenNobodyWantsItAnyMore) {
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    int asked = 0;
    const Status admitted = space.admit([&] { return ++asked < 3; });
    ASSERT_FALSE(admitted);
    EXPECT_EQ(admitted.error().code, Errc::cancelled);
    EXPECT_TRUE(space.admit(always));
}

TEST_F(SpaceKeeperTest, DoesNotGiveUpMoreEachTimeItFails) {
    fill_up();
    log(receipt());
    const auto given_up = [&] {
        return std::ranges::count_if(all, [&](const auto& id) { return *store->evicted(id); });
    };
    auto space = keeper(kQuota);
    while (given_up() == 0 && space.work()) {
    }
    machine.files.set_capacity(0);  // it was said, and nothing is gone yet
    const auto first = given_up();
    for (int i = 0; i < 5; ++i) {
        work(space);
        EXPECT_FALSE(space.admit(always));
        machine.clock.advance(60'000);
    }
    EXPECT_LE(given_up(), first);
    machine.files.set_capacity(std::uint64_t{1} << 40);
    EXPECT_TRUE(space.admit(always));
}

TEST_F(SpaceKeeperTest, WhenItIsBrokenOffOverAndOverItGivesUpNoMoreThanOneRunWould) {
    fill_up();
    log(receipt());
    const std::uint64_t held = surveyed().held;
    for (int life = 0; life < 20; ++life) {
        auto space = keeper(kQuota);
        for (int step = 0; step < 5 && space.work(); ++step) {
        }
    }
    EXPECT_GT(surveyed().held, held / 2);
    auto space = keeper(kQuota);
    EXPECT_TRUE(space.admit(always));
    EXPECT_GT(surveyed().held, held / 2);
}

TEST_F(SpaceKeeperTest, ADryRunSaysWhatARunGivesUpAndWritesNothing) {
    fill_up();
    log(receipt());
    auto space = keeper(kQuota);
    const std::uint64_t effects = machine.files.effects();
    const auto dry = space.make_room({space.limits().goal_bytes(), false, true});
    while (!dry->step().value()) {
    }
    EXPECT_EQ(machine.files.effects(), effects);
    EXPECT_LE(dry->report().bytes_after, space.limits().goal_bytes());
    const auto wet = space.make_room({space.limits().goal_bytes(), false, false});
    while (!wet->step().value()) {
    }
    // Nearly: a run also writes, and begins each round from what the one before left.
    const auto& said = dry->report().given_up;
    const auto& done = wet->report().given_up;
    EXPECT_THAT(said, testing::Contains(done.front()));
    EXPECT_LE(done.size(), said.size() * 3 / 2);
    EXPECT_GE(done.size(), said.size() * 2 / 3);
}

TEST_F(SpaceKeeperTest, GivesUpMoreWhenVersionsShareMostOfTheirBytes) {
    // Each version changes little: the share of versions is not the share of bytes.
    Bytes plain = test::Random(1).bytes(60'000);
    while (stored() < kQuota - kSegment) {
        const Bytes before = plain;
        ++recorded;
        const auto changed = static_cast<std::size_t>(recorded * 997 % 50'000);
        test::Random(recorded).fill(ByteSpan(plain).subspan(changed, 2'000));
        const auto item = test::stage_file(*store, "w.bin", plain, before, 4096);
        all.push_back(test::commit_version(*store, "lab/model", "main", {item.value()}).value());
    }
    log(receipt());
    auto space = keeper(kQuota);
    work(space);
    EXPECT_LE(stored(), space.limits().goal_bytes());
    EXPECT_TRUE(is_readable(all.back()));
}

TEST_F(SpaceKeeperTest, ThinsOutOnlyWhenItIsToldToAndOnlyForRecording) {
    fill_up();
    auto refusing = keeper(kQuota);
    EXPECT_FALSE(refusing.admit(always));
    config.store.when_full = "thin";
    auto space = keeper(kQuota);
    work(space);
    EXPECT_EQ(surveyed().held, all.size());
    EXPECT_EQ(space.refusal(space.brief_survey()), "");

    EXPECT_TRUE(space.admit(always));

    EXPECT_LE(stored(), space.limits().goal_bytes());
    EXPECT_TRUE(is_readable(all.front()));
    EXPECT_TRUE(is_readable(all.back()));
    std::size_t dropped = 0, in_a_row = 0, longest = 0;
    for (int i = 0; i < 2; ++i) {
        dropped = 0;
        for (const VersionId& id : all) {
            const bool readable = is_readable(id);
            EXPECT_TRUE(readable || store->thinned(id).value()) << "the journal says so";
            dropped += readable ? 0 : 1;
            in_a_row = readable ? 0 : in_a_row + 1;
            longest = std::max(longest, in_a_row);
        }
        EXPECT_THAT(store->check(true).value(), testing::IsEmpty());
        store.reset();
        store = machine.open().value();
    }
    EXPECT_GT(dropped, all.size() / 5);
    EXPECT_LE(longest, 3u) << "what is left spans the run";
}

TEST_F(SpaceKeeperTest, ThinsNothingOutAsLongAsReceiptedVersionsMayGo) {
    config.store.when_full = "thin";
    while (stored() < kQuota / 2) record();
    log(receipt());
    fill_up();
    auto space = keeper(kQuota);
    EXPECT_TRUE(space.admit(always));
    for (const VersionId& id : all) EXPECT_FALSE(store->thinned(id).value());
}

TEST_F(SpaceKeeperTest, ThinsOutAgainAndAgainUntilOnlyTheFirstAndTheNewestAreLeft) {
    config.store.when_full = "thin";
    config.store.keep_versions = 10;
    auto space = keeper(kQuota);
    while (all.size() < 150 && space.admit(always)) record();
    EXPECT_EQ(all.size(), 150u);
    EXPECT_LE(stored(), kQuota);
    const Retention found = surveyed();
    EXPECT_GE(found.held, 11u);
    EXPECT_TRUE(is_readable(all.front()));
    for (std::size_t i = all.size() - 10; i < all.size(); ++i) EXPECT_TRUE(is_readable(all[i]));
    config.store.keep_versions = 1000;
    auto strict = keeper(kQuota);
    while (stored() < kQuota - kSegment) record();
    EXPECT_FALSE(strict.admit(always)) << "nothing is in the middle";
}

TEST_F(SpaceKeeperTest, ThinningOutThatAPowerCutEndsIsSaidInTheJournalOrNotBegun) {
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        while (stored() < kQuota - kSegment) record();
        {
            auto space = keeper(kQuota);
            const auto maker =
                space.make_room({.target_bytes = space.limits().goal_bytes(), .thin = true});
            for (std::uint64_t step = 0; step < seed * 37; ++step)
                if (maker->step().value()) break;
        }
        machine.files.crash(seed);
        machine.files.restart();
        store.reset();
        store = machine.open().value();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const bool stays = i == 0 || i + config.store.keep_versions >= all.size();
            const bool dropped = store->evicted(all[i]).value() && store->thinned(all[i]).value();
            EXPECT_TRUE(is_readable(all[i]) || (!stays && dropped)) << i;
        }
        EXPECT_THAT(store->check(true).value(), testing::IsEmpty());
    }
}

TEST_F(SpaceKeeperTest, EndsThoughWhatItGaveUpIsSharedByWhatStays) {
    const Bytes plain = test::Random(1).bytes(6000);
    for (int i = 0; i < 40; ++i) {
        machine.clock.advance(1000);
        const auto item = test::stage_file(*store, "w.bin", plain, {}, 4096);
        all.push_back(test::commit_version(*store, "lab/model", "main", {item.value()}).value());
    }
    log(receipt());
    auto space = keeper(kQuota);
    const auto maker = space.make_room({0, true, false});
    int steps = 1;
    while (!maker->step().value()) ASSERT_LT(++steps, 10'000);
    EXPECT_EQ(maker->report().given_up.size(), 38u);
    for (const VersionId& id : all) EXPECT_TRUE(is_readable(id));
}

TEST_F(SpaceKeeperTest, LosesNothingToAPowerCutAtAnyMoment) {
    for (std::uint64_t seed = 1; seed <= 12; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        while (stored() < kQuota - kSegment) record();
        log(receipt());
        record_many(2);
        {
            auto space = keeper(kQuota);
            for (std::uint64_t step = 0; step < seed * 23 && space.work(); ++step) {
            }
        }
        machine.files.crash(seed);
        machine.files.restart();
        store.reset();
        store = machine.open().value();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const bool newest = i + config.store.keep_versions >= all.size();
            const auto read = test::read_files(*store, all[i]);
            EXPECT_TRUE(read || (!newest && store->evicted(all[i]).value()))
                << i << " of " << all.size() << ": " << read.error().what << " evicted "
                << store->evicted(all[i]).value();
        }
        EXPECT_THAT(store->check(true).value(), testing::IsEmpty());
    }
}

}  // namespace
}  // namespace tributary::agent
