// Keys in files, and the signer and verifier that the product uses.
#include "common/hash/hash.h"
#include "common/trust/encrypted_key.h"
#include "common/trust/p256.h"
#include "common/trust/trust.h"

namespace tributary::trust {
namespace {

class KeySigner final : public Signer {
public:
    explicit KeySigner(p256::PrivateKey key) : key_(std::move(key)) {}
    const Bytes& public_key() const override { return key_.public_key(); }
    Result<Bytes> sign(std::string_view purpose, const Digest& digest) override {
        return key_.sign(sha256_of(purpose, digest.bytes));
    }
    Result<Bytes> sign_der(ByteView sequence) override {
        TRIBUTARY_CHECK(p256::is_der_sequence(sequence));
        return key_.sign(sha256(sequence));
    }

private:
    p256::PrivateKey key_;
};

class MbedVerifier final : public Verifier {
public:
    Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                  ByteView signature) override {
        return p256::verify(public_key, sha256_of(purpose, digest.bytes), signature);
    }
};

std::unique_ptr<Signer> signer_of(p256::PrivateKey key) {
    return std::make_unique<KeySigner>(std::move(key));
}

}  // namespace

Digest key_id(ByteView public_key) { return sha256(public_key); }

Result<std::unique_ptr<Signer>> generate_key(Entropy& entropy) {
    TRIBUTARY_ASSIGN(auto key, p256::PrivateKey::generate(entropy));
    return signer_of(std::move(key));
}

Result<std::unique_ptr<Signer>> load_key(Files& files, const std::string& path,
                                         const Passphrase* passphrase) {
    TRIBUTARY_ASSIGN(const SecretText pem, load_plain_pem(files, path, passphrase));
    auto key = p256::PrivateKey::parse_pem(pem.text());
    if (!key) return with_context("load the key " + path, std::move(key).error());
    return signer_of(*std::move(key));
}

Result<std::unique_ptr<Signer>> create_key(Files& files, Entropy& entropy, const std::string& path,
                                           const Passphrase* passphrase) {
    TRIBUTARY_TRY(check_key_path(path));
    const auto there = files.stat(path);
    if (there)
        return fail(Errc::conflict, "the key " + path +
                                        " is already there and is not replaced; use it, or give "
                                        "another path");
    if (there.error().code != Errc::not_found)
        return with_context("make the key " + path, there.error());
    TRIBUTARY_ASSIGN(auto key, p256::PrivateKey::generate(entropy));
    SecretText pem(key.pem());
    if (passphrase != nullptr) {
        TRIBUTARY_ASSIGN(pem, encrypt_pem(pem.text(), *passphrase, entropy));
    }
    // Whole or not at all: a power cut must not leave half a key under the name that is loaded.
    const Status written = replace_file(files, path, as_bytes(pem.text()));
    if (!written) return with_context("make the key " + path, written.error());
    return signer_of(std::move(key));
}

Result<std::unique_ptr<Signer>> load_or_create_key(Files& files, Entropy& entropy,
                                                   const std::string& path,
                                                   const Passphrase* passphrase) {
    auto loaded = load_key(files, path, passphrase);
    if (loaded || loaded.error().code != Errc::not_found) return loaded;
    return create_key(files, entropy, path, passphrase);
}

std::string public_key_pem(ByteView public_key) { return p256::public_key_pem(public_key); }
Result<Bytes> parse_public_key_pem(std::string_view pem) { return p256::parse_public_key_pem(pem); }

Verifier& system_verifier() {
    static MbedVerifier verifier;
    return verifier;
}

}  // namespace tributary::trust
