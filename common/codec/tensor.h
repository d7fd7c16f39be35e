// What the tables of all tensor formats say of a tensor.
#pragma once

#include <cstdint>
#include <vector>

#include "common/codec/codec.h"

namespace tributary::codec {

inline constexpr std::size_t kTensorsMax = 65536;  // 2 MiB of table

struct Tensor {
    std::uint64_t offset = 0;  // in the file
    std::uint64_t bytes = 0;   // not 0: empty tensors are left out
    std::uint64_t name = 0;    // FNV-1a of the name as it is spelled in the file
    ElementType type = ElementType::bytes;
};

// Puts them in file order. False when two overlap.
bool sort_tensors(std::vector<Tensor>& tensors);

}  // namespace tributary::codec
