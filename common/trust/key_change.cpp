#include "common/trust/key_change.h"

#include "common/hash/hash.h"

namespace tributary::trust {

Digest key_change_digest(const Incarnation& incarnation, const Digest& old_key, ByteView new_key) {
    Bytes statement(incarnation.bytes.begin(), incarnation.bytes.end());
    statement.insert(statement.end(), old_key.bytes.begin(), old_key.bytes.end());
    statement.insert(statement.end(), new_key.begin(), new_key.end());
    return sha256_of(kKeyChangePurpose, statement);
}

Result<KeyChangedBody> sign_key_change(Signer& old_key, Signer& new_key,
                                       const Incarnation& incarnation) {
    KeyChangedBody body;
    body.old_key = key_id(old_key.public_key());
    body.public_key = new_key.public_key();
    const Digest digest = key_change_digest(incarnation, body.old_key, body.public_key);
    TRIBUTARY_ASSIGN(body.by_old, old_key.sign(kKeyChangePurpose, digest));
    TRIBUTARY_ASSIGN(body.by_new, new_key.sign(kKeyChangePurpose, digest));
    return body;
}

Status verify_key_change(Verifier& verifier, const Incarnation& incarnation, ByteView old_key,
                         const KeyChangedBody& body) {
    if (body.old_key != key_id(old_key))
        return fail(Errc::denied, "the key change replaces another key than this journal's, " +
                                      body.old_key.text());
    if (key_id(body.public_key) == body.old_key)
        return fail(Errc::denied, "the key change names the key that it replaces");
    const Digest digest = key_change_digest(incarnation, body.old_key, body.public_key);
    if (auto by_old = verifier.verify(old_key, kKeyChangePurpose, digest, body.by_old); !by_old)
        return with_context("the old key's word for the key change", std::move(by_old).error());
    if (auto by_new = verifier.verify(body.public_key, kKeyChangePurpose, digest, body.by_new);
        !by_new)
        return with_context("the new key's word for the key change", std::move(by_new).error());
    return {};
}

}  // namespace tributary::trust
