// Verification by libcrypto, whose P-256 is many times faster than mbedTLS's.
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/x509.h>

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

class BulkVerifier final : public Verifier {
public:
    Status verify(ByteView public_key, std::string_view purpose, const Digest& digest,
                  ByteView signature) override {
        TRIBUTARY_TRY(p256::point_of(public_key));
        const unsigned char* from = public_key.data();
        const Key key(d2i_PUBKEY(nullptr, &from, static_cast<long>(public_key.size())));
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

}  // namespace

Verifier& bulk_verifier() {
    static BulkVerifier verifier;
    return verifier;
}

}  // namespace tributary::trust
