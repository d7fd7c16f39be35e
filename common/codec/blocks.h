// Element types that are blocks of quantised weights: fields of a fixed width, one behind the
// other. Each field is coded as a column of its own, since a scale moves otherwise than a quant.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

struct Field {
    ElementType type;
    std::uint16_t bytes;
};
inline constexpr std::size_t kFieldsMax = 8;

// Empty for a type whose elements are single values.
std::span<const Field> fields_of(ElementType type);

// `count` fields of `bytes` bytes, `stride` apart, to neighbours, and back.
void gather_field(const std::uint8_t* from, std::size_t stride, std::size_t bytes,
                  std::size_t count, std::uint8_t* to);
void scatter_field(const std::uint8_t* from, std::size_t bytes, std::size_t count, std::uint8_t* to,
                   std::size_t stride);

}  // namespace tributary::codec
