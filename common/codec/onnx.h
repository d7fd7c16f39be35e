// The initializers of an ONNX model: a protobuf message whose graph holds the weights as tensors of
// their own, each with a few bytes around it. Format:
// https://github.com/onnx/onnx/blob/main/onnx/onnx.proto.
//
// The reader passes over all that is no weight, and believes nothing that does not add up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

// The initializers of at least kTensorBytesMin in file order, inside the file. Nullopt for a file
// that is not ONNX, or of which they are less than half. Only an error of `read` is an error.
Result<std::optional<std::vector<Tensor>>> read_onnx(std::uint64_t file_bytes, const ReadAt& read);

}  // namespace tributary::codec
