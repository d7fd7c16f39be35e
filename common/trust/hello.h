// What a hub proves at each of its Hellos: that it holds the key the device met first, now, and for
// this very session. Without it whoever answers at the broker would be sent the journal.
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

}  // namespace tributary::trust
