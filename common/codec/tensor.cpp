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

}  // namespace tributary::codec
