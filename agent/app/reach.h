// Whether hub and broker answer, tried once and briefly.
#pragma once

#include "agent/config/config.h"
#include "agent/sync/pins.h"
#include "common/env/clock.h"

namespace tributary::agent {

// unavailable with what to check, when nothing answers like a hub; conflict when it is not the
// pinned one.
Status try_hub(const Config& config, const std::optional<Pins>& pins);
// Connects with the config's certificates, under a name of its own so that a running agent stays
// connected. unavailable, or denied when the broker does not let us in.
Status try_broker(const Config& config, Entropy& entropy);

}  // namespace tributary::agent
