// How much comes again: for numbers, of which most never do, a look that costs a tenth of a
// search for repeats.
#pragma once

#include <cstddef>

#include "common/base/bytes.h"

namespace tributary::codec {

// About how many bytes of `plain` stand in `base` too, at the same place or another one: a guess
// from samples.
std::size_t repeated_bytes(ByteView plain, ByteView base);

}  // namespace tributary::codec
