// What the tables of all tensor formats say of a tensor.
#pragma once

#include <cstdint>
#include <vector>

#include "common/codec/codec.h"

namespace tributary::codec {

inline constexpr std::size_t kTensorsMax = 65536;
// Where a container has bytes of its own around each tensor, smaller ones are left to those: as
// pieces they would cost more than their type gains.
inline constexpr std::uint64_t kTensorBytesMin = 4096;

// FNV-1a of 64 bits: that of no byte, and of one more.
inline constexpr std::uint64_t kNoName = 0xcbf29ce484222325;
constexpr std::uint64_t name_with(std::uint64_t name, std::uint8_t byte) {
    return (name ^ byte) * 0x100000001b3;
}

struct Tensor {
    std::uint64_t offset = 0;  // in the file
    std::uint64_t bytes = 0;   // not 0: empty tensors are left out
    std::uint64_t name = 0;    // name_with() all bytes of the name as it is spelled in the file
    ElementType type = ElementType::bytes;
    std::uint32_t row = 0;  // elements of each of its rows, which may have scales; 0: not known
};
// Of so many elements, those of each index of the first of `dimensions`: what quantisers give a
// scale of its own. Of one dimension, all; 0 where that cannot be.
std::uint32_t row_of(std::uint64_t elements, std::size_t dimensions, std::uint64_t first);

// Puts them in file order. False when two overlap.
bool sort_tensors(std::vector<Tensor>& tensors);
// Whether they have at least half of a file's bytes.
bool are_most_of(const std::vector<Tensor>& tensors, std::uint64_t file_bytes);

}  // namespace tributary::codec
