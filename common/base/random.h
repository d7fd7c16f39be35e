// A small seeded generator for jitter, sampling and simulations. Pure: the same seed gives the same
// numbers on every machine. Never for keys; where a number must be unpredictable, seed it from
// Entropy.
#pragma once

#include <concepts>
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
    // 0 .. bound - 1, and 0 when bound is 0, in the bound's own type. Biased by less than
    // bound / 2^64.
    template <std::unsigned_integral Number>
    Number below(Number bound) {
        return bound == 0 ? Number{0} : static_cast<Number>(next() % bound);
    }
    // True in `per_thousand` of 1000 cases.
    bool chance(std::uint32_t per_thousand) { return below(1000u) < per_thousand; }

private:
    std::uint64_t state_;
};

}  // namespace tributary
