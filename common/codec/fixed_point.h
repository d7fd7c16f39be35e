// Elements as numbers on one scale, on which steps of different elements can be compared and added:
// fixed point, relative to the high exponent of a piece.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "common/codec/elements.h"

namespace tributary::codec {

// A value that was moved, as near as its type allows, and what is missing, in 1/16 of its last
// unit, -8 .. 8.
template <class T>
struct Moved {
    T value;
    int missing;
};

// Floats: the high exponent stands for 2^36; larger ones than 2^62 are cut off at the left, small
// ones at the right.
template <class Kind>
class FixedPoint {
public:
    using T = typename Kind::Word;
    explicit FixedPoint(unsigned high) : high_(static_cast<int>(high)) {}

    std::int64_t value(T element) const {
        const int shift = shift_of(element);
        auto bits = static_cast<std::uint64_t>(element & kMantissa);
        if (Kind::magnitude(element) != 0) bits |= kLeading;
        bits = shift >= 0 ? bits << shift : shift > -64 ? bits >> -shift : 0;
        const auto size = static_cast<std::int64_t>(bits);
        return (element >> (kBits<T> - 1)) != 0 ? -size : size;
    }
    std::int64_t step(T from, T to) const { return value(to) - value(from); }

    // `by` is less than 2^62 in size.
    Moved<T> move(T from, std::int64_t by) const {
        const std::int64_t target = value(from) + by;
        const T nearest = nearest_to(target);
        const std::int64_t missing = target - value(nearest);
        const int shift = shift_of(nearest) - 4;
        const std::int64_t sixteenths =
            shift >= 0 ? missing >> shift : missing << std::min(-shift, 25);
        return {nearest, static_cast<int>(std::clamp<std::int64_t>(sixteenths, -8, 8))};
    }

private:
    static constexpr int kHighBits = 36;
    static constexpr int kM = Kind::kMantissaBits;
    static constexpr std::uint64_t kLeading = std::uint64_t{1} << kM;
    static constexpr T kMantissa = static_cast<T>(kLeading - 1);
    static constexpr int kExponentMax = (1 << (kBits<T> - 1 - kM)) - 1;

    // From the last unit of the element to that of the scale.
    int shift_of(T element) const {
        const int exponent = std::max(1, static_cast<int>(Kind::magnitude(element)));
        return std::min(kHighBits - kM + exponent - high_, 61 - kM);
    }
    // Half a unit goes up.
    T nearest_to(std::int64_t target) const {
        const T sign = target < 0 ? kTopBit<T> : T{0};
        auto size = static_cast<std::uint64_t>(target < 0 ? -target : target);
        auto below = static_cast<int>(std::bit_width(size)) - 1;  // the leading bit
        if (below > kM) {
            size += std::uint64_t{1} << (below - kM - 1);
            below = static_cast<int>(std::bit_width(size)) - 1;
        }
        const int exponent = std::min(high_ + below - kHighBits, kExponentMax);
        if (size == 0 || exponent <= 0) return sign;
        const std::uint64_t bits = below >= kM ? size >> (below - kM) : size << (kM - below);
        return static_cast<T>(sign | static_cast<T>(static_cast<T>(exponent) << kM) |
                              (static_cast<T>(bits) & kMantissa));
    }
    int high_;
};

// Integers: modulo 2^width, with 12 bits below 1; steps past 2^49 are cut off.
template <class T>
class FixedPoint<Integer<T>> {
public:
    explicit FixedPoint(unsigned) {}

    std::int64_t value(T element) const { return step(T{0}, element); }
    std::int64_t step(T from, T to) const {
        const auto difference = static_cast<std::make_signed_t<T>>(static_cast<T>(to - from));
        constexpr std::int64_t kMost = std::int64_t{1} << 49;
        return std::clamp<std::int64_t>(difference, -kMost, kMost) * (1 << kFractionBits);
    }
    Moved<T> move(T from, std::int64_t by) const {
        const std::int64_t whole = (by + (1 << (kFractionBits - 1))) >> kFractionBits;
        const std::int64_t missing = by - whole * (1 << kFractionBits);
        return {static_cast<T>(from + static_cast<T>(whole)),
                static_cast<int>(missing >> (kFractionBits - 4))};
    }

private:
    static constexpr unsigned kFractionBits = 12;
};

}  // namespace tributary::codec
