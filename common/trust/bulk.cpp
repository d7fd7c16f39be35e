// Verifying and signing by libcrypto, whose P-256 is many times faster than mbedTLS's.
#include "common/trust/bulk.h"

#include <memory>

#include "common/hash/hash.h"
#include "common/trust/encrypted_key.h"
#include "common/trust/libcrypto.h"
#include "common/trust/p256.h"
#include "common/trust/trust.h"

namespace tributary::trust {
namespace {

using libcrypto::Context;
using libcrypto::Key;

class BulkVerifier final : public Verifier {
public:
    Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                  ByteView signature) override {
        TRIBUTARY_ASSIGN(const ByteView point, p256::point_of(public_key));
        const libcrypto::QuietErrors quiet;
        const Key key = libcrypto::key_of_point(point);
        if (!key) return fail(Errc::invalid, "the public key is not a point of the curve P-256");
        const auto denied = [] {
            return fail(Errc::denied, "the signature is not this key's over these bytes");
        };
        if (signature.size() != p256::kSignatureBytes) return denied();
        const Bytes der = libcrypto::signature_to_der(signature);
        const Context context(EVP_PKEY_CTX_new(key.get(), nullptr));
        if (der.empty() || !context || EVP_PKEY_verify_init(context.get()) != 1)
            return fail(Errc::exhausted, "checking a signature failed in libcrypto");
        const Digest hash = sha256_of(purpose, digest.bytes);
        const int answer = EVP_PKEY_verify(context.get(), der.data(), der.size(), hash.bytes.data(),
                                           hash.bytes.size());
        return answer == 1 ? Status{} : denied();
    }
};

class BulkSigner final : public Signer {
public:
    BulkSigner(Key key, Bytes public_key)
        : key_(std::move(key)), public_key_(std::move(public_key)) {}

    const Bytes& public_key() const override { return public_key_; }

    Result<Bytes> sign(std::string_view purpose, const Digest& digest) override {
        return sign_hash(sha256_of(purpose, digest.bytes));
    }
    Result<Bytes> sign_der(ByteView sequence) override {
        TRIBUTARY_CHECK(p256::is_der_sequence(sequence));
        return sign_hash(sha256(sequence));
    }

private:
    static constexpr std::size_t kDerBytesMax = 72;  // two numbers of 33 bytes, and what is around

    Result<Bytes> sign_hash(const Digest& hash) {
        const libcrypto::QuietErrors quiet;
        const Context context(EVP_PKEY_CTX_new(key_.get(), nullptr));
        Bytes der(kDerBytesMax);
        std::size_t length = der.size();
        const bool signed_it = context && EVP_PKEY_sign_init(context.get()) == 1 &&
                               EVP_PKEY_sign(context.get(), der.data(), &length, hash.bytes.data(),
                                             hash.bytes.size()) == 1;
        if (!signed_it) return fail(Errc::exhausted, "signing failed in libcrypto");
        Bytes signature = libcrypto::signature_from_der(ByteView(der).first(length));
        if (signature.empty()) return fail(Errc::exhausted, "signing failed in libcrypto");
        return signature;
    }

    Key key_;
    Bytes public_key_;
};

}  // namespace

Verifier& bulk_verifier() {
    static BulkVerifier verifier;
    return verifier;
}

Result<std::unique_ptr<Signer>> load_bulk_key(Files& files, const std::string& path,
                                              const Passphrase* passphrase) {
    // What is a sound key is decided at one place.
    TRIBUTARY_ASSIGN(const SecretText pem, load_plain_pem(files, path, passphrase));
    const auto sound = p256::PrivateKey::parse_pem(pem.text());
    if (!sound) return with_context("load the key " + path, sound.error());
    const libcrypto::QuietErrors quiet;
    Key key = libcrypto::private_key_of(pem.text());
    if (!key) return fail(Errc::invalid, "libcrypto cannot read the key " + path);
    return std::make_unique<BulkSigner>(std::move(key), sound->public_key());
}

Result<std::unique_ptr<Signer>> load_or_create_bulk_key(Files& files, Entropy& entropy,
                                                        const std::string& path,
                                                        const Passphrase* passphrase) {
    auto loaded = load_bulk_key(files, path, passphrase);
    if (loaded || loaded.error().code != Errc::not_found) return loaded;
    TRIBUTARY_TRY(create_key(files, entropy, path, passphrase));
    return load_bulk_key(files, path, passphrase);
}

}  // namespace tributary::trust
