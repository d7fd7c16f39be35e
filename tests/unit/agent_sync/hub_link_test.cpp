// The board's end of the conversation, over real stores.
#include "agent/sync/new_journal.h"
#include "tests/unit/agent_sync/bench.h"
#include "tests/unit/store/two_bases.h"

namespace tributary {
namespace {

using test::Bench;
using test::must;
using test::Random;

constexpr std::uint64_t kSilentMs = 3 * 60'000;  // three heartbeats

TEST(HubLink, ARecordedVersionIsWholeAtTheHubOnceItsReceiptIsLogged) {
    Bench bench;
    const Bytes plain = Random(3).bytes(300'000);
    const VersionId id = bench.commit(plain);

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(id));
    EXPECT_EQ(must(test::read_files(*bench.hub.store, id)), plain);
    EXPECT_THAT(bench.receipts.back().whole, testing::ElementsAre(id));
}

TEST(HubLink, WhatIsCommittedLaterFollowsByItself) {
    Bench bench;
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));

    const VersionId id = bench.commit(Random(3).bytes(50'000));

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(id));
}

TEST(HubLink, OnlyWhatChangedTravels) {
    Bench bench;
    Bytes plain = Random(3).bytes(1'000'000);
    const VersionId first = bench.commit(plain);
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    const std::uint64_t sent_before = bench.bytes[0];

    const Bytes before = plain;
    plain[500'000] ^= 1;
    bench.commit(plain, before, {first});

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_LT(bench.bytes[0] - sent_before, 20'000U);
}

TEST(HubLink, ManyVersionsGoInSeveralPlansAndNoObjectTwice) {
    Bench bench;
    std::vector<VersionId> parents;
    Bytes plain = Random(3).bytes(2'000);
    for (int i = 0; i < 150; ++i) {
        plain[0] = static_cast<std::uint8_t>(i);
        parents = {bench.commit(plain, {}, parents)};
    }

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(parents.front()));
    EXPECT_THAT(bench.hub.entries_taken, testing::ElementsAre(64, 64, 23));
    auto once = bench.hub.received;
    std::sort(once.begin(), once.end());
    EXPECT_EQ(std::adjacent_find(once.begin(), once.end()), once.end());
}

// What arrived of a backlog is not lost with the board, and its room on the board not kept from
// what is recorded meanwhile.
TEST(HubLink, ABacklogIsReceiptedInPartsOfAboutAMinute) {
    Bench bench;
    bench.policy.bytes_per_second = 100'000;
    bench.boot();
    for (std::uint64_t i = 0; i < 30; ++i) bench.commit(Random(i).bytes(400'000));

    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[0] > 7'000'000; }));

    ASSERT_FALSE(bench.receipts.empty());
    EXPECT_GE(bench.receipts.back().sequence, 15U);
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_LT(bench.hub.entries_taken.size(), 6U);
}

TEST(HubLink, OnAFastLinkABacklogIsFewPlans) {
    Bench bench;
    for (std::uint64_t i = 0; i < 60; ++i) bench.commit(Random(i).bytes(100'000));

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_EQ(bench.hub.entries_taken.size(), 2U);
}

// Apart from it, the hub would wait for the content, and tell people that it lacks.
TEST(HubLink, WhatSaysThatAVersionWasGivenUpGoesWithIt) {
    Bench bench;
    const VersionId given_up = bench.commit(Random(1).bytes(300'000));
    bench.commit(Random(2).bytes(300'000));
    must(bench.store->stage_entry(ThinnedBody{given_up}));
    must(bench.store->commit());
    bench.commit(Random(3).bytes(300'000));

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_THAT(bench.hub.entries_taken, testing::ElementsAre(4, 1));
}

TEST(HubLink, ADaysBytesAreNotAllSpentOnOnePlan) {
    Bench bench;
    bench.policy.bytes_per_day = 2 * limits::MiB;
    bench.policy.heartbeat_ms = 900'000;
    bench.boot();
    for (std::uint64_t i = 0; i < 4; ++i) bench.commit(Random(i).bytes(700'000));

    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 60'000);

    ASSERT_FALSE(bench.receipts.empty());
    EXPECT_EQ(bench.receipts.back().sequence, 3U);  // the journal's first entry, and two versions
}

TEST(HubLink, NothingIsLargerThanTheBrokerTakes) {
    Bench bench;
    const Bytes plain = Random(3).bytes(2'000'000);
    must(test::commit_version(*bench.store, "lab/model", "main",
                              {must(test::stage_file(*bench.store, "w.bin", plain, {}, 512))}));

    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_GT(std::exchange(bench.largest, 0), 100'000u);

    // Another broker, perhaps.
    bench.link->on_disconnected();
    must(test::commit_version(
        *bench.store, "lab/model", "main",
        {must(test::stage_file(*bench.store, "w.bin", Random(4).bytes(2'000'000), {}, 512))}));
    constexpr std::size_t kTaken = 65'280;
    bench.budget->fit_broker(kTaken);
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_LE(bench.largest, kTaken);
    EXPECT_GT(bench.largest, kTaken * 3 / 4);
}

TEST(HubLink, APlanOfManyPagesArrivesWhole) {
    Bench bench;
    const Bytes plain = Random(3).bytes(2'000'000);
    const auto item = must(test::stage_file(*bench.store, "w.bin", plain, {}, 512));
    const VersionId id = must(test::commit_version(*bench.store, "lab/model", "main", {item}));

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(id));
}

TEST(HubLink, AfterARestartNothingIsSentAgain) {
    Bench bench;
    bench.commit(Random(3).bytes(300'000));
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    const std::size_t received = bench.hub.received.size();
    const std::uint64_t sent = bench.bytes[0];

    bench.boot();
    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 200'000);

    EXPECT_TRUE(bench.synced());
    EXPECT_EQ(bench.hub.received.size(), received);
    EXPECT_LT(bench.bytes[0] - sent, 4'000U);
}

TEST(HubLink, ALostLinkCostsAtMostOneWindow) {
    Bench bench;
    const Bytes plain = Random(3).bytes(3'000'000);
    bench.commit(plain);
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[0] > 1'500'000; }));

    bench.cut = true;
    bench.link->on_disconnected();
    bench.loop.run_until([&] { return false; }, 30'000);
    bench.cut = false;
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_LT(bench.bytes[0], plain.size() + 2 * limits::kCreditBytesMax);
}

TEST(HubLink, AHubThatForgotItsSessionsIsFoundAgain) {
    Bench bench;
    bench.commit(Random(3).bytes(3'000'000));
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[0] > 1'500'000; }));

    bench.hub.restart();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
}

TEST(HubLink, NothingOfTheJournalLeavesToAHubWithAnotherKey) {
    Bench bench;
    bench.hub.signer = trust::FakeSigner("another hub");
    bench.commit(Random(3).bytes(300'000));

    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 600'000);

    EXPECT_FALSE(bench.link->session_open());
    EXPECT_TRUE(bench.hub.received.empty());
    EXPECT_TRUE(bench.hub.entries_taken.empty());
    EXPECT_LT(bench.bytes[0], 10'000U);  // its Hellos
    EXPECT_THAT(bench.link->trouble(), testing::HasSubstr("does not prove"));
    EXPECT_FALSE(bench.link->heard());
}

TEST(HubLink, NothingOfTheJournalLeavesToAHubThatProvesNothing) {
    Bench bench;
    bench.hub.twist_hello = [](sync::Hello& hello) { hello.proof.clear(); };
    bench.commit(Random(3).bytes(300'000));

    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 600'000);

    EXPECT_FALSE(bench.link->session_open());
    EXPECT_TRUE(bench.hub.received.empty());
}

TEST(HubLink, AProofOfAnotherSessionIsWorthNothing) {
    Bench bench;
    Bytes first;
    bench.hub.twist_hello = [&](sync::Hello& hello) {
        if (first.empty()) first = hello.proof;
        hello.proof = first;
    };
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    bench.link->on_disconnected();
    bench.link->on_connected();  // a new nonce
    bench.loop.run_until([&] { return false; }, 600'000);

    EXPECT_FALSE(bench.link->session_open());
}

TEST(HubLink, WhatAHubSaysItHoldsIsPartOfItsProof) {
    Bench bench;
    bench.hub.twist_hello = [&](sync::Hello& hello) { hello.epoch = 7; };
    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 600'000);
    EXPECT_FALSE(bench.link->session_open());
}

TEST(HubLink, TheTroubleIsOverWhenThePinnedHubIsBack) {
    Bench bench;
    const trust::FakeSigner ours = bench.hub.signer;
    bench.hub.signer = trust::FakeSigner("another hub");
    const VersionId id = bench.commit(Random(3).bytes(300'000));
    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 600'000);

    bench.hub.signer = ours;
    bench.hub.restart();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(id));
    EXPECT_EQ(bench.link->trouble(), "");
    EXPECT_TRUE(bench.link->heard());
}

TEST(HubLink, AHubThatIsStoppedIsNotShownAsConnected) {
    Bench bench;
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.link->session_open(); }));
    bench.loop.run_until([] { return false; }, 500);  // the hub knows it, too

    bench.hub.step(sync::Leave{});
    bench.loop.run_until([&] { return bench.loop.idle(); });

    EXPECT_FALSE(bench.link->session_open());
    EXPECT_EQ(bench.closed, 1u);
    EXPECT_THAT(bench.link->trouble(), testing::HasSubstr("was stopped"));
    bench.hub.restart();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.link->session_open(); }));
    EXPECT_EQ(bench.link->trouble(), "");
}

TEST(HubLink, AHubThatSaysNothingForLongIsAskedWhetherItKnowsUs) {
    Bench bench;
    bench.cut = true;  // the broker is there, the hub does not answer whom it does not know
    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, kSilentMs - 1'000);
    EXPECT_EQ(bench.unknown, 0);
    bench.loop.run_until([&] { return false; }, kSilentMs);
    EXPECT_EQ(bench.unknown, 1);
}

TEST(HubLink, AHubThatAnswersIsNotAskedAgainWhetherItKnowsUs) {
    Bench bench;
    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 5 * kSilentMs);
    EXPECT_EQ(bench.unknown, 0);
}

TEST(HubLink, WithoutABrokerNothingIsConcludedFromSilence) {
    Bench bench;
    bench.link->on_connected();
    bench.link->on_disconnected();
    bench.loop.run_until([&] { return false; }, 5 * kSilentMs);
    EXPECT_EQ(bench.unknown, 0);
}

TEST(HubLink, WhatWaitsForRoomAtTheHubIsTold) {
    Bench bench;
    bench.hub.has_room = fail(Errc::exhausted, "no room");
    bench.commit(Random(3).bytes(300'000));
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.link->trouble().empty(); }));
    EXPECT_GE(bench.bytes_left(), 300'000u);
    bench.hub.has_room = {};
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }, 2 * 3'600'000));
    EXPECT_EQ(bench.bytes_left(), 0u);
}

TEST(HubLink, ALostReceiptIsAskedForAndNothingElse) {
    Bench bench;
    bench.commit(Random(3).bytes(10'000));
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.hub.entries_taken.empty(); }));
    bench.cut = true;  // the receipt is on the wire
    bench.link->on_disconnected();
    bench.loop.run_until([&] { return false; }, 1'000);
    ASSERT_FALSE(bench.synced());
    const std::size_t received = bench.hub.received.size();

    bench.cut = false;
    bench.boot();
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_EQ(bench.hub.received.size(), received);
    EXPECT_EQ(bench.hub.entries_taken.back(), 0U);
}

TEST(HubLink, AReceiptOfAnotherHubIsNotBelieved) {
    Bench bench;
    bench.hub.receipt_signer = trust::FakeSigner("another hub");
    bench.commit(Random(3).bytes(10'000));

    bench.link->on_connected();
    bench.loop.run_until([&] { return !bench.link->trouble().empty(); });

    EXPECT_FALSE(bench.uplink->receipt().has_value());
    EXPECT_EQ(must(bench.store->latest_receipt(bench.store->head().incarnation)), std::nullopt);
    EXPECT_THAT(bench.link->trouble(), testing::HasSubstr("not the hub's"));
}

TEST(HubLink, AnotherHistoryAtTheHubStopsTheSendingAndSaysWhy) {
    Bench bench;
    bench.commit(Random(3).bytes(10'000));
    sync::Hello hello;
    hello.epoch = 1;
    hello.journals = {{bench.store->head().incarnation, 1, EntryHash{sha256({})}}};

    const Status said = bench.uplink->on_hub_hello(hello, true);

    ASSERT_FALSE(said);
    EXPECT_EQ(said.error().code, Errc::conflict);
    EXPECT_FALSE(must(bench.uplink->make_plan()));
}

TEST(HubLink, BesideAnotherHistoryAllIsSentInANewJournal) {
    Bench bench;
    const VersionId id = bench.commit(Random(3).bytes(10'000));
    bench.hub.entries_of_another = bench.store->head().sequence + 1;
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.splits.empty(); }));
    EXPECT_EQ(bench.splits[0].code, Errc::conflict);
    EXPECT_FALSE(bench.hub.holds(id));

    bench.hub.entries_of_another = 0;
    must(agent::JournalKeeper(bench.machine.files, *bench.store, "/note")
             .begin(bench.signer.public_key(), bench.uplink->receipted()));
    bench.uplink->on_new_journal();
    bench.link->on_disconnected();
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_TRUE(bench.hub.holds(id));
    EXPECT_EQ(bench.link->trouble(), "");
}

TEST(HubLink, InANewEpochTheReceiptIsAskedForAgain) {
    Bench bench;
    const VersionId id = bench.commit(Random(3).bytes(10'000));
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));

    bench.hub.epoch = 2;
    bench.hub.restart();
    bench.boot();
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.uplink->receipt()->epoch == 2; }));
    EXPECT_TRUE(bench.hub.holds(id));
}

TEST(HubLink, ABaseThatTheHubLacksIsNoReasonToStop) {
    // The frame is coded anew without it.
    Bench bench;
    Bytes plain = Random(3).bytes(30'000);
    const Bytes before = plain;
    // staged as objects only: no version names the base, so it never travels
    must(test::stage_file(*bench.store, "old.bin", before));
    plain[7] ^= 1;

    const VersionId id = bench.commit(plain, before);
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_EQ(must(test::read_files(*bench.hub.store, id)), plain);
}

TEST(HubLink, AHubOfAnOlderReleaseGetsNoRecordOnTwoBases) {
    Bench bench;  // its hub says nothing of what it can do
    test::Trending trending(3);
    std::vector<Bytes> plains;
    std::vector<VersionId> parents;
    for (std::size_t i = 0; i < 3; ++i) {
        plains.push_back(trending.next());
        must(test::stage_weights(*bench.store, plains[i], i == 0 ? ByteView{} : plains[i - 1]));
        const Digest name = test::piece_key(plains[i]).name;
        parents = {must(test::commit_version(
            *bench.store, "lab/model", "main",
            {{TreeItem::Type::file, "w.bin", name, plains[i].size()}}, parents))};
    }
    const RecordKey last = test::piece_key(plains[2]);
    ASSERT_EQ(must(bench.store->read_header(last)).base_count, 2);

    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    EXPECT_EQ(must(bench.hub.store->read_header(last)).base_count, 0);
    EXPECT_EQ(must(bench.hub.store->read_plain(last)), plains[2]);
}

TEST(HubLink, AHubOfAnOlderReleaseGetsNoRecordOfALaterEncoding) {
    for (const test::LaterCoding& later : test::LaterCoding::all(3)) {
        Bench bench;  // its hub says nothing of what it can do
        must(later.stage(*bench.store));
        std::vector<VersionId> parents;
        for (const Bytes& plain : {later.base, later.plain}) {
            const Digest name = test::piece_key(plain).name;
            parents = {must(test::commit_version(
                *bench.store, "lab/model", "main",
                {{TreeItem::Type::file, "w.bin", name, plain.size()}}, parents))};
        }
        const RecordKey last = test::piece_key(later.plain);
        ASSERT_EQ(must(bench.store->read_header(last)).encoding,
                  static_cast<std::uint8_t>(later.encoding));

        bench.link->on_connected();

        ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
        EXPECT_EQ(must(bench.hub.store->read_header(last)).base_count, 0);
        EXPECT_EQ(must(bench.hub.store->read_plain(last)), later.plain);
    }
}

TEST(HubLink, APushIsStoredOnlyWhenItIsExpected) {
    Bench bench;
    const Bytes plain = Random(9).bytes(200'000);
    const auto item = must(test::stage_file(*bench.hub.store, "m.bin", plain));
    const VersionId id = must(test::commit_version(*bench.hub.store, "lab/model", "main", {item}));
    bench.hub.push = id;

    bench.link->on_connected();
    bench.loop.run_until([&] { return false; }, 60'000);
    EXPECT_FALSE(bench.store->has({RecordKind::version, id.digest}));
    EXPECT_EQ(bench.push_stored, 0u);

    bench.expected = id;
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }));
    EXPECT_EQ(bench.whole.front(), id);
    EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
    EXPECT_GT(bench.push_stored, 0u);
}

TEST(HubLink, HowLargeAPushIsIsToldBeforeItComes) {
    Bench bench;
    const Bytes plain = Random(9).bytes(200'000);
    const auto item = must(test::stage_file(*bench.hub.store, "m.bin", plain));
    bench.hub.push = must(test::commit_version(*bench.hub.store, "lab/model", "main", {item}));

    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.offered.empty(); }));
    EXPECT_EQ(bench.offered.front().plain_bytes, plain.size());
    EXPECT_GT(bench.offered.front().stored_bytes, plain.size());  // what cannot be made smaller

    bench.expected = bench.hub.push;
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.push_stored > 0; }));
    bench.offered.resize(1);
    bench.link->on_disconnected();
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.offered.size() > 1; }));
    EXPECT_LT(bench.offered.back().stored_bytes, bench.offered.front().stored_bytes);
}

// As when room was made while the push stood still.
TEST(HubLink, WhatWentOfAPushUnderWayIsAskedForAgain) {
    Bench bench;
    const Bytes plain = Random(9).bytes(11 * limits::MiB);
    const auto item = must(test::stage_file(*bench.hub.store, "m.bin", plain, {}, 256 * 1024));
    const VersionId id = must(test::commit_version(*bench.hub.store, "lab/model", "main", {item}));
    bench.hub.push = id;
    bench.expected = id;
    bench.link->on_connected();
    // More than a segment, which is sealed then.
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.push_stored >= 38; }));
    ASSERT_TRUE(bench.whole.empty());

    must(bench.store->commit());
    CompactionPlan plan;
    plan.dead_percent_min = 1;
    const auto room = must(bench.store->compact(std::move(plan)));
    while (!must(room->step())) {
    }
    ASSERT_GT(room->report().removed_bytes, 0u);

    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }));
    EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
}

TEST(LoopStoreQueue, TellsOnceThatItsStoreTakesNoMoreWrites) {
    test::StoreMachine machine;
    const auto store = must(machine.open());
    must(store->start_journal(test::start_body()));
    test::ManualLoop loop;
    agent::LoopStoreQueue queue(loop, *store);
    std::vector<std::string> told;
    queue.when_closed([&](const Error& error) { told.push_back(error.what); });
    machine.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);
    int done = 0;

    queue.run([](Store&) {}, [&] { EXPECT_TRUE(told.empty()); });
    for (int i = 0; i < 2; ++i)
        queue.run(
            [](Store& s) {
                EXPECT_FALSE(s.stage_object(RecordKind::notes, as_bytes("x")) && s.commit());
            },
            [&] { ++done; });
    queue.run_long([](Store&, const auto&) {}, [&] { ++done; });
    ASSERT_TRUE(loop.run_until([&] { return done == 3; }));

    EXPECT_THAT(told, testing::ElementsAre(testing::HasSubstr("open it again")));
}

TEST(LoopStoreQueue, DoesWhatWaitsWhileWorkThatOnlyReadsBreathes) {
    test::StoreMachine machine;
    const auto store = must(machine.open());
    test::ManualLoop loop;
    agent::LoopStoreQueue queue(loop, *store);
    std::vector<std::string> order;
    int done = 0;

    queue.run_reading(
        [&](Store&, const auto& breathe) {
            order.push_back("reading");
            queue.run_long([&](Store&, const auto&) { order.push_back("long"); }, [&] { ++done; });
            queue.run([&](Store&) { order.push_back("short"); }, {});
            EXPECT_TRUE(breathe());
            order.push_back("read");
        },
        [&] { ++done; });
    ASSERT_TRUE(loop.run_until([&] { return done == 2; }));

    EXPECT_THAT(order, testing::ElementsAre("reading", "short", "long", "read"));
}

// ---- what the link may be used for ----

TEST(HubLinkBudget, ARateIsKept) {
    Bench bench;
    bench.policy.bytes_per_second = 20'000;
    bench.boot();
    bench.commit(Random(3).bytes(600'000));
    const std::uint64_t began = bench.loop.now().ms;
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));

    const std::uint64_t passed = bench.bytes[0] + bench.bytes[1];
    const std::uint64_t ms = bench.loop.now().ms - began;
    EXPECT_GE(ms, (passed - 40'000) * 1000 / 20'000);
    EXPECT_LE(ms, passed * 1100 / 20'000);
    EXPECT_LT(passed, 640'000u) << "nothing is said in vain while it waits";
}

TEST(HubLinkBudget, OutsideItsHoursOnlyWhatHasNoContentTravels) {
    Bench bench;
    bench.policy.hours = {{6 * 60, 7 * 60}};
    bench.boot();
    InstallBody result;
    result.model = "digits";
    result.state = "failed";
    result.detail = "health";
    result.version = VersionId{name_of_plain(RecordKind::version, {})};
    must(bench.store->stage_entry(result));
    must(bench.store->commit());
    const std::uint64_t before = bench.store->head().sequence;
    bench.commit(Random(3).bytes(300'000));
    bench.link->on_connected();

    bench.loop.run_until([&] { return false; }, 5 * 3'600'000);
    ASSERT_FALSE(bench.receipts.empty());
    EXPECT_EQ(bench.receipts.back().sequence, before);
    EXPECT_LT(bench.bytes[0], 300'000u);

    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }, 2 * 3'600'000));
    EXPECT_GE(bench.loop.now().ms, 6 * 3'600'000u);
    EXPECT_LT(bench.loop.now().ms, 6 * 3'600'000u + 70'000) << "as soon as they begin";
}

TEST(HubLinkBudget, SignsOfLifeTakeWhatTheConfigurationReckons) {
    Bench bench;
    bench.policy.heartbeat_ms = 600'000;
    bench.boot();
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
    const std::uint64_t before = bench.bytes[0] + bench.bytes[1];
    bench.loop.run_until([&] { return false; }, 24 * 3'600'000);
    const std::uint64_t day = bench.bytes[0] + bench.bytes[1] - before;
    EXPECT_LT(day, agent::heartbeat_bytes_a_day(bench.policy.heartbeat_ms));
    EXPECT_GT(day, agent::heartbeat_bytes_a_day(bench.policy.heartbeat_ms) / 2);
}

TEST(HubLinkBudget, AUsedUpDayLosesNothingAndGoesOnTheNextDay) {
    Bench bench;
    bench.policy.bytes_per_day = 1'200'000;
    bench.policy.heartbeat_ms = 900'000;
    bench.boot();
    bench.commit(Random(3).bytes(2'000'000));
    bench.link->on_connected();

    bench.loop.run_until([&] { return false; }, 20 * 3'600'000);
    EXPECT_FALSE(bench.synced());
    EXPECT_GT(bench.bytes[0], 1'000'000u);
    EXPECT_LT(bench.bytes[0], 1'700'000u) << "the budget, and a Hello a minute";
    EXPECT_NEAR(static_cast<double>(bench.bytes_left()), 1'000'000, 200'000);
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }, 48 * 3'600'000));
    EXPECT_EQ(bench.bytes_left(), 0u);
}

TEST(HubLinkBudget, APushWaitsForTheHoursToo) {
    Bench bench;
    const VersionId model = must(test::commit_version(
        *bench.hub.store, "lab/model", "main",
        {must(test::stage_file(*bench.hub.store, "w.bin", Random(5).bytes(400'000)))}, {}, "x"));
    bench.policy.hours = {{6 * 60, 7 * 60}};
    bench.boot();
    bench.expected = model;
    bench.hub.push = model;
    bench.link->on_connected();

    bench.loop.run_until([&] { return false; }, 5 * 3'600'000);
    EXPECT_LT(bench.bytes[1], 300'000u) << "the hub's Hellos, and no Offer";
    EXPECT_TRUE(bench.whole.empty());

    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }, 2 * 3'600'000));
    EXPECT_LT(bench.bytes[1], 1'000'000u);
}

TEST(HubLinkBudget, AModelGoesBeforeWhatWasRecorded) {
    Bench bench;
    const VersionId model = must(test::commit_version(
        *bench.hub.store, "lab/model", "main",
        {must(test::stage_file(*bench.hub.store, "w.bin", Random(5).bytes(400'000)))}, {}, "x"));
    bench.policy.bytes_per_second = 20'000;
    bench.boot();
    bench.expected = model;
    bench.hub.push = model;
    bench.commit(Random(3).bytes(2'000'000));
    bench.link->on_connected();

    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }));
    EXPECT_LT(bench.bytes[0], 200'000u);
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.synced(); }));
}

}  // namespace
}  // namespace tributary
