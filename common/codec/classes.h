// The payload of the encodings delta_classes and classes: steps from the base's elements, each as a
// class (bit length, the bit below the leading one, direction) coded by rANS under tables that
// learn as they go, and the bits below as they are. A step of one size is longer where the base's
// values are smaller, so the base's exponent is the context; single bytes are classes of their own,
// and their context is the size of the steps before. Floats without a base: exponent, sign and the
// mantissa's first bit as class, and the exponents before as context.
#pragma once

#include <memory>

#include "common/codec/element_coder.h"

namespace tributary::codec {

// What write() would cost, in bits times 65536, guessed from about `sampled` elements spread over
// the piece, at least 8. `base` is not empty.
std::uint64_t estimate_classes(const Piece& piece, ByteView base, std::size_t sampled);

// It holds tables: 64 KiB. Of `buffers`, which outlive it, it takes 7 bytes an element and one more
// for each of its bytes.
std::unique_ptr<ElementCoder> make_class_coder(CodingBuffers& buffers);

}  // namespace tributary::codec
