// What a board proves at its first contact: that it holds the key it shows.
#pragma once

#include "common/base/ids.h"
#include "common/hash/hash.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// What the board signs with kContactPurpose: its journal's incarnation and its public key (DER).
inline Digest contact_digest(const Incarnation& incarnation, ByteView public_key) {
    Bytes statement(incarnation.bytes.begin(), incarnation.bytes.end());
    statement.insert(statement.end(), public_key.begin(), public_key.end());
    return sha256_of(kContactPurpose, statement);
}

}  // namespace tributary::trust
