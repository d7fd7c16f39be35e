#include "common/codec/sparse.h"

#include <algorithm>
#include <array>
#include <bit>

#include "common/codec/elements.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kEight = 8;

// Byte k is 1 if byte k of `eight` is not 0, else 0.
std::uint64_t others_of(std::uint64_t eight) {
    constexpr std::uint64_t kLow = 0x7f7f7f7f7f7f7f7f;
    return ((((eight & kLow) + kLow) | eight) & ~kLow) >> 7;
}

}  // namespace

std::size_t split_sparse(ByteView plane, std::uint8_t* mask, std::uint8_t* others) {
    std::size_t count = 0;
    const auto take = [&](const std::uint8_t* eight) {
        const std::uint64_t set = others_of(load<std::uint64_t>(eight));
        *mask++ = static_cast<std::uint8_t>(set * 0x0102040810204080 >> 56);
        if (set == 0) return;
        // Byte k: how many of those up to it are not 0. Each is written, and if it is 0 the next
        // one takes its place.
        const std::uint64_t up_to = set * 0x0101010101010101;
        for (std::size_t k = 0; k < kEight; ++k)
            others[count + static_cast<std::uint8_t>((up_to << 8) >> 8 * k)] = eight[k];
        count += static_cast<std::size_t>(up_to >> 56);
    };
    std::size_t at = 0;
    for (; at + kEight <= plane.size(); at += kEight) take(plane.data() + at);
    if (at < plane.size()) {
        std::array<std::uint8_t, kEight> last{};
        std::copy(plane.begin() + static_cast<std::ptrdiff_t>(at), plane.end(), last.begin());
        take(last.data());
    }
    return count;
}

std::optional<std::size_t> count_others(ByteView mask, std::size_t count) {
    std::size_t others = 0;
    for (const std::uint8_t bits : mask) others += static_cast<std::size_t>(std::popcount(bits));
    const std::size_t in_last = count % kEight;
    if (in_last != 0 && mask.back() >> in_last != 0) return std::nullopt;
    return others;
}

void join_sparse(ByteView mask, const std::uint8_t* others, ByteSpan plane) {
    const auto put = [&](std::uint8_t bits, std::uint8_t* eight) {
        for (std::size_t k = 0; k < kEight; ++k) {
            const std::uint8_t set = unsigned{bits} >> k & 1u;
            eight[k] = static_cast<std::uint8_t>(*others & (0u - set));
            others += set;
        }
    };
    std::size_t at = 0;
    for (; at + kEight <= plane.size(); at += kEight) {
        if (const std::uint8_t bits = mask[at / kEight]; bits != 0)
            put(bits, plane.data() + at);
        else
            std::fill_n(plane.data() + at, kEight, std::uint8_t{0});
    }
    if (at < plane.size()) {
        std::array<std::uint8_t, kEight> last;
        put(mask[at / kEight], last.data());
        std::copy_n(last.begin(), plane.size() - at, plane.data() + at);
    }
}

}  // namespace tributary::codec
