#include "common/codec/tensor.h"

#include <algorithm>

namespace tributary::codec {

bool sort_tensors(std::vector<Tensor>& tensors) {
    std::sort(tensors.begin(), tensors.end(),
              [](const Tensor& a, const Tensor& b) { return a.offset < b.offset; });
    for (std::size_t i = 1; i < tensors.size(); ++i)
        if (tensors[i].offset - tensors[i - 1].offset < tensors[i - 1].bytes) return false;
    return true;
}

std::uint32_t row_of(std::uint64_t elements, std::size_t dimensions, std::uint64_t first) {
    if (dimensions < 2) first = 1;
    if (first == 0 || elements % first != 0) return 0;
    const std::uint64_t row = elements / first;
    return row <= UINT32_MAX ? static_cast<std::uint32_t>(row) : 0;
}

bool are_most_of(const std::vector<Tensor>& tensors, std::uint64_t file_bytes) {
    std::uint64_t bytes = 0;
    for (const Tensor& tensor : tensors) bytes += tensor.bytes;
    return bytes >= file_bytes / 2;
}

}  // namespace tributary::codec
