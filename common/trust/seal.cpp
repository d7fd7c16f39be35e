#include "common/trust/seal.h"

#include <algorithm>
#include <set>

#include "common/hash/hash.h"

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

namespace {

Status sign_batch(Signer& signer, std::string_view purpose, std::span<const Bytes> payloads,
                  std::vector<Bytes>& documents) {
    std::vector<Digest> leaves;
    leaves.reserve(payloads.size());
    for (const Bytes& payload : payloads) leaves.push_back(sha256_of(purpose, payload));
    const HashTree tree(leaves);  // of one leaf it is not signed: one alone has no tree
    SignedDocument document;
    document.purpose = purpose;
    document.key = key_id(signer.public_key());
    document.leaf_count = payloads.size();
    TRIBUTARY_ASSIGN(document.signature,
                     signer.sign(purpose, payloads.size() == 1 ? leaves.front() : tree.root()));
    for (std::size_t i = 0; i < payloads.size(); ++i) {
        document.payload = payloads[i];
        document.leaf_index = i;
        document.path = tree.path(i);
        TRIBUTARY_ASSIGN(Bytes bytes, encode_signed_document(document));
        documents.push_back(std::move(bytes));
    }
    return {};
}

}  // namespace

Result<std::vector<Bytes>> sign_documents(Signer& signer, std::string_view purpose,
                                          std::span<const Bytes> payloads) {
    std::vector<Bytes> documents;
    documents.reserve(payloads.size());
    while (documents.size() < payloads.size()) {
        const auto rest = payloads.subspan(documents.size());
        TRIBUTARY_TRY(
            sign_batch(signer, purpose, rest.first(std::min(rest.size(), kBatchMax)), documents));
    }
    return documents;
}

Result<std::vector<Bytes>> sign_alone_or_together(Signer& signer, std::string_view purpose,
                                                  std::span<const Bytes> payloads,
                                                  std::size_t batch_from) {
    if (payloads.size() >= batch_from) return sign_documents(signer, purpose, payloads);
    std::vector<Bytes> documents;
    for (const Bytes& payload : payloads) {
        TRIBUTARY_ASSIGN(Bytes document, sign_document(signer, purpose, payload));
        documents.push_back(std::move(document));
    }
    return documents;
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
    const Digest covered = signed_digest(parsed);
    if (covered.is_none())
        return fail(Errc::denied, "the path in the document does not lead to what was signed");
    TRIBUTARY_TRY(verifier.verify(*key, purpose, covered, parsed.signature));
    return parsed;
}

Status verify_threshold(Verifier& verifier, std::span<const Bytes> trusted_keys,
                        std::uint32_t threshold, std::string_view purpose,
                        const MultiSignedDocument& document) {
    if (document.purpose != purpose)
        return fail(Errc::denied, "the document was signed for another purpose: " +
                                      document.purpose + " instead of " + std::string(purpose));
    if (threshold == 0) return fail(Errc::denied, "a threshold of 0 signatures protects nothing");
    const Digest covered = signed_digest(document);
    // By key, so that one that stands twice in the document or in the list counts once.
    std::set<Digest> counted;
    for (const Bytes& key : trusted_keys) {
        const Digest id = key_id(key);
        for (const MultiSignedDocument::Signature& by : document.signatures)
            if (by.key == id && verifier.verify(key, purpose, covered, by.signature)) {
                counted.insert(id);
                break;
            }
        if (counted.size() >= threshold) return {};
    }
    return fail(Errc::denied, "the document has " + std::to_string(counted.size()) + " of the " +
                                  std::to_string(threshold) +
                                  " signatures that it needs by keys that count; let more of their "
                                  "holders sign it");
}

}  // namespace tributary::trust
