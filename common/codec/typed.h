// The payload of the encodings planes, delta_planes and delta_sparse.
#pragma once

#include <array>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/codec/estimate.h"
#include "common/codec/frame.h"
#include "common/codec/planes.h"

namespace tributary::codec {

// What write_planes() would cost, guessed from an eighth of the elements, 512 to 2,048 of them,
// spread over the piece. `base` may be empty: then without one.
struct PlanesEstimate {
    std::uint64_t bits = 0;  // times 65536
    std::array<Spread, kPlanesMax> planes;
};
PlanesEstimate estimate_planes(const Piece& piece, ByteView base);

struct HowPlanes {
    Level level = Level::fast;
    bool may_be_sparse = false;
    const PlanesEstimate* estimate = nullptr;  // of the same piece and base, if it was made
};
struct PlanesWritten {
    std::size_t size = 0;  // 0: the payload did not fit
    bool sparse = false;   // whether a plane is
};
// Writes to `out`. `piece` has a type other than bytes. `scratch` holds the planes.
PlanesWritten write_planes(const Piece& piece, ByteView base, const HowPlanes& how,
                           FrameWriter& frames, Bytes& scratch, ByteSpan out);

// Of one of the three encodings. `base` is used only for a delta.
Status read_planes(ByteView payload, Encoding encoding, ByteView base, FrameReader& frames,
                   Bytes& scratch, ByteSpan out);

}  // namespace tributary::codec
