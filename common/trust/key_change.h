// A journal gets a new key: the old one says so and the new one agrees, so that neither a thief of
// the old one can name a stranger's key as its heir, nor anybody claim a key that is not theirs.
#pragma once

#include "common/base/ids.h"
#include "common/record/entry.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// What both sign with kKeyChangePurpose: the journal's incarnation, the old key's id (32 bytes) and
// the new public key (DER).
Digest key_change_digest(const Incarnation& incarnation, const Digest& old_key, ByteView new_key);

// The body of the entry after which seals are by `new_key`.
Result<KeyChangedBody> sign_key_change(Signer& old_key, Signer& new_key,
                                       const Incarnation& incarnation);

// denied unless `old_key` (DER), the one in force in this journal so far, and the new one signed it
// for this journal; also when both are the same key.
Status verify_key_change(Verifier& verifier, const Incarnation& incarnation, ByteView old_key,
                         const KeyChangedBody& body);

}  // namespace tributary::trust
