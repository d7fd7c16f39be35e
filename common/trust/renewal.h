// What a board proves when it asks for a new certificate: that it holds the key it has had so far.
// That it holds the new one the CSR proves itself.
#pragma once

#include "common/base/ids.h"
#include "common/hash/hash.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// What the board signs with its old key and kRenewalPurpose: its journal's incarnation, that key's
// id (32 bytes) and the CSR (DER). It has no nonce: whoever repeats it gets a certificate for a key
// that only the board holds. The old key must be the one that is in force.
inline Digest renewal_digest(const Incarnation& incarnation, const Digest& old_key, ByteView csr) {
    Bytes statement(incarnation.bytes.begin(), incarnation.bytes.end());
    statement.insert(statement.end(), old_key.bytes.begin(), old_key.bytes.end());
    statement.insert(statement.end(), csr.begin(), csr.end());
    return sha256_of(kRenewalPurpose, statement);
}

}  // namespace tributary::trust
