// What came of a record of a model is paid for once: over stops, silences and power cuts.
#include "tests/unit/agent_sync/bench.h"

namespace tributary {
namespace {

using test::Bench;
using test::must;
using test::Random;

// A model of one record, which the hub pushes.
class KeptBeginning : public testing::Test {
protected:
    KeptBeginning() {
        const auto item = must(test::stage_file(*bench.hub.store, "m.bin", plain, {}, 1024 * 1024));
        id = must(test::commit_version(*bench.hub.store, "lab/model", "main", {item}));
        bench.hub.push = id;
        bench.expected = id;
    }

    // In the board's next life.
    void expect_only_the_rest_comes(std::size_t kept_bytes) {
        bench.hub.restart();
        bench.cut = false;
        bench.bytes[1] = 0;
        bench.link->on_connected();
        ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }));
        EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
        EXPECT_LT(bench.bytes[1], plain.size() - kept_bytes + 20'000);
    }

    Bench bench;
    Bytes plain = Random(9).bytes(900'000);
    VersionId id;
};

TEST_F(KeptBeginning, ARestartCostsNothingOfARecordThatWasUnderWay) {
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[1] > 600'000; }));
    bench.cut = true;
    bench.link->leave();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.kept.read().has_value(); }));
    const std::size_t kept_bytes = bench.kept.read()->bytes.size();
    EXPECT_GT(kept_bytes, 400'000u);

    // Also over a life that hears nothing of its hub.
    bench.boot();
    bench.link->leave();
    bench.boot();
    expect_only_the_rest_comes(kept_bytes);
}

TEST_F(KeptBeginning, ALongSilenceAndAStopAfterItCostNothingOfARecord) {
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[1] > 600'000; }));
    bench.cut = true;
    bench.link->on_disconnected();
    const MonoTime later = bench.loop.now() + 360'000;
    (void)bench.loop.run_until([&] { return bench.loop.now() >= later; });
    ASSERT_TRUE(bench.kept.read());
    const std::size_t kept_bytes = bench.kept.read()->bytes.size();
    const int times_kept = bench.times_kept;
    bench.link->leave();
    bench.boot();
    EXPECT_EQ(bench.times_kept, times_kept);
    expect_only_the_rest_comes(kept_bytes);
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.kept.read(); }))
        << "it is of no use any more";
}

TEST_F(KeptBeginning, APowerCutCostsLittleOfARecordThatComesSlowly) {
    bench.policy.bytes_per_second = 4 * limits::KiB;
    bench.boot();
    int cuts = 0;
    const int before = bench.times_kept;
    while (bench.whole.empty()) {
        ASSERT_LT(++cuts, 30);
        bench.link->on_connected();
        const MonoTime power_lasts = bench.loop.now() + 90'000;
        (void)bench.loop.run_until(
            [&] { return !bench.whole.empty() || bench.loop.now() >= power_lasts; });
        if (!bench.whole.empty()) break;
        bench.cut_power(static_cast<std::uint64_t>(cuts));
        bench.hub.restart();
    }
    EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
    EXPECT_GT(cuts, 1);
    EXPECT_LT(bench.bytes[1], 2 * plain.size());
    EXPECT_LT(bench.times_kept - before, 12) << "each is written to flash";
}

// The installer has not decided about the assignment when the record is whole.
TEST_F(KeptBeginning, ARecordThatIsHeldBackIsKeptByAStop) {
    bench.deciding = true;
    bench.expected.reset();
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[1] > plain.size(); }));
    (void)bench.loop.run_until([&] { return false; }, 1'000);
    bench.cut = true;
    bench.link->leave();
    bench.boot();
    bench.deciding = false;
    bench.expected = id;
    expect_only_the_rest_comes(plain.size());
}

TEST_F(KeptBeginning, ARecordThatIsHeldBackOutlivesAPowerCut) {
    bench.policy.bytes_per_second = 16 * limits::KiB;
    bench.boot();
    bench.deciding = true;
    bench.expected.reset();
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[1] > plain.size(); }));
    (void)bench.loop.run_until([&] { return false; }, 60'000);
    bench.cut_power(1);
    bench.deciding = false;
    bench.expected = id;
    expect_only_the_rest_comes(plain.size());
}

// Of what follows a record that is held back, over a long outage in which it is decided.
TEST(KeptBeginningBehindOne, ThatIsHeldBackCostsNothingWhenItIsDecidedWhileTheLinkIsDown) {
    Bench bench;
    const Bytes plain = Random(9).bytes(1'600'000);
    const auto item = must(test::stage_file(*bench.hub.store, "m.bin", plain, {}, 1024 * 1024));
    const VersionId id = must(test::commit_version(*bench.hub.store, "lab/model", "main", {item}));
    bench.hub.push = id;
    bench.deciding = true;
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.bytes[1] > 1'450'000; }));
    (void)bench.loop.run_until([&] { return false; }, 1'000);
    bench.cut = true;
    bench.link->on_disconnected();
    const MonoTime later = bench.loop.now() + 360'000;
    (void)bench.loop.run_until([&] { return bench.loop.now() >= later; });
    bench.deciding = false;
    bench.expected = id;
    bench.link->on_push_decided();

    const std::uint64_t before = bench.bytes[1];
    bench.cut = false;
    bench.link->on_connected();
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.whole.empty(); }));
    EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
    EXPECT_LT(bench.bytes[1] - before, plain.size() - before + 20'000);
}

// ---- on disk ----

class KeptOnDisk : public testing::Test {
protected:
    KeptOnDisk() {
        store = must(machine.open());
        must(store->start_journal(test::start_body()));
        must(store->commit());
    }
    void cut_power() {
        machine.files.crash(1);
        store.reset();
        machine.files.restart();
        store = must(machine.open());
    }
    // Comes whole; staged.
    RecordKey stage() {
        const Bytes notes = must(encode_notes({"of a model", {}}));
        return {RecordKind::notes, must(store->stage_object(RecordKind::notes, notes))};
    }

    test::StoreMachine machine;
    std::unique_ptr<Store> store;
    agent::KeptBeginning kept{machine.files, "/data/beginning"};
    const sync::Beginning beginning{{RecordKind::piece, sha256(as_bytes("a"))}, true, {1, 2, 3}};
    const sync::Beginning longer{{RecordKind::piece, sha256(as_bytes("a"))}, true, {1, 2, 3, 4}};
};

TEST_F(KeptOnDisk, OutlivesAPowerCutWithWhatCameBeforeIt) {
    EXPECT_FALSE(kept.read());
    const RecordKey whole = stage();
    must(kept.keep(*store, beginning));
    cut_power();
    EXPECT_TRUE(store->has(whole));
    EXPECT_EQ(kept.read(), beginning);

    must(kept.keep(*store, longer));
    cut_power();
    EXPECT_EQ(kept.read(), longer);

    must(kept.keep(*store, {}));
    EXPECT_FALSE(kept.read());
}

TEST_F(KeptOnDisk, OneThatCannotBeWrittenCostsNeitherTheOneBeforeNorTheRecords) {
    must(kept.keep(*store, beginning));
    const RecordKey whole = stage();
    machine.files.fail_call(test::SimFiles::Effect::create, 1, ENOSPC);
    EXPECT_FALSE(kept.keep(*store, longer));
    cut_power();
    EXPECT_TRUE(store->has(whole));
    EXPECT_EQ(kept.read(), beginning);
}

TEST_F(KeptOnDisk, ADamagedOneIsNone) {
    must(kept.keep(*store, beginning));
    machine.files.flip_bit("/data/beginning", 300);
    EXPECT_FALSE(kept.read());
}

}  // namespace
}  // namespace tributary
