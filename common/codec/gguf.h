// The tensor table of a GGUF file, versions 2 and 3, little-endian: metadata, one entry a tensor,
// then the data, each tensor aligned. Format:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
//
// The reader passes over the metadata (it keeps the alignment), accepts only what the format
// allows, and believes nothing that does not add up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

inline constexpr std::uint64_t kGgufHeaderBytesMax = 64 * limits::MiB;

// The tensors in file order, without overlaps, inside the file; the padding behind a tensor counts
// as its own. Nullopt for a file that is not GGUF or whose header is truncated, too large or lies.
// Only an error of `read` is an error.
Result<std::optional<std::vector<Tensor>>> read_gguf(std::uint64_t file_bytes, const ReadAt& read);

}  // namespace tributary::codec
