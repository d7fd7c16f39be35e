// The payload of the encoding columns: rows of text, such as CSV or JSON lines, as the steps of
// each of their numbers from the one above, column by column; lines that the base has are copied.
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/frame.h"

namespace tributary::codec {

// Holds the buffers: 8 bytes a number, 12 a row, and the payload's body: about 1 MiB for pieces of
// 256 KiB, at most 10 MiB.
class ColumnCoder {
public:
    ColumnCoder();
    ~ColumnCoder();

    // Whether the end of `plain` is lines of which most look like another but for their numbers.
    bool suits(ByteView plain);
    // Bytes written to `out`, or 0 when the payload does not fit there or the lines differ too
    // much. `base` may be empty: then without one.
    std::size_t write(ByteView plain, ByteView base, Effort effort, FrameWriter& frames,
                      ByteSpan out);
    Status read(ByteView payload, ByteView base, FrameReader& frames, ByteSpan out);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace tributary::codec
