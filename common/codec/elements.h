// What the codings of typed elements share: reading and writing single elements, and for each type
// the integers in which two versions of a value are close.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// Whole words at any alignment, in one instruction where the machine's order is ours.
template <class T>
T load(const std::uint8_t* from) {
    if constexpr (std::endian::native == std::endian::little) {
        T value;
        std::memcpy(&value, from, sizeof value);
        return value;
    } else {
        return load_le<T>(from);
    }
}

template <class T>
void store(std::uint8_t* to, T value) {
    if constexpr (std::endian::native == std::endian::little)
        std::memcpy(to, &value, sizeof value);
    else
        store_le(to, value);
}

template <class T>
inline constexpr int kBits = 8 * static_cast<int>(sizeof(T));
template <class T>
inline constexpr T kTopBit = static_cast<T>(T{1} << (kBits<T> - 1));

// All ones when the top bit is set.
template <class T>
T sign_mask(T value) {
    return static_cast<T>(T{0} - static_cast<T>(value >> (kBits<T> - 1)));
}

template <class T>
T zigzag(T value) {
    return static_cast<T>(static_cast<T>(value << 1) ^ sign_mask(value));
}
template <class T>
T unzigzag(T value) {
    return static_cast<T>(static_cast<T>(value >> 1) ^ static_cast<T>(T{0} - (value & 1)));
}

// One kind for each way in which elements are ordered and grow. spread() and gather(): for byte
// planes without base. to_order() and from_order(): integers that grow as the values do.
// magnitude(): grows by one where the distance between neighbouring values doubles.
template <class T, int mantissa_bits>
struct Float {
    using Word = T;
    static constexpr bool kSigned = true;  // the top bit is a sign, and what it mirrors
    static constexpr int kMantissaBits = mantissa_bits;
    static T spread(T u) { return static_cast<T>((u << 1) | (u >> (kBits<T> - 1))); }
    static T gather(T v) { return static_cast<T>((v >> 1) | static_cast<T>(v << (kBits<T> - 1))); }
    static T to_order(T u) { return static_cast<T>(u ^ (sign_mask(u) | kTopBit<T>)); }
    static T from_order(T m) {
        return static_cast<T>(m ^ (sign_mask(static_cast<T>(~m)) | kTopBit<T>));
    }
    static unsigned magnitude(T u) {
        return static_cast<unsigned>(static_cast<T>(u << 1) >> (mantissa_bits + 1));
    }
};

// Subtraction modulo 2^width does not care where the order begins.
template <class T>
struct Integer {
    using Word = T;
    static constexpr bool kSigned = false;
    static T spread(T u) { return zigzag(u); }
    static T gather(T v) { return unzigzag(v); }
    static T to_order(T u) { return u; }
    static T from_order(T m) { return m; }
    static unsigned magnitude(T) { return 0; }
};

// Single bytes: an order-0 coder does not care for their order.
struct Byte : Integer<std::uint8_t> {
    static std::uint8_t spread(std::uint8_t u) { return u; }
    static std::uint8_t gather(std::uint8_t v) { return v; }
};

// The type of single values with this number; blocks are no such.
inline std::optional<ElementType> value_type(std::uint8_t number) {
    if (number > static_cast<std::uint8_t>(ElementType::boolean)) return std::nullopt;
    return static_cast<ElementType>(number);
}

// Calls `use` with the kind of `type`, which is not a block.
template <class Use>
auto with_kind(ElementType type, Use&& use) {
    switch (type) {
        case ElementType::f32: return use(Float<std::uint32_t, 23>{});
        case ElementType::f16: return use(Float<std::uint16_t, 10>{});
        case ElementType::bf16: return use(Float<std::uint16_t, 7>{});
        case ElementType::f64: return use(Float<std::uint64_t, 52>{});
        case ElementType::i16: return use(Integer<std::uint16_t>{});
        case ElementType::i32: return use(Integer<std::uint32_t>{});
        case ElementType::i64: return use(Integer<std::uint64_t>{});
        case ElementType::i8:
        case ElementType::u8:
        case ElementType::boolean:
        case ElementType::bytes:
        default: break;
    }
    return use(Byte{});
}

}  // namespace tributary::codec
