// The four loops of this file run over every weight, so they are written for the compiler's
// vectoriser: no branches, no calls, unsigned arithmetic of the element's own width.
#include "common/codec/planes.h"

#include <algorithm>

#include "common/codec/elements.h"

namespace tributary::codec {
namespace {

template <class T>
void put_planes(T value, std::uint8_t* __restrict planes, std::size_t stride, std::size_t i) {
    for (std::size_t k = 0; k < sizeof(T); ++k)
        planes[k * stride + i] = static_cast<std::uint8_t>(value >> (8 * (sizeof(T) - 1 - k)));
}

// The planes of so many words, of which word_at(i) is one. The compiler takes words of up to four
// bytes apart by vectors, so longer ones go by halves.
template <class T, class WordAt>
void put_all(std::size_t count, WordAt word_at, std::uint8_t* __restrict planes,
             std::size_t stride) {
    if constexpr (sizeof(T) == 8) {
        for (std::size_t i = 0; i < count; ++i)
            put_planes(static_cast<std::uint32_t>(word_at(i) >> 32), planes, stride, i);
        for (std::size_t i = 0; i < count; ++i)
            put_planes(static_cast<std::uint32_t>(word_at(i)), planes + 4 * stride, stride, i);
    } else {
        for (std::size_t i = 0; i < count; ++i) put_planes<T>(word_at(i), planes, stride, i);
    }
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
    const auto spread = [plain](std::size_t i) {
        return Kind::spread(load<T>(plain + i * sizeof(T)));
    };
    put_all<T>(count, spread, planes, stride);
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
        const auto word = [&words](std::size_t i) { return words[i]; };
        put_all<T>(length, word, planes + at, stride);
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

BaseElements base_elements(const Elements& e, ByteView base) {
    if (base.size() <= e.head) return {};
    return {base.data() + e.head, std::min(e.count, (base.size() - e.head) / e.width)};
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
