// The payload of the encodings planes and delta_planes.
#pragma once

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/codec/frame.h"

namespace tributary::codec {

// What write_planes() would cost, in bits times 65536, guessed from an eighth of the elements, 512
// to 2,048 of them, spread over the piece. `base` may be empty: then without one.
std::uint64_t estimate_planes(const Piece& piece, ByteView base);

// Bytes written to `out`, or 0 when the payload does not fit there. `piece` has a type other than
// bytes. `scratch` holds the planes.
std::size_t write_planes(const Piece& piece, ByteView base, Level level, FrameWriter& frames,
                         Bytes& scratch, ByteSpan out);

// `base` is used only for a delta.
Status read_planes(ByteView payload, bool delta, ByteView base, FrameReader& frames, Bytes& scratch,
                   ByteSpan out);

}  // namespace tributary::codec
