// zstd frames as our formats use them: without magic number, content size, checksum or dictionary
// id. Only frame.cpp knows zstd; every parameter is set there, so that no default of a library
// version decides about our bytes.
#pragma once

#include <cstddef>
#include <memory>

#include "common/base/bytes.h"

namespace tributary::codec {

enum class Effort : std::uint8_t {
    entropy,  // Huffman alone, no search for repeats: byte planes of weights
    repeats,  // a quick search: planes with runs or patterns
    quick,    // text and unknown bytes
    thorough,
    exhaustive,  // for the level max
};

class FrameWriter {
public:
    FrameWriter();
    ~FrameWriter();
    // Bytes written to `out`, or 0 when the frame does not fit there. `prefix` may be empty and
    // must stay untouched during the call.
    std::size_t write(Effort effort, ByteView plain, ByteView prefix, ByteSpan out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

class FrameReader {
public:
    FrameReader();
    ~FrameReader();
    // Whether `frame` is well formed and decodes to exactly out.size() bytes.
    [[nodiscard]] bool read(ByteView frame, ByteView prefix, ByteSpan out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tributary::codec
