// Whether hub and broker answer, tried once and briefly.
#pragma once

#include "agent/config/config.h"
#include "agent/sync/pins.h"
#include "common/env/clock.h"
#include "common/trust/key_file.h"

namespace tributary::agent {

// unavailable with what to check, when nothing answers like a hub; conflict when it is not the
// pinned one.
Status try_hub(const Config& config, const std::optional<Pins>& pins);
// Likewise the door of a secured hub, which knows no question but those of boards.
Status try_door(const Config& config);
// Connects with the config's certificates, under a name of its own so that a running agent stays
// connected; a broker that takes the name from the certificate would drop that one. unavailable, or
// denied when the broker does not let us in.
Status try_broker(const Config& config, const trust::Passphrase* passphrase, Entropy& entropy);

}  // namespace tributary::agent
