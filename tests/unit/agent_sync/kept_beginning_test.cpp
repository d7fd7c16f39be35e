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
    ASSERT_TRUE(bench.loop.run_until([&] { return bench.kept.has_value(); }));
    const std::size_t kept_bytes = bench.kept->bytes.size();
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
    ASSERT_TRUE(bench.kept);
    const std::size_t kept_bytes = bench.kept->bytes.size();
    const int times_kept = bench.times_kept;
    bench.link->leave();
    bench.boot();
    EXPECT_EQ(bench.times_kept, times_kept);
    expect_only_the_rest_comes(kept_bytes);
    ASSERT_TRUE(bench.loop.run_until([&] { return !bench.kept; })) << "it is of no use any more";
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
        bench.boot();  // no word of goodbye
        bench.hub.restart();
    }
    EXPECT_EQ(must(test::read_files(*bench.store, id)), plain);
    EXPECT_GT(cuts, 1);
    EXPECT_LT(bench.bytes[1], 2 * plain.size());
    EXPECT_LT(bench.times_kept - before, 12) << "each is written to flash";
}

}  // namespace
}  // namespace tributary
