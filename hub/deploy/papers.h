// What a hub and its broker prove themselves with, each a certificate and its key beside it:
//
//   trust/api.pem       api.key.pem     the boards' door and the API
//   trust/hub.pem       hub.key.pem     the hub's own connection to the broker
//   broker/server.pem   server.key.pem  the broker
//
// A key gives way to the next in three steps, each whole or not made: the next one beside it, in
// NAME.next.key.pem; a certificate for that one; a rename. Done again after a power cut, it goes
// on.
#pragma once

#include <span>

#include "common/trust/certificate.h"
#include "common/trust/key_file.h"
#include "hub/config/config.h"

namespace tributary::hub {

// Makes the next key of each paper that an authority in ca.pem issued; the hub takes them when it
// next starts, and one that runs starts anew for them. conflict when there is one already: a copy
// of what lay there all the time may be in other hands. invalid when there is no such paper.
Status make_next_server_keys(Files& files, Entropy& entropy, const HubConfig& config,
                             const trust::MasterKey& master);
// Whether all that make_next_server_keys() made wait to be taken.
bool next_server_keys_wait(Files& files, const HubConfig& config);

// At start: each paper is by `by`, and its key is the next one if there is one; where that one
// cannot be used, another that is made in its place. A paper that is by
// another of `ours` gets another key with the other authority: whoever could read the authority's
// could read it. Certificates that are by none of `ours`, as of a broker that somebody else set up,
// stay as they are.
Status renew_papers(Files& files, Entropy& entropy, const HubConfig& config,
                    const trust::MasterKey& master, trust::Authority& by,
                    std::span<const Bytes> ours);

}  // namespace tributary::hub
