// Signatures that cost one hash, for simulators: the signature is sha256 of key, purpose and
// digest. Worth nothing as a secret (whoever knows the public key can sign), but wrong keys,
// purposes and bytes are refused as the real ones refuse them.
#pragma once

#include <algorithm>
#include <string>

#include "common/hash/hash.h"
#include "common/trust/trust.h"

namespace tributary::trust {

inline Bytes fake_signature(ByteView public_key, std::string_view purpose, const Digest& digest) {
    Bytes signed_bytes(public_key.begin(), public_key.end());
    signed_bytes.push_back(0);
    ByteWriter(signed_bytes).put(digest.bytes);
    const Digest first = sha256_of(purpose, signed_bytes);
    Bytes signature(first.bytes.begin(), first.bytes.end());
    signature.resize(64);  // the length of a real one
    return signature;
}

class FakeSigner final : public Signer {
public:
    // `name` stands for the key: another name is another key.
    explicit FakeSigner(std::string_view name) {
        const std::string text = "fake key " + std::string(name);
        key_.assign(text.begin(), text.end());
    }
    const Bytes& public_key() const override { return key_; }
    Result<Bytes> sign(std::string_view purpose, const Digest& digest) override {
        return fake_signature(key_, purpose, digest);
    }

private:
    Bytes key_;
};

class FakeVerifier final : public Verifier {
public:
    Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                  ByteView signature) override {
        if (!as_text(public_key).starts_with("fake key "))
            return fail(Errc::invalid, "the public key is not a fake one");
        const Bytes expected = fake_signature(public_key, purpose, digest);
        if (!std::equal(expected.begin(), expected.end(), signature.begin(), signature.end()))
            return fail(Errc::denied, "the signature is not this key's over these bytes");
        return {};
    }
};

}  // namespace tributary::trust
