// What time it is for what has to expire.
#pragma once

#include <algorithm>

#include "common/env/clock.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// As the clock says, but not before what the hub's journal said last: a clock that was put back
// makes nothing old new, and lets nothing new expire before it begins.
inline WallTime time_not_before_journal(Clock& clock, Ledger& ledger) {
    return {std::max(clock.wall().ms, ledger.store().head().time.wall_ms)};
}

}  // namespace tributary::hub
