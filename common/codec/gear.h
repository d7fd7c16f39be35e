// The rolling hash of cuts and anchors: h = 2h + kGear[byte]. After 64 bytes one has left it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace tributary::codec {

inline constexpr std::size_t kGearWindowBytes = 64;

// Entry i is output number i + 1 of SplitMix64 (Steele, Lea, Flood 2014) from state 0.
constexpr std::array<std::uint64_t, 256> make_gear() {
    std::array<std::uint64_t, 256> table{};
    std::uint64_t state = 0;
    for (std::uint64_t& entry : table) {
        state += 0x9e3779b97f4a7c15;
        std::uint64_t z = state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        entry = z ^ (z >> 31);
    }
    return table;
}
inline constexpr auto kGear = make_gear();

}  // namespace tributary::codec
