// Whether bytes come again: for numbers, of which most never do, a look that costs a tenth of a
// search for repeats.
#pragma once

#include "common/base/bytes.h"

namespace tributary::codec {

// Whether a fair part of `plain` seems to stand in `base` too, at the same place or another one. A
// guess from samples: a few repeats may be missed, and what only looks like one may be found.
bool may_repeat(ByteView plain, ByteView base);

}  // namespace tributary::codec
