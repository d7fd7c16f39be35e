// A clock that stands until it is moved, and may be as wrong as a board's; and seeded entropy.
#pragma once

#include "common/env/clock.h"
#include "tests/support/random.h"

namespace tributary::test {

class SimClock final : public Clock {
public:
    explicit SimClock(WallTime wall = {1'767'225'600'000},  // 2026-01-01T00:00Z
                      ClockQuality quality = ClockQuality::synced)
        : wall_(wall), quality_(quality) {}

    WallTime wall() override { return wall_; }
    MonoTime mono() override { return mono_; }
    ClockQuality quality() override { return quality_; }

    // Time passes.
    void advance(std::uint64_t ms) {
        wall_.ms += ms;
        mono_.ms += ms;
    }
    // Somebody sets the clock, forth or back; no time passes.
    void set_wall(WallTime wall) { wall_ = wall; }
    void set_quality(ClockQuality quality) { quality_ = quality; }

private:
    WallTime wall_;
    MonoTime mono_{1000};
    ClockQuality quality_;
};

class SimEntropy final : public Entropy {
public:
    explicit SimEntropy(std::uint64_t seed) : random_(seed) {}
    void fill(ByteSpan out) override { random_.fill(out); }

private:
    Random random_;
};

}  // namespace tributary::test
