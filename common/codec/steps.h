// How far an element has moved from the base's, or how large it is, as classes.cpp codes it: a
// symbol, bits that are stored as they are, and the context that says how likely each symbol is.
// One class for each way to take steps; each gives the steps of many elements at once, so that the
// compiler can vectorise.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <type_traits>
#include <utility>

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

// So far below the highest exponent others are looked at.
inline constexpr unsigned kBelowMax = 60;

// The highest exponent that is usual among elements of a float type, of which it looks at every
// sixteenth: what few exceed, or none but those that lie too far away to be numbers like the
// others, such as a header between tensors.
template <class Kind>
unsigned high_magnitude(const std::uint8_t* elements, std::size_t count) {
    using T = typename Kind::Word;
    constexpr std::size_t kStep = 16;
    constexpr std::uint32_t kFew = 256;
    std::array<std::uint32_t, std::size_t{1} << (kBits<T> - 1 - Kind::kMantissaBits)> seen{};
    for (std::size_t i = 0; i < count; i += kStep)
        ++seen[Kind::magnitude(load<T>(elements + i * sizeof(T)))];
    seen[0] = 0;
    std::array<std::uint32_t, seen.size()> near;  // from kBelowMax below each to itself
    std::uint32_t sum = 0;
    std::uint32_t most = 0;
    for (std::size_t i = 0; i < seen.size(); ++i) {
        sum += seen[i] - (i > kBelowMax ? seen[i - kBelowMax - 1] : 0);
        near[i] = sum;
        most = std::max(most, sum);
    }
    unsigned high = 0;
    while (near[high] < most - most / kFew) ++high;
    return high;
}

// The class of a step of more than 8 bits and size s (0 and up) is 4 r + 2 (s >> r) + (1 if it goes
// down), r being the bits of s below its two leading ones. Of a float, down is towards zero.
template <class Kind>
class WideSteps {
public:
    using T = typename Kind::Word;
    static constexpr bool kAlone = false;  // whether there is no base
    static constexpr auto kKinship = ClassModel::Kinship::shifted;
    static constexpr std::size_t kLastRun = 8192;
    static constexpr std::size_t kSymbols = 4 * static_cast<std::size_t>(kBits<T>) - 2;
    static_assert(kSymbols <= ClassModel::kEscape);

    // Looks at the base's first `count` elements.
    WideSteps(const std::uint8_t* base, std::size_t count) {
        if constexpr (Kind::kSigned) high_ = high_magnitude<Kind>(base, count);
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

    unsigned context(T from) const {
        const unsigned size = Kind::magnitude(from);
        return std::min<unsigned>(high_ - std::min(high_, size), ClassModel::kContexts - 1);
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
        return moved(from, size, (symbol & 1) != 0);
    }
    // Undoes change(): where a step of that size leads.
    static T moved(T from, T size, bool down) {
        const T turned = static_cast<T>(static_cast<T>(T{0} - T{down}) ^ mirrored(from));
        return Kind::from_order(static_cast<T>(Kind::to_order(from) + negate_if(size, turned)));
    }
    static void seen(T, T) {}

private:
    // All ones for a negative float.
    static T mirrored(T from) { return Kind::kSigned ? sign_mask(from) : T{0}; }
    static T negate_if(T value, T mask) {
        return static_cast<T>(static_cast<T>(value ^ mask) - mask);
    }
    unsigned high_ = 0;
};

// Single bytes: the zigzag-coded step itself; 255 is spelled out.
class ByteSteps {
public:
    using T = std::uint8_t;
    static constexpr bool kAlone = false;
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

// Floats without a base: how far the exponent is below a high one, with the sign and the
// mantissa's first bit. The context is how far those before were.
template <class Kind>
class AloneSteps {
public:
    using T = typename Kind::Word;
    static constexpr bool kAlone = true;
    static constexpr auto kKinship = ClassModel::Kinship::shifted;
    static constexpr std::size_t kLastRun = 8192;
    static constexpr std::size_t kSymbols = 4 * (kBelowMax + 2);
    static_assert(kSymbols <= ClassModel::kEscape);

    explicit AloneSteps(unsigned high) : high_(high) {}

    void compare(const std::uint8_t*, const std::uint8_t* to, std::size_t count,
                 T* __restrict changes, std::uint16_t* __restrict contexts) {
        AloneSteps steps = *this;  // nobody has its address, so that it can live in registers
        for (std::size_t i = 0; i < count; ++i) {
            changes[i] = load<T>(to + i * sizeof(T));
            contexts[i] = static_cast<std::uint16_t>(steps.context(T{0}));
            steps.seen(T{0}, changes[i]);
        }
        *this = steps;
    }
    Step step(T value) const {
        const unsigned below = high_ - Kind::magnitude(value);
        if (value == 0) return {kZero, 0, 0};
        if (below > kBelowMax) return {kOther, kBits<T>, value};
        const auto sign = static_cast<unsigned>(value >> (kBits<T> - 1));
        const auto first = static_cast<unsigned>(value >> kRawBits) & 1;
        return {static_cast<std::uint8_t>(4 * (below + 1) + 2 * first + sign), kRawBits,
                static_cast<T>(value & ((T{1} << kRawBits) - 1))};
    }
    unsigned context(T) const {
        return std::min((mean_ + kMemory / 2) / kMemory, unsigned{ClassModel::kContexts - 1});
    }
    T apply(T, std::uint8_t symbol, BitReader& bits) const {
        if (symbol < 4) return symbol == kZero ? T{0} : take(bits, kBits<T>);
        // A damaged symbol may ask for less than none; what it gives is harmless.
        const auto exponent = static_cast<T>(high_ - (symbol / 4u - 1));
        const auto top = static_cast<T>(static_cast<T>(exponent << 1) | (symbol >> 1 & 1));
        return static_cast<T>(static_cast<T>(static_cast<T>(symbol & 1) << (kBits<T> - 1)) |
                              static_cast<T>(static_cast<T>(top << kRawBits) & ~kTopBit<T>) |
                              take(bits, kRawBits));
    }
    // The mean moves on after every four, so that a decoder need not wait for each.
    void seen(T, T value) {
        const unsigned below = high_ - Kind::magnitude(value);
        sum_ += below <= kBelowMax ? below : mean_ / kMemory;
        if (++count_ % 4 != 0) return;
        mean_ += std::exchange(sum_, 0) - mean_ / 4;
    }

private:
    static constexpr unsigned kRawBits = static_cast<unsigned>(Kind::kMantissaBits) - 1;
    static constexpr std::uint8_t kZero = 0;
    static constexpr std::uint8_t kOther = 1;  // all of its bits are raw
    static constexpr unsigned kMemory = 16;

    static T take(BitReader& bits, unsigned count) {
        const unsigned low = std::min(count, 32u);
        std::uint64_t value = bits.take(low);
        value |= std::uint64_t{bits.take(count - low)} << low;
        return static_cast<T>(value);
    }
    unsigned high_;
    unsigned mean_ = 0;  // of how far below the last ones were, times kMemory
    unsigned sum_ = 0;
    unsigned count_ = 0;
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

// The same for steps without a base, with the kind of float; false for other types.
template <class Use>
bool with_floats(ElementType type, Use&& use) {
    return with_kind(type, [&](auto kind) {
        if constexpr (decltype(kind)::kSigned) use(kind);
        return decltype(kind)::kSigned;
    });
}

}  // namespace tributary::codec
