// The tensor table of a safetensors file: 8 bytes header length (little-endian), a JSON object of
// name -> {dtype, shape, data_offsets}, then the data. Format:
// https://github.com/huggingface/safetensors, section "Format".
//
// The reader is a tokenizer over a 64 KiB window, not a JSON library: it keeps nothing but the
// table, accepts only what the format allows, and believes nothing that does not add up.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

inline constexpr std::uint64_t kSafetensorsHeaderBytesMax = 16 * limits::MiB;

// The tensors in file order, without overlaps, inside the file; the first begins at or behind the
// header's end. Nullopt for a file that is not safetensors or whose header is truncated, too large
// or lies. Only an error of `read` is an error.
Result<std::optional<std::vector<Tensor>>> read_safetensors(std::uint64_t file_bytes,
                                                            const ReadAt& read);

}  // namespace tributary::codec
