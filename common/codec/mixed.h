// The payload of the encodings delta_mixed and mixed: steps from the base's elements, or floats
// without a base, bit by bit through models that learn, several contexts together. Where the
// elements are rows of a matrix, each row is predicted from those before. Slower than classes, and
// smaller.
#pragma once

#include <memory>

#include "common/codec/element_coder.h"

namespace tributary::codec {

// A part of fewer plain bytes is not coded so, and refused: a piece may have thousands of parts,
// and each begins with models that are made anew, which takes as long as to decode some hundred
// bytes.
inline constexpr std::size_t kMixedPartBytesMin = 1024;

// It holds models and values: 0.3 MiB and 2 bytes an element. Of `buffers`, which outlive it, it
// takes twice the piece and a byte an element.
std::unique_ptr<ElementCoder> make_mixed_coder(CodingBuffers& buffers);

}  // namespace tributary::codec
