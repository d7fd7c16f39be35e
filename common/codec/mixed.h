// The payload of the encodings delta_mixed and mixed: steps from the base's elements, or floats
// without a base, bit by bit through models that learn, several contexts together. Where the
// elements are rows of a matrix, each row is predicted from those before. Slower than classes, and
// smaller.
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// Holds models and buffers: 0.3 MiB, twice the piece, and 3 bytes an element.
class MixedCoder {
public:
    MixedCoder();
    ~MixedCoder();

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
