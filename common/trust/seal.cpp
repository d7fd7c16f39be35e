#include "common/trust/seal.h"

#include <algorithm>

namespace tributary::trust {

Result<Bytes> seal_head(Signer& signer, const Incarnation& incarnation, std::uint64_t sequence,
                        const EntryHash& head) {
    Seal seal;
    seal.incarnation = incarnation;
    seal.sequence = sequence;
    seal.head = head;
    seal.key = key_id(signer.public_key());
    seal.purpose = kSealPurpose;
    TRIBUTARY_ASSIGN(seal.signature, signer.sign(kSealPurpose, signed_digest(seal)));
    return encode_seal(seal);
}

Status verify_seal(Verifier& verifier, ByteView public_key, const Seal& seal) {
    if (seal.purpose != kSealPurpose)
        return fail(Errc::denied, "the seal was made for another purpose: " + seal.purpose);
    if (seal.key != key_id(public_key))
        return fail(Errc::denied, "the seal is by another key than this journal's, " +
                                      seal.key.text() + "; has the board a new key?");
    const Digest root = signed_digest(seal);
    if (root.is_none()) return fail(Errc::denied, "the seal's path does not lead to a root");
    return verifier.verify(public_key, kSealPurpose, root, seal.signature);
}

Status seal_covers(const Seal& seal, const EntryView& head) {
    if (seal.head != head.hash || seal.incarnation != head.header.incarnation ||
        seal.sequence != head.header.sequence)
        return fail(Errc::denied, "the seal is over another entry than number " +
                                      std::to_string(head.header.sequence) + " of journal " +
                                      head.header.incarnation.text());
    return {};
}

Result<Bytes> sign_document(Signer& signer, std::string_view purpose, ByteView payload) {
    SignedDocument document;
    document.purpose = purpose;
    document.payload.assign(payload.begin(), payload.end());
    document.key = key_id(signer.public_key());
    TRIBUTARY_ASSIGN(document.signature, signer.sign(purpose, signed_digest(document)));
    return encode_signed_document(document);
}

Result<SignedDocument> verify_document(Verifier& verifier, std::span<const Bytes> trusted_keys,
                                       std::string_view purpose, ByteView document) {
    TRIBUTARY_ASSIGN(SignedDocument parsed, parse_signed_document(document));
    if (parsed.purpose != purpose)
        return fail(Errc::denied, "the document was signed for another purpose: " + parsed.purpose +
                                      " instead of " + std::string(purpose));
    const auto key = std::find_if(trusted_keys.begin(), trusted_keys.end(),
                                  [&](const Bytes& k) { return key_id(k) == parsed.key; });
    if (key == trusted_keys.end())
        return fail(Errc::denied, "the document is signed by a key that is not trusted here, " +
                                      parsed.key.text());
    TRIBUTARY_TRY(verifier.verify(*key, purpose, signed_digest(parsed), parsed.signature));
    return parsed;
}

}  // namespace tributary::trust
