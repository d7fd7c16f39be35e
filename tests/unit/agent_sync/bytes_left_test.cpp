// What the board says of the content that is still to be sent.
#include <algorithm>
#include <set>

#include "tests/unit/agent_sync/bench.h"

namespace tributary {
namespace {

using test::Bench;
using test::Random;

TEST(BytesLeft, BeginAtAllThatHasNoReceiptAndOnlyGoDown) {
    Bench bench;
    bench.policy.bytes_per_second = 16'384;  // so that there are several pages, and plans
    bench.boot();
    for (std::uint64_t seed = 1; seed <= 3; ++seed) bench.commit(Random(seed).bytes(1'500'000));
    bench.link->on_connected();
    std::uint64_t least = bench.bytes_left();
    EXPECT_NEAR(static_cast<double>(least), 4'500'000, 45'000);

    std::set<std::uint64_t> seen;
    ASSERT_TRUE(bench.loop.run_until(
        [&] {
            const std::uint64_t left = bench.bytes_left();
            EXPECT_LE(left, least);
            least = std::min(least, left);
            seen.insert(left / 500'000);
            return bench.synced();
        },
        3'600'000));
    EXPECT_EQ(bench.bytes_left(), 0u);
    EXPECT_EQ(seen.size(), 10u);
}

}  // namespace
}  // namespace tributary
