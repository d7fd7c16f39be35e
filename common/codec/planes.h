// Typed elements to byte planes and back. Plane 0 holds the most significant byte of every element.
//
// Without a base: floats are rotated left by one bit, so that the exponent fills whole planes and
// the sign goes to the mantissa; integers are zigzag-coded. Against a base: the difference of the
// order-preserving integers modulo 2^width, zigzag-coded. For a float of either sign these integers
// grow with its value, so a small step is a small number whatever the exponent; NaN, infinity and
// -0 need no care.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

inline constexpr std::size_t kPlanesMax = 8;

// How `plain_bytes` bytes divide: bytes before the first whole element, elements, bytes after the
// last.
struct Elements {
    std::size_t width = 0;
    std::size_t head = 0;
    std::size_t count = 0;
    std::size_t tail = 0;
};
// `type` is not bytes, `phase` less than its width.
Elements elements_of(ElementType type, std::uint8_t phase, std::size_t plain_bytes);

// Where the base's elements lie, for a target that divides so; no more of them than it has.
struct BaseElements {
    const std::uint8_t* at = nullptr;
    std::size_t count = 0;
};
BaseElements base_elements(const Elements& e, ByteView base);

// Elements at `plain`, which need not be aligned, to `count` bytes at each of planes + k * stride.
void split(ElementType type, const std::uint8_t* plain, std::size_t count, std::uint8_t* planes,
           std::size_t stride);
void join(ElementType type, const std::array<const std::uint8_t*, kPlanesMax>& planes,
          std::size_t count, std::uint8_t* plain);

// The same against a base of `base_count` elements; where there are fewer than `count`, the rest is
// taken as zero bits.
void split_delta(ElementType type, const std::uint8_t* plain, std::size_t count,
                 const std::uint8_t* base, std::size_t base_count, std::uint8_t* planes,
                 std::size_t stride);
void join_delta(ElementType type, const std::array<const std::uint8_t*, kPlanesMax>& planes,
                std::size_t count, const std::uint8_t* base, std::size_t base_count,
                std::uint8_t* plain);

}  // namespace tributary::codec
