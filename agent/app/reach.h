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
// Connects with the config's certificates, as that device: subscribes and speaks on its topics as
// the daemon does. That it may not hear there no broker says. Empty: not known, or its daemon is
// connected; then under a name of its own, though a broker that takes the name from the certificate
// would drop the daemon. unavailable, or denied when the broker does not let us in or us speak.
Status try_broker(const Config& config, const std::string& device,
                  const trust::Passphrase* passphrase, Entropy& entropy);

}  // namespace tributary::agent
