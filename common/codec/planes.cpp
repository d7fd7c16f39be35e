// The four loops of this file run over every weight, so they are written for the compiler's
// vectoriser: no branches, no calls, unsigned arithmetic of the element's own width.
#include "common/codec/planes.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include "common/base/result.h"

namespace tributary::codec {
namespace {

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
constexpr int kBits = 8 * static_cast<int>(sizeof(T));
template <class T>
constexpr T kTopBit = static_cast<T>(T{1} << (kBits<T> - 1));

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

template <class T>
struct Float {
    using Word = T;
    static T spread(T u) { return static_cast<T>((u << 1) | (u >> (kBits<T> - 1))); }
    static T gather(T v) { return static_cast<T>((v >> 1) | static_cast<T>(v << (kBits<T> - 1))); }
    static T to_order(T u) { return static_cast<T>(u ^ (sign_mask(u) | kTopBit<T>)); }
    static T from_order(T m) {
        return static_cast<T>(m ^ (sign_mask(static_cast<T>(~m)) | kTopBit<T>));
    }
};

// Subtraction modulo 2^width does not care where the order begins.
template <class T>
struct Integer {
    using Word = T;
    static T spread(T u) { return zigzag(u); }
    static T gather(T v) { return unzigzag(v); }
    static T to_order(T u) { return u; }
    static T from_order(T m) { return m; }
};

// Single bytes: an order-0 coder does not care for their order.
struct Byte : Integer<std::uint8_t> {
    static std::uint8_t spread(std::uint8_t u) { return u; }
    static std::uint8_t gather(std::uint8_t v) { return v; }
};

// Calls `use` with the kind of `type`.
template <class Use>
void with_kind(ElementType type, Use&& use) {
    switch (type) {
        case ElementType::f32: return use(Float<std::uint32_t>{});
        case ElementType::f16:
        case ElementType::bf16: return use(Float<std::uint16_t>{});
        case ElementType::f64: return use(Float<std::uint64_t>{});
        case ElementType::i16: return use(Integer<std::uint16_t>{});
        case ElementType::i32: return use(Integer<std::uint32_t>{});
        case ElementType::i64: return use(Integer<std::uint64_t>{});
        case ElementType::i8:
        case ElementType::u8:
        case ElementType::boolean: return use(Byte{});
        case ElementType::bytes: break;
    }
    TRIBUTARY_CHECK(type != ElementType::bytes);
}

template <class T>
void put_planes(T value, std::uint8_t* __restrict planes, std::size_t stride, std::size_t i) {
    for (std::size_t k = 0; k < sizeof(T); ++k)
        planes[k * stride + i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - k)));
}

template <class T>
T take_planes(const std::array<const std::uint8_t*, sizeof(T)>& planes, std::size_t i) {
    T value = 0;
    for (std::size_t k = 0; k < sizeof(T); ++k)
        value =
            static_cast<T>(value | static_cast<T>(T{planes[k][i]} << (8 * (sizeof(T) - 1 - k))));
    return value;
}

template <class T>
std::array<const std::uint8_t*, sizeof(T)> first_planes(
    const std::array<const std::uint8_t*, kPlanesMax>& planes) {
    std::array<const std::uint8_t*, sizeof(T)> first;
    std::copy_n(planes.begin(), sizeof(T), first.begin());
    return first;
}

template <class Kind, class T = typename Kind::Word>
void split_loop(const std::uint8_t* __restrict plain, std::size_t count,
                std::uint8_t* __restrict planes, std::size_t stride) {
    for (std::size_t i = 0; i < count; ++i)
        put_planes<T>(Kind::spread(load<T>(plain + i * sizeof(T))), planes, stride, i);
}

template <class Kind, class T = typename Kind::Word>
void join_loop(const std::array<const std::uint8_t*, sizeof(T)> planes, std::size_t count,
               std::uint8_t* __restrict plain) {
    for (std::size_t i = 0; i < count; ++i)
        store<T>(plain + i * sizeof(T), Kind::gather(take_planes<T>(planes, i)));
}

// In two passes over a small buffer: the compiler vectorises both, but not the two in one.
template <class Kind, class T = typename Kind::Word>
void split_delta_loop(const std::uint8_t* __restrict plain, std::size_t count,
                      const std::uint8_t* __restrict base, std::size_t base_count,
                      std::uint8_t* __restrict planes, std::size_t stride) {
    constexpr std::size_t kBatch = 512;
    std::array<T, kBatch> words;
    const T zero = Kind::to_order(T{0});
    for (std::size_t at = 0; at < count; at += kBatch) {
        const std::size_t length = std::min(kBatch, count - at);
        const std::size_t common = std::min(length, base_count - std::min(at, base_count));
        for (std::size_t i = 0; i < common; ++i) {
            const T to = Kind::to_order(load<T>(plain + (at + i) * sizeof(T)));
            const T from = Kind::to_order(load<T>(base + (at + i) * sizeof(T)));
            words[i] = zigzag(static_cast<T>(to - from));
        }
        for (std::size_t i = common; i < length; ++i) {
            const T to = Kind::to_order(load<T>(plain + (at + i) * sizeof(T)));
            words[i] = zigzag(static_cast<T>(to - zero));
        }
        for (std::size_t i = 0; i < length; ++i) put_planes<T>(words[i], planes + at, stride, i);
    }
}

template <class Kind, class T = typename Kind::Word>
void join_delta_loop(const std::array<const std::uint8_t*, sizeof(T)> planes, std::size_t count,
                     const std::uint8_t* __restrict base, std::size_t base_count,
                     std::uint8_t* __restrict plain) {
    const std::size_t common = std::min(count, base_count);
    for (std::size_t i = 0; i < common; ++i) {
        const T from = Kind::to_order(load<T>(base + i * sizeof(T)));
        const T to = static_cast<T>(from + unzigzag(take_planes<T>(planes, i)));
        store<T>(plain + i * sizeof(T), Kind::from_order(to));
    }
    const T zero = Kind::to_order(T{0});
    for (std::size_t i = common; i < count; ++i) {
        const T to = static_cast<T>(zero + unzigzag(take_planes<T>(planes, i)));
        store<T>(plain + i * sizeof(T), Kind::from_order(to));
    }
}

}  // namespace

Elements elements_of(ElementType type, std::uint8_t phase, std::size_t plain_bytes) {
    Elements e;
    e.width = element_bytes(type);
    e.head = std::min<std::size_t>(phase, plain_bytes);
    e.count = (plain_bytes - e.head) / e.width;
    e.tail = (plain_bytes - e.head) % e.width;
    return e;
}

void split(ElementType type, const std::uint8_t* plain, std::size_t count, std::uint8_t* planes,
           std::size_t stride) {
    with_kind(type, [&](auto kind) { split_loop<decltype(kind)>(plain, count, planes, stride); });
}

void join(ElementType type, const std::array<const std::uint8_t*, kPlanesMax>& planes,
          std::size_t count, std::uint8_t* plain) {
    with_kind(type, [&](auto kind) {
        using Kind = decltype(kind);
        join_loop<Kind>(first_planes<typename Kind::Word>(planes), count, plain);
    });
}

void split_delta(ElementType type, const std::uint8_t* plain, std::size_t count,
                 const std::uint8_t* base, std::size_t base_count, std::uint8_t* planes,
                 std::size_t stride) {
    with_kind(type, [&](auto kind) {
        split_delta_loop<decltype(kind)>(plain, count, base, base_count, planes, stride);
    });
}

void join_delta(ElementType type, const std::array<const std::uint8_t*, kPlanesMax>& planes,
                std::size_t count, const std::uint8_t* base, std::size_t base_count,
                std::uint8_t* plain) {
    with_kind(type, [&](auto kind) {
        using Kind = decltype(kind);
        join_delta_loop<Kind>(first_planes<typename Kind::Word>(planes), count, base, base_count,
                              plain);
    });
}

}  // namespace tributary::codec
