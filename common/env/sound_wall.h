// The wall clock's time, as far as it may be believed.
#pragma once

#include <optional>

#include "common/env/clock.h"

namespace tributary {

// None unless the clock is synchronised.
inline std::optional<WallTime> sound_wall(Clock& clock) {
    if (clock.quality() != ClockQuality::synced) return std::nullopt;
    return clock.wall();
}

}  // namespace tributary
