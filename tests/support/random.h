// Seeded randomness for tests: the same numbers on every machine (SplitMix64, Steele et al. 2014).
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary::test {

class Random {
public:
    explicit Random(std::uint64_t seed) : state_(seed) {}

    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9e3779b97f4a7c15);
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        return z ^ (z >> 31);
    }
    // 0 to count - 1.
    std::uint64_t below(std::uint64_t count) {
        TRIBUTARY_CHECK(count > 0);
        return next() % count;
    }
    bool chance(std::uint64_t one_in) { return below(one_in) == 0; }

    void fill(ByteSpan out) {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(next());
    }
    Bytes bytes(std::size_t count) {
        Bytes out(count);
        fill(out);
        return out;
    }

private:
    std::uint64_t state_;
};

}  // namespace tributary::test
