// Seals and signed documents: the formats of common/record/document.h, signed and checked.
#pragma once

#include <span>
#include <string_view>

#include "common/record/document.h"
#include "common/record/entry.h"
#include "common/trust/trust.h"

namespace tributary::trust {

// A record of kind seal over one head alone.
Result<Bytes> seal_head(Signer& signer, const Incarnation& incarnation, std::uint64_t sequence,
                        const EntryHash& head);

// denied unless this key signed the seal's head for this purpose; says nothing about which entry
// that head is, so ask seal_covers() as well.
Status verify_seal(Verifier& verifier, ByteView public_key, const Seal& seal);
// denied unless the seal's head, journal and number are this entry's.
Status seal_covers(const Seal& seal, const EntryView& head);

// A record of kind document or receipt, by purpose.
Result<Bytes> sign_document(Signer& signer, std::string_view purpose, ByteView payload);

// Many of one purpose under one signature, in their order; each is checked alone, like one that was
// signed alone, and is 33 bytes longer for each doubling of their number. One is signed alone; of
// more than kBatchMax so many share a signature.
inline constexpr std::size_t kBatchMax = 65'536;
Result<std::vector<Bytes>> sign_documents(Signer& signer, std::string_view purpose,
                                          std::span<const Bytes> payloads);

// Of fewer than that each is signed alone: a path costs every reader more bytes than it is worth to
// spare so few signatures. The default is for a key in RAM; one in hardware pays from 2 on.
inline constexpr std::size_t kBatchFrom = 16;
Result<std::vector<Bytes>> sign_alone_or_together(Signer& signer, std::string_view purpose,
                                                  std::span<const Bytes> payloads,
                                                  std::size_t batch_from = kBatchFrom);

// The document, once one of `trusted_keys` (in DER) is known to have signed it for `purpose`; its
// payload may be believed then, and only then. denied: another purpose, an unknown key, or a wrong
// signature; corrupt: not a document.
Result<SignedDocument> verify_document(Verifier& verifier, std::span<const Bytes> trusted_keys,
                                       std::string_view purpose, ByteView document);

// denied unless at least `threshold` of `trusted_keys` (in DER, each counted once) signed the
// document for `purpose`. Signatures by other keys, and wrong ones, count for nothing.
Status verify_threshold(Verifier& verifier, std::span<const Bytes> trusted_keys,
                        std::uint32_t threshold, std::string_view purpose,
                        const MultiSignedDocument& document);

}  // namespace tributary::trust
