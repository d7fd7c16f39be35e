// What common/env/clock.h promises, of the machine's clock and entropy and of the simulated ones.
#include <gtest/gtest.h>

#include "common/env/clock.h"
#include "tests/support/sim_clock.h"

namespace tributary::test {
namespace {

struct RealWorld {
    static constexpr const char* kName = "Real";
    Clock& clock = system_clock();
    Entropy& entropy = system_entropy();
};

struct SimulatedWorld {
    static constexpr const char* kName = "Simulated";
    SimClock clock;
    SimEntropy entropy{1};
};

struct WorldName {
    template <class World>
    static std::string GetName(int) {
        return World::kName;
    }
};

template <class World>
class ClockContract : public testing::Test {
protected:
    World world;
};
template <class World>
class EntropyContract : public ClockContract<World> {};

using Worlds = testing::Types<RealWorld, SimulatedWorld>;
TYPED_TEST_SUITE(ClockContract, Worlds, WorldName);
TYPED_TEST_SUITE(EntropyContract, Worlds, WorldName);

TYPED_TEST(ClockContract, MonotonicTimeNeverGoesBack) {
    MonoTime last = this->world.clock.mono();
    for (int i = 0; i < 1000; ++i) {
        const MonoTime now = this->world.clock.mono();
        ASSERT_GE(now, last);
        last = now;
    }
}

TYPED_TEST(ClockContract, QualityIsNeverMoreThanTheClockCanKnow) {
    // Only what has seen other nodes can ratchet; a clock knows `synced` or nothing.
    EXPECT_NE(this->world.clock.quality(), ClockQuality::ratchet);
}

TYPED_TEST(ClockContract, WallTimeIsInMilliseconds) {
    // Between 2000 and 2200, if the machine's clock is set at all.
    const std::uint64_t ms = this->world.clock.wall().ms;
    EXPECT_TRUE(ms < 86'400'000 || (ms > 946'684'800'000 && ms < 7'258'118'400'000)) << ms;
}

TYPED_TEST(EntropyContract, FillsEveryByteAndDoesNotRepeat) {
    Bytes first(1 << 16), second(1 << 16);
    this->world.entropy.fill(first);
    this->world.entropy.fill(second);
    EXPECT_NE(first, second);
    std::array<int, 256> seen{};
    for (const auto byte : first) ++seen[byte];
    for (const int count : seen) EXPECT_GT(count, 128);  // 256 are expected
    this->world.entropy.fill({});
}

}  // namespace
}  // namespace tributary::test
