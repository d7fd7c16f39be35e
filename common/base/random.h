// A small seeded generator for jitter, sampling and simulations. Pure: the same seed gives the same
// numbers on every machine. Never for keys; where a number must be unpredictable, seed it from
// Entropy.
#pragma once

#include <cstdint>

namespace tributary {

// SplitMix64 (Steele, Lea, Flood 2014).
class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15u);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
        return z ^ (z >> 31);
    }
    // 0 .. bound - 1, and 0 when bound is 0. Biased by less than bound / 2^64.
    std::uint64_t below(std::uint64_t bound) { return bound == 0 ? 0 : next() % bound; }
    // True in `per_thousand` of 1000 cases.
    bool chance(std::uint32_t per_thousand) { return below(1000) < per_thousand; }

private:
    std::uint64_t state_;
};

}  // namespace tributary
