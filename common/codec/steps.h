// How far an element has moved from the base's, as classes.cpp codes it: a symbol, bits that are
// stored as they are, and the context that says how likely each symbol is. One class for each way
// to take steps; each gives the steps of many elements at once, so that the compiler can vectorise.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "common/codec/bits.h"
#include "common/codec/class_model.h"
#include "common/codec/elements.h"

namespace tributary::codec {

// What is coded of one element.
struct Step {
    std::uint8_t symbol = 0;
    unsigned raw_bits = 0;
    std::uint64_t raw = 0;
};

// The class of a step of more than 8 bits and size s (0 and up) is 4 r + 2 (s >> r) + (1 if it goes
// down), r being the bits of s below its two leading ones. Of a float, down is towards zero.
template <class Kind>
class WideSteps {
public:
    using T = typename Kind::Word;
    static constexpr auto kKinship = ClassModel::Kinship::shifted;
    static constexpr std::size_t kLastRun = 8192;
    static constexpr std::size_t kSymbols = 4 * static_cast<std::size_t>(kBits<T>) - 2;
    static_assert(kSymbols <= ClassModel::kEscape);

    // Looks at the base's first `count` elements.
    WideSteps(const std::uint8_t* base, std::size_t count) {
        if constexpr (Kind::kSigned) {
            // Without their signs, so they can be compared as signed numbers, which is quicker.
            std::make_signed_t<T> most = 0;
            for (std::size_t i = 0; i < count; ++i) {
                const T size = static_cast<T>(load<T>(base + i * sizeof(T)) & ~kTopBit<T>);
                most = std::max(most, static_cast<std::make_signed_t<T>>(size));
            }
            largest_ = Kind::magnitude(static_cast<T>(most));
        }
    }

    // What changed from `from` to `to` for so many elements, and their contexts.
    void compare(const std::uint8_t* from, const std::uint8_t* to, std::size_t count,
                 T* __restrict changes, std::uint16_t* __restrict contexts) {
        for (std::size_t i = 0; i < count; ++i)
            changes[i] = change(load<T>(from + i * sizeof(T)), load<T>(to + i * sizeof(T)));
        for (std::size_t i = 0; i < count; ++i)
            contexts[i] = static_cast<std::uint16_t>(context(load<T>(from + i * sizeof(T))));
    }
    // Its sign is the step's direction.
    static T change(T from, T to) {
        return negate_if(static_cast<T>(Kind::to_order(to) - Kind::to_order(from)), mirrored(from));
    }
    static Step step(T change) {
        const T down = sign_mask(change);
        const T size = negate_if(change, down);
        const auto raw_bits = static_cast<unsigned>(std::bit_width(static_cast<T>(size | 2))) - 2;
        const auto leading = static_cast<unsigned>(size >> raw_bits);
        return {static_cast<std::uint8_t>(4 * raw_bits + 2 * leading + (down & 1)), raw_bits,
                static_cast<T>(size & static_cast<T>((T{1} << raw_bits) - 1))};
    }

    // None of the base's elements is larger than the largest.
    unsigned context(T from) const {
        return std::min<unsigned>(largest_ - Kind::magnitude(from), ClassModel::kContexts - 1);
    }
    static T apply(T from, std::uint8_t symbol, BitReader& bits) {
        const unsigned quarter = symbol / 4u;
        const unsigned raw_bits = quarter - (quarter != 0 ? 1 : 0);
        const unsigned leading = symbol / 2u - 2 * raw_bits;
        T size = static_cast<T>(static_cast<T>(leading) << raw_bits);
        if constexpr (sizeof(T) == 8) {
            const unsigned low = std::min(raw_bits, 32u);
            size |= bits.take(low);
            size |= static_cast<T>(bits.take(raw_bits - low)) << low;
        } else {
            size = static_cast<T>(size | bits.take(raw_bits));
        }
        const T down = static_cast<T>(T{0} - (symbol & 1));
        const T difference = negate_if(size, static_cast<T>(down ^ mirrored(from)));
        return Kind::from_order(static_cast<T>(Kind::to_order(from) + difference));
    }
    static void seen(T, T) {}

private:
    // All ones for a negative float.
    static T mirrored(T from) { return Kind::kSigned ? sign_mask(from) : T{0}; }
    static T negate_if(T value, T mask) {
        return static_cast<T>(static_cast<T>(value ^ mask) - mask);
    }
    unsigned largest_ = 0;
};

// Single bytes: the zigzag-coded step itself; 255 is spelled out.
class ByteSteps {
public:
    using T = std::uint8_t;
    static constexpr auto kKinship = ClassModel::Kinship::same;
    static constexpr std::size_t kLastRun = 4096;
    static constexpr std::size_t kSymbols = ClassModel::kEscape;

    ByteSteps(const std::uint8_t*, std::size_t) {}

    void compare(const std::uint8_t* from, const std::uint8_t* to, std::size_t count,
                 T* __restrict changes, std::uint16_t* __restrict contexts) {
        for (std::size_t i = 0; i < count; ++i) {
            contexts[i] = static_cast<std::uint16_t>(context(from[i]));
            changes[i] = zigzag(static_cast<T>(to[i] - from[i]));
            seen(from[i], to[i]);
        }
    }
    static Step step(T change) { return {change, 0, 0}; }

    // Four classes for each doubling of the mean size.
    unsigned context(T) const {
        const std::uint32_t x = mean_ + kUnit;
        const auto octave = static_cast<unsigned>(std::bit_width(x) - 1);
        const std::uint32_t quarter = (x >> (octave - 2)) & 3;
        return std::min<unsigned>(4 * (octave - kUnitBits) + quarter, ClassModel::kContexts - 1);
    }
    static T apply(T from, std::uint8_t symbol, BitReader&) {
        return static_cast<T>(from + unzigzag(symbol));
    }
    void seen(T from, T to) {
        const auto step = static_cast<std::int8_t>(static_cast<T>(to - from));
        const auto size = static_cast<std::uint32_t>(step < 0 ? -step : step);
        mean_ += size * (kUnit / kMemory);
        mean_ -= mean_ / kMemory;
    }

private:
    static constexpr unsigned kUnitBits = 8;
    static constexpr std::uint32_t kUnit = 1u << kUnitBits;
    static constexpr std::uint32_t kMemory = 16;
    std::uint32_t mean_ = 0;  // of the last sizes, in units of 1 / kUnit
};

// Calls `use` with the steps that elements of `type` take.
template <class Use>
auto with_steps(ElementType type, Use&& use) {
    return with_kind(type, [&](auto kind) {
        using Kind = decltype(kind);
        if constexpr (sizeof(typename Kind::Word) == 1)
            return use(std::type_identity<ByteSteps>{});
        else
            return use(std::type_identity<WideSteps<Kind>>{});
    });
}

}  // namespace tributary::codec
