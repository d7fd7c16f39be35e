// Fragments of a broadcast, sealed under the key that the invited devices were given: who else
// reads the topic learns how much is sent, not what.
//
// ChaCha20-Poly1305 (RFC 8439): as fast on a board without AES instructions as with them. The nonce
// is the fragment's generation (u32) and index (u32) and four zeros. The associated data are
// "tributary/1/cast", a zero byte, cast u64, generation u32, generation_bytes u32, last u8, index
// u32; all little-endian. A key is used for one broadcast, and under it one generation and index
// stand for the same bytes always.
#pragma once

#include "common/record/message.h"

namespace tributary::trust {

// What Fragment.sealed becomes; `fragment` has everything else. CHECKs the key's length.
Bytes seal_fragment(ByteView key, const sync::Fragment& fragment, ByteView plain);
// denied when it is not sealed under this key, or was changed.
Result<Bytes> open_fragment(ByteView key, const sync::Fragment& fragment);

}  // namespace tributary::trust
