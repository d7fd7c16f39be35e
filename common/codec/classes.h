// The payload of the encodings delta_classes and classes: steps from the base's elements, each as a
// class (bit length, the bit below the leading one, direction) coded by rANS under tables that
// learn as they go, and the bits below as they are. A step of one size is longer where the base's
// values are smaller, so the base's exponent is the context; single bytes are classes of their own,
// and their context is the size of the steps before. Floats without a base: exponent, sign and the
// mantissa's first bit as class, and the exponents before as context.
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// What write() would cost, in bits times 65536, guessed from about `sampled` elements spread over
// the piece, at least 8. `base` is not empty.
std::uint64_t estimate_classes(const Piece& piece, ByteView base, std::size_t sampled);

// Holds the tables and buffers: 64 KiB and about 10 bytes an element.
class ClassCoder {
public:
    ClassCoder();
    ~ClassCoder();

    // Bytes written to `out`, or 0 when the payload does not fit there. `piece` has a type other
    // than bytes; without `base` it is of floats, or 0 is answered.
    std::size_t write(const Piece& piece, ByteView base, ByteSpan out);
    // `base` is empty if it was to write().
    Status read(ByteView payload, ByteView base, ByteSpan out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tributary::codec
