// What both prove at their Hellos: that they hold their key, now, and for this very session.
// Without the hub's proof whoever answers at the broker would be sent the journal; without the
// agent's, whoever speaks there could raise alarms in its name and be pushed its model.
#pragma once

#include <string_view>

#include "common/hash/hash.h"
#include "common/record/message.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// What the hub signs with kHelloPurpose and puts into Hello.proof.
inline Digest hello_digest(std::uint64_t nonce, std::string_view device, const sync::Hello& hello) {
    return sha256_of(kHelloPurpose, sync::hello_statement(nonce, device, hello));
}

inline constexpr std::string_view kAgentHelloPurpose = "tributary/1/agent-hello";

// What the agent signs with kAgentHelloPurpose and the key that is in force in the journal of its
// head. The hub's boot in it makes it fresh.
inline Digest agent_hello_digest(std::uint64_t nonce, std::string_view device,
                                 const sync::Hello& hello) {
    return sha256_of(kAgentHelloPurpose, sync::agent_hello_statement(nonce, device, hello));
}

}  // namespace tributary::trust
