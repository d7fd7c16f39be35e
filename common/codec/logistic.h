// Logarithms in integers. Probabilities as the mixer of binary_model.h adds them up: on a scale on
// which evidence adds, x = ln(p / (1 - p)), in units of 1/256. Tables made of integers alone, the
// same on every machine.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace tributary::codec {

// Probabilities have 16 bits; stretched ones lie between -kStretchedMax and kStretchedMax.
inline constexpr int kStretchedMax = 2047;

// squash(x) = 2^16 / (1 + e^(-x / 256)), from powers of e^(-1/256) with 32 bits, rounded down.
inline constexpr auto kSquashed = [] {
    constexpr std::uint64_t kRoot = 4278222805;  // 2^32 e^(-1/256)
    std::array<std::uint16_t, 2 * kStretchedMax + 1> table{};
    std::uint64_t power = std::uint64_t{1} << 31;
    for (std::size_t x = 0; x <= kStretchedMax; ++x) {
        const std::uint64_t p = (power << 16) / (power + (std::uint64_t{1} << 31));
        table[kStretchedMax - x] = static_cast<std::uint16_t>(p);
        table[kStretchedMax + x] = static_cast<std::uint16_t>(65536 - p);
        power = (power * kRoot) >> 32;
    }
    return table;
}();

inline std::uint32_t squash(int x) {
    return kSquashed[static_cast<std::size_t>(std::clamp(x, -kStretchedMax, kStretchedMax) +
                                              kStretchedMax)];
}

// Of the probability's top 12 bits: the least x whose squash(x) lies in the middle of what they
// may mean, or above.
inline constexpr auto kStretched = [] {
    std::array<std::int16_t, 4096> table{};
    int x = -kStretchedMax;
    for (std::size_t i = 0; i < table.size(); ++i) {
        while (x < kStretchedMax &&
               kSquashed[static_cast<std::size_t>(x + kStretchedMax)] < 16 * i + 8)
            ++x;
        table[i] = static_cast<std::int16_t>(x);
    }
    return table;
}();

// Logarithms to base 2, in 1/16, by straight lines between powers of two; of 0, -16.
inline int log16(std::uint64_t value) {
    if (value == 0) return -16;
    const auto bits = static_cast<int>(std::bit_width(value)) - 1;
    const auto part =
        static_cast<int>((bits >= 4 ? value >> (bits - 4) : value << (4 - bits)) & 15);
    return 16 * bits + part;
}

}  // namespace tributary::codec
