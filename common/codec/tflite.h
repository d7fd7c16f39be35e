// The weights of a TFLite model: a FlatBuffer whose tensors name buffers, each with a table of its
// own in front of its bytes. Format:
// https://github.com/tensorflow/tensorflow/blob/master/tensorflow/lite/schema/schema.fbs.
//
// The reader goes from offset to offset, never in a ring, reads no more than a few times the file,
// and believes nothing that does not add up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

// The buffers of tensors of at least kTensorBytesMin in file order, inside the file. Nullopt for a
// file that is not TFLite, or of which they are less than half. Only an error of `read` is one.
Result<std::optional<std::vector<Tensor>>> read_tflite(std::uint64_t file_bytes,
                                                       const ReadAt& read);

}  // namespace tributary::codec
