// Where the numbers of a piece lie of which no header speaks: ranges of one element type and phase,
// found by what each would cost.
#pragma once

#include <cstddef>
#include <vector>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

struct Run {
    std::size_t bytes = 0;
    ElementType type = ElementType::bytes;
    std::uint8_t phase = 0;  // counted from the run's start
    bool delta = false;      // worth its base; never for bytes
};

// The runs of `plain` in order, one of bytes when it is not numeric. `base` may be empty. Estimates
// only; memory for a piece of 1 MiB is 12 KiB.
void find_runs(ByteView plain, ByteView base, std::vector<Run>& runs);

}  // namespace tributary::codec
