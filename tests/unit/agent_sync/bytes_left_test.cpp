// What the board says of the content that is still to be sent.
#include <algorithm>
#include <set>

#include "tests/unit/agent_sync/bench.h"

namespace tributary {
namespace {

using test::Bench;
using test::must;
using test::Random;

TEST(BytesLeft, BeginAtAllThatHasNoReceiptAndOnlyGoDown) {
    Bench bench;
    bench.policy.bytes_per_second = 16'384;  // so that there are several plans, of several pages
    bench.boot();
    for (std::uint64_t version = 1; version <= 3; ++version) {
        std::vector<TreeItem> files;
        for (std::uint64_t i = 1; i <= 1'500; ++i)
            files.push_back(must(test::stage_file(*bench.store, std::to_string(i) + ".bin",
                                                  Random(version * 10'000 + i).bytes(1'000), {})));
        must(test::commit_version(*bench.store, "lab/model", "main", files, {}, "x"));
    }
    bench.link->on_connected();
    std::uint64_t least = bench.bytes_left();
    EXPECT_NEAR(static_cast<double>(least), 4'500'000, 500'000);

    std::set<std::uint64_t> seen;
    ASSERT_TRUE(bench.loop.run_until(
        [&] {
            const std::uint64_t left = bench.bytes_left();
            EXPECT_LE(left, least);
            EXPECT_GE(left + 100'000, least) << "no page at once";
            least = std::min(least, left);
            seen.insert(left / 500'000);
            return bench.synced();
        },
        3'600'000));
    EXPECT_EQ(bench.bytes_left(), 0u);
    EXPECT_EQ(seen.size(), 10u);
}

// Wherever the day's bytes end, also between the hub's receipt and its being logged.
TEST(BytesLeft, AreAllThatFollowsAReceiptThatIsLoggedWhenContentRests) {
    int rested = 0;
    for (std::uint64_t day = 110'000; day < 125'000; day += 250) {
        SCOPED_TRACE(day);
        Bench bench;
        bench.policy.bytes_per_day = day;
        bench.boot();
        bench.commit(Random(1).bytes(100'000));
        bench.link->on_connected();
        (void)bench.loop.run_until([&] { return !bench.hub.entries_taken.empty(); }, 60'000);
        int tasks = 0;
        (void)bench.loop.run_until([&] {
            if (++tasks < 30) bench.link->wake();
            return bench.synced() || tasks > 1'000;
        });
        if (!bench.synced() || bench.budget->rest_ms() == 0) continue;
        ++rested;
        bench.commit(Random(2).bytes(50'000));
        EXPECT_GE(bench.bytes_left(), 50'000u);
    }
    EXPECT_GT(rested, 0);
}

}  // namespace
}  // namespace tributary
