#include "common/codec/blocks.h"

#include <cstring>

namespace tributary::codec {
namespace {

using enum ElementType;

// As ggml lays them out; packed numbers of less than a byte are bytes.
constexpr std::array<Field, 2> kQ4_0 = {{{f16, 2}, {u8, 16}}};
constexpr std::array<Field, 3> kQ4_1 = {{{f16, 2}, {f16, 2}, {u8, 16}}};
constexpr std::array<Field, 3> kQ5_0 = {{{f16, 2}, {u8, 4}, {u8, 16}}};
constexpr std::array<Field, 4> kQ5_1 = {{{f16, 2}, {f16, 2}, {u8, 4}, {u8, 16}}};
constexpr std::array<Field, 2> kQ8_0 = {{{f16, 2}, {i8, 32}}};
constexpr std::array<Field, 3> kQ8_1 = {{{f16, 2}, {f16, 2}, {i8, 32}}};
constexpr std::array<Field, 4> kQ2_K = {{{u8, 16}, {u8, 64}, {f16, 2}, {f16, 2}}};
constexpr std::array<Field, 4> kQ3_K = {{{u8, 32}, {u8, 64}, {u8, 12}, {f16, 2}}};
constexpr std::array<Field, 4> kQ4_K = {{{f16, 2}, {f16, 2}, {u8, 12}, {u8, 128}}};
constexpr std::array<Field, 5> kQ5_K = {{{f16, 2}, {f16, 2}, {u8, 12}, {u8, 32}, {u8, 128}}};
constexpr std::array<Field, 4> kQ6_K = {{{u8, 128}, {u8, 64}, {i8, 16}, {f16, 2}}};
constexpr std::array<Field, 3> kQ8_K = {{{f32, 4}, {i8, 256}, {i16, 32}}};

template <std::size_t kBytes>
void gather_fixed(const std::uint8_t* from, std::size_t stride, std::size_t count,
                  std::uint8_t* to) {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * kBytes, from + i * stride, kBytes);
}

}  // namespace

std::span<const Field> fields_of(ElementType type) {
    switch (type) {
        case q4_0: return kQ4_0;
        case q4_1: return kQ4_1;
        case q5_0: return kQ5_0;
        case q5_1: return kQ5_1;
        case q8_0: return kQ8_0;
        case q8_1: return kQ8_1;
        case q2_k: return kQ2_K;
        case q3_k: return kQ3_K;
        case q4_k: return kQ4_K;
        case q5_k: return kQ5_K;
        case q6_k: return kQ6_K;
        case q8_k: return kQ8_K;
        default: return {};
    }
}

void gather_field(const std::uint8_t* from, std::size_t stride, std::size_t bytes,
                  std::size_t count, std::uint8_t* to) {
    // The two of Q8_0, where time matters most.
    if (bytes == 2) return gather_fixed<2>(from, stride, count, to);
    if (bytes == 32) return gather_fixed<32>(from, stride, count, to);
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * bytes, from + i * stride, bytes);
}

void scatter_field(const std::uint8_t* from, std::size_t bytes, std::size_t count, std::uint8_t* to,
                   std::size_t stride) {
    for (std::size_t i = 0; i < count; ++i) std::memcpy(to + i * stride, from + i * bytes, bytes);
}

}  // namespace tributary::codec
