// Verifying and signing by libcrypto, whose P-256 is many times faster than mbedTLS's.
#include "common/trust/bulk.h"

#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include <memory>

#include "common/hash/hash.h"
#include "common/trust/p256.h"
#include "common/trust/trust.h"

namespace tributary::trust {
namespace {

template <auto free_function>
struct Deleter {
    template <class T>
    void operator()(T* pointer) const {
        free_function(pointer);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Deleter<EVP_PKEY_free>>;
using Context = std::unique_ptr<EVP_PKEY_CTX, Deleter<EVP_PKEY_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Deleter<BN_free>>;
using Bio = std::unique_ptr<BIO, Deleter<BIO_free>>;
using Signature = std::unique_ptr<ECDSA_SIG, Deleter<ECDSA_SIG_free>>;

Bytes signature_der(ByteView signature) {
    Signature pair(ECDSA_SIG_new());
    Number r(BN_bin2bn(signature.data(), 32, nullptr));
    Number s(BN_bin2bn(signature.data() + 32, 32, nullptr));
    if (!pair || !r || !s || ECDSA_SIG_set0(pair.get(), r.get(), s.get()) != 1) return {};
    static_cast<void>(r.release());  // the pair owns them now
    static_cast<void>(s.release());
    const int length = i2d_ECDSA_SIG(pair.get(), nullptr);
    if (length <= 0) return {};
    Bytes der(static_cast<std::size_t>(length));
    unsigned char* to = der.data();
    i2d_ECDSA_SIG(pair.get(), &to);
    return der;
}

Key make_curve() {
    const Context context(EVP_PKEY_CTX_new_id(EVP_PKEY_EC, nullptr));
    EVP_PKEY* curve = nullptr;
    const bool made =
        context && EVP_PKEY_paramgen_init(context.get()) == 1 &&
        EVP_PKEY_CTX_set_ec_paramgen_curve_nid(context.get(), NID_X9_62_prime256v1) == 1 &&
        EVP_PKEY_paramgen(context.get(), &curve) == 1;
    TRIBUTARY_CHECK(made);
    return Key(curve);
}

// Null when the point is not one of the curve. libcrypto's decoder of a whole SubjectPublicKeyInfo
// takes twice as long as the check of the signature; this a tenth of it.
Key key_of(ByteView point) {
    static const Key curve = make_curve();
    Key key(EVP_PKEY_new());
    const bool made = key && EVP_PKEY_copy_parameters(key.get(), curve.get()) == 1 &&
                      EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) == 1;
    return made ? std::move(key) : nullptr;
}

class BulkVerifier final : public Verifier {
public:
    Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                  ByteView signature) override {
        TRIBUTARY_ASSIGN(const ByteView point, p256::point_of(public_key));
        const Key key = key_of(point);
        if (!key) return fail(Errc::invalid, "the public key is not a point of the curve P-256");
        const auto denied = [] {
            return fail(Errc::denied, "the signature is not this key's over these bytes");
        };
        if (signature.size() != p256::kSignatureBytes) return denied();
        const Bytes der = signature_der(signature);
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
        const Digest hash = sha256_of(purpose, digest.bytes);
        const Context context(EVP_PKEY_CTX_new(key_.get(), nullptr));
        Bytes der(kDerBytesMax);
        std::size_t length = der.size();
        const bool signed_it = context && EVP_PKEY_sign_init(context.get()) == 1 &&
                               EVP_PKEY_sign(context.get(), der.data(), &length, hash.bytes.data(),
                                             hash.bytes.size()) == 1;
        const unsigned char* from = der.data();
        const Signature pair(signed_it ? d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(length))
                                       : nullptr);
        Bytes signature(p256::kSignatureBytes);
        const bool written =
            pair && BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), signature.data(), 32) == 32 &&
            BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), signature.data() + 32, 32) == 32;
        if (!written) return fail(Errc::exhausted, "signing failed in libcrypto");
        return signature;
    }

private:
    static constexpr std::size_t kDerBytesMax = 72;  // two numbers of 33 bytes, and what is around

    Key key_;
    Bytes public_key_;
};

int no_password(char*, int, int, void*) { return -1; }

}  // namespace

Verifier& bulk_verifier() {
    static BulkVerifier verifier;
    return verifier;
}

Result<std::unique_ptr<Signer>> load_or_create_bulk_key(Files& files, Entropy& entropy,
                                                        const std::string& path) {
    // What is a sound key is decided at one place.
    TRIBUTARY_ASSIGN(const auto sound, load_or_create_key(files, entropy, path));
    TRIBUTARY_ASSIGN(Bytes pem, read_file(files, path, p256::kKeyFileBytesMax));
    const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    Key key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
    p256::wipe(pem);
    if (!key) return fail(Errc::invalid, "libcrypto cannot read the key " + path);
    return std::make_unique<BulkSigner>(std::move(key), sound->public_key());
}

}  // namespace tributary::trust
