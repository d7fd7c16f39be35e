// The header of a NumPy array file: a version, a Python dictionary of the type, the order and the
// shape, then the elements. Format:
// https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/result.h"
#include "common/codec/layout.h"
#include "common/codec/tensor.h"

namespace tributary::codec {

inline constexpr std::uint64_t kNpyHeaderBytesMax = 64 * limits::KiB;

// At most one tensor, up to the end of the file. Nullopt for a file that is not .npy, whose header
// is truncated or too large, whose elements are no plain numbers, or which does not have as many of
// them as its shape says. Only an error of `read` is an error.
Result<std::optional<std::vector<Tensor>>> read_npy(std::uint64_t file_bytes, const ReadAt& read);

}  // namespace tributary::codec
