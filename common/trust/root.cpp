#include "common/trust/root.h"

#include <algorithm>
#include <set>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/trust/seal.h"

namespace tributary::trust {
namespace {

tl::unexpected<Error> unsound(std::string_view what) {
    return fail(Errc::invalid, "the root document is not sound: " + std::string(what));
}

bool all_differ(std::vector<Bytes> items) {
    std::ranges::sort(items);
    return std::ranges::adjacent_find(items) == items.end();
}

std::vector<Bytes> keys_of(const std::vector<Root::NamedKey>& named) {
    std::vector<Bytes> keys;
    for (const Root::NamedKey& one : named) keys.push_back(one.key);
    return keys;
}

bool names_differ(const std::vector<Root::NamedKey>& named) {
    std::set<std::string_view> names;
    return std::ranges::all_of(
        named, [&](const Root::NamedKey& one) { return names.insert(one.name).second; });
}

struct Read {
    MultiSignedDocument document;
    VerifiedRoot verified;  // the payload, which no signature was looked at for yet
};

// Size and form, purpose, and that it is a root which could serve.
Result<Read> read_root(ByteView bytes) {
    if (bytes.size() > limits::kRootBytesMax)
        return fail(Errc::denied, "the root document has " + std::to_string(bytes.size()) +
                                      " bytes, more than the " +
                                      std::to_string(limits::kRootBytesMax) + " that it may have");
    Read read;
    TRIBUTARY_ASSIGN(read.document, parse_multi_signed_document(bytes));
    if (read.document.purpose != kRootPurpose)
        return fail(Errc::denied,
                    "the document was signed for another purpose: " + read.document.purpose +
                        " instead of " + std::string(kRootPurpose));
    read.verified.digest = root_digest(read.document.payload);
    TRIBUTARY_ASSIGN(read.verified.root, parse_root(read.document.payload));
    TRIBUTARY_TRY(check_root(read.verified.root));
    return read;
}

Status signed_by(Verifier& verifier, const Root& root, const MultiSignedDocument& document) {
    auto counted = verify_threshold(verifier, root.keys, root.threshold, kRootPurpose, document);
    if (!counted)
        return with_context("by the keys of root version " + std::to_string(root.version),
                            std::move(counted).error());
    return {};
}

Result<Bytes> encode_within_limit(const MultiSignedDocument& document) {
    TRIBUTARY_ASSIGN(Bytes bytes, encode_multi_signed_document(document));
    if (bytes.size() > limits::kRootBytesMax)
        return fail(Errc::exhausted, "the root document would have " +
                                         std::to_string(bytes.size()) + " bytes, and may have " +
                                         std::to_string(limits::kRootBytesMax) +
                                         "; name fewer keys or certificates");
    return bytes;
}

Status add_signature(Signer& signer, MultiSignedDocument& document) {
    MultiSignedDocument::Signature by;
    by.key = key_id(signer.public_key());
    TRIBUTARY_ASSIGN(by.signature, signer.sign(kRootPurpose, signed_digest(document)));
    document.signatures.push_back(std::move(by));
    return {};
}

}  // namespace

Digest root_digest(ByteView payload) { return sha256(payload); }

Status check_root(const Root& root) {
    if (root.version == 0) return unsound("versions begin with 1");
    if (root.expires.ms != 0 && root.expires <= root.issued)
        return unsound("it expires before it is issued");
    if (!all_differ(root.keys)) return unsound("a root key stands in it twice");
    if (root.threshold == 0 || root.threshold > root.keys.size())
        return unsound("it asks for " + std::to_string(root.threshold) + " signatures of " +
                       std::to_string(root.keys.size()) + " root keys");
    const std::vector<Bytes> approvers = keys_of(root.approvers);
    if (!all_differ(approvers)) return unsound("an approver's key stands in it twice");
    if (!names_differ(root.approvers)) return unsound("two approvers have the same name");
    if (root.approver_threshold == 0 ||
        (!approvers.empty() && root.approver_threshold > approvers.size()))
        return unsound("it asks for " + std::to_string(root.approver_threshold) + " approvals of " +
                       std::to_string(approvers.size()) + " approvers");
    if (root.hub_keys.empty() || !all_differ(root.hub_keys))
        return unsound("it names no key of a hub, or one of them twice");
    for (const Bytes& key : root.hub_keys)
        if (std::ranges::count(root.keys, key) != 0 || std::ranges::count(approvers, key) != 0)
            return unsound("a key of the hub, which is online, may sign roots or approvals too");
    if (root.authorities.empty() || !all_differ(root.authorities))
        return unsound("it names no authority, or one of them twice");
    return {};
}

Result<Bytes> sign_root(Signer& signer, const Root& root) {
    TRIBUTARY_TRY(check_root(root));
    MultiSignedDocument document;
    document.purpose = kRootPurpose;
    TRIBUTARY_ASSIGN(document.payload, encode_root(root));
    TRIBUTARY_TRY(add_signature(signer, document));
    return encode_within_limit(document);
}

Result<Bytes> add_root_signature(Signer& signer, ByteView document) {
    TRIBUTARY_ASSIGN(Read read, read_root(document));
    const Digest key = key_id(signer.public_key());
    for (const MultiSignedDocument::Signature& by : read.document.signatures)
        if (by.key == key)
            return fail(Errc::conflict,
                        "this key has signed the root document already; each "
                        "counts once, let the holder of another one sign it");
    TRIBUTARY_TRY(add_signature(signer, read.document));
    return encode_within_limit(read.document);
}

Result<VerifiedRoot> verify_first_root(Verifier& verifier, const Digest& pinned,
                                       ByteView document) {
    TRIBUTARY_ASSIGN(Read read, read_root(document));
    if (read.verified.digest != pinned)
        return fail(Errc::denied,
                    "this is not the root document that was promised: its payload "
                    "has the digest " +
                        read.verified.digest.text() + " instead of " + pinned.text());
    TRIBUTARY_TRY(signed_by(verifier, read.verified.root, read.document));
    return std::move(read.verified);
}

Result<VerifiedRoot> verify_next_root(Verifier& verifier, const Root& current, ByteView document) {
    TRIBUTARY_ASSIGN(Read read, read_root(document));
    const Root& next = read.verified.root;
    if (next.version <= current.version)
        return fail(Errc::conflict, "root version " + std::to_string(next.version) +
                                        " is no newer than " + std::to_string(current.version) +
                                        ", which is in force");
    if (next.version - current.version > 1)
        return fail(Errc::conflict, "root version " + std::to_string(next.version) +
                                        " does not follow " + std::to_string(current.version) +
                                        "; take each version between them first");
    TRIBUTARY_TRY(signed_by(verifier, current, read.document));
    TRIBUTARY_TRY(signed_by(verifier, next, read.document));
    return std::move(read.verified);
}

Result<VerifiedRoot> verify_root_chain(Verifier& verifier, VerifiedRoot current,
                                       std::span<const Bytes> documents) {
    if (documents.size() > limits::kRootStepsMax)
        return fail(Errc::exhausted, "more than " + std::to_string(limits::kRootStepsMax) +
                                         " root documents are not taken at once");
    for (const Bytes& document : documents) {
        TRIBUTARY_ASSIGN(current, verify_next_root(verifier, current.root, document));
    }
    return current;
}

bool is_expired(const Root& root, WallTime now) {
    return root.expires.ms != 0 && now >= root.expires;
}

bool drops_hub_key(const Root& from, const Root& to) {
    return std::ranges::any_of(
        from.hub_keys, [&](const Bytes& key) { return std::ranges::count(to.hub_keys, key) == 0; });
}

}  // namespace tributary::trust
