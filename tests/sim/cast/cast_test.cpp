#include <gtest/gtest.h>

#include <cstdlib>
#include <optional>

#include "tests/sim/cast/cast_world.h"
#include "tests/sim/kept_seeds.h"

namespace tributary::sim {
namespace {

std::uint64_t seeds() {
    const char* asked = std::getenv("TRIBUTARY_CAST_SEEDS");
    return asked ? std::strtoull(asked, nullptr, 10) : 300;
}

CastFaults faults_of(test::Random& random) {
    CastFaults faults;
    faults.drop = random.one_in(4) ? 0 : random.below(random.one_in(4) ? 300u : 50u);
    faults.repeat = random.one_in(2) ? random.below(100u) : 0;
    faults.reorder = random.one_in(2) ? random.below(100u) : 0;
    faults.late = random.one_in(2) ? random.below(std::size_t{3}) : 0;
    faults.device_crashes = random.one_in(3) ? random.below(std::size_t{4}) : 0;
    faults.hub_crash = random.one_in(6);
    faults.broker_outage = random.one_in(6);
    faults.silent_device = random.one_in(5);
    faults.evil_device = random.one_in(5);
    return faults;
}

std::uint32_t run_world(std::uint64_t seed, std::optional<std::uint32_t> weather = {}) {
    test::Random random(seed);
    const std::size_t devices = 4 + random.below(std::size_t{12});
    const std::size_t generations = 1 + random.below(std::size_t{12});
    CastWorld world(seed, devices, generations, faults_of(random));
    const auto wrong = world.run();
    EXPECT_FALSE(wrong) << "seed " << seed << ": " << *wrong;
    EXPECT_EQ(world.weather(), weather.value_or(world.weather())) << "seed " << seed;
    return world.trace();
}

TEST(Cast, EveryDeviceEndsWholeInEverySeed) {
    for (std::uint64_t seed = 0; seed < seeds(); ++seed) run_world(seed);
}

TEST(Cast, ASeedIsTheSameWorldAgain) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) EXPECT_EQ(run_world(seed), run_world(seed));
}

// Of some the world itself was wrong: nobody pushed to those who were late for a broadcast that had
// ended before anything was out.
TEST(Cast, EveryDeviceEndsWholeInTheSeedsThatFailedOnce) {
    constexpr test::KeptSeed kKept[] = {
        {820, 2421468338},  {1852, 2360005325}, {2347, 3480378953},
        {2633, 2860234342}, {2828, 3540386394}, {2970, 3360987833},
        {3013, 1948520248}, {3352, 2970495856}, {3796, 2155398350},
    };
    for (const auto& [seed, weather] : kKept) run_world(seed, weather);
}

TEST(Cast, WithoutLossNothingIsPublishedTwice) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CastWorld world(seed, 20, 10, {});
        ASSERT_FALSE(world.run());
        EXPECT_EQ(world.fragments_published(), world.fragments_needed());
        EXPECT_EQ(world.pushed(), 0u);
    }
}

TEST(Cast, LossOfAFewFragmentsIsRepairedForAllAtOnce) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CastFaults faults;
        faults.drop = 20;
        CastWorld world(seed, 40, 20, faults);
        const auto wrong = world.run();
        ASSERT_FALSE(wrong) << *wrong;
        // Sixteen fragments a generation: the worst of forty devices loses two or three of them.
        EXPECT_LT(world.fragments_published(), world.fragments_needed() * 16 / 10);
        EXPECT_EQ(world.pushed(), 0u);
    }
}

TEST(Cast, WhoJoinsLateCostsWhatItMissedOnce) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CastFaults faults;
        faults.late = 5;
        CastWorld world(seed, 40, 20, faults);
        const auto wrong = world.run();
        ASSERT_FALSE(wrong) << *wrong;
        EXPECT_LT(world.fragments_published(), world.fragments_needed() * 15 / 10);
    }
}

TEST(Cast, OneDeviceThatSaysNonsenseDoesNotMakeTheOthersPay) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        CastFaults faults;
        faults.evil_device = true;
        CastWorld world(seed, 40, 10, faults);
        const auto wrong = world.run();
        ASSERT_FALSE(wrong) << *wrong;
    }
}

}  // namespace
}  // namespace tributary::sim
