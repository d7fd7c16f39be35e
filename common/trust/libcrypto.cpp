#include "common/trust/libcrypto.h"

#include "common/base/result.h"
#include "common/trust/p256.h"

namespace tributary::trust::libcrypto {
namespace {

constexpr int kScalarBytes = 32;

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

}  // namespace

// libcrypto's decoder of a whole SubjectPublicKeyInfo takes twice as long as the check of a
// signature; this a tenth of it.
Key key_of_point(ByteView point) {
    static const Key curve = make_curve();
    Key key(EVP_PKEY_new());
    const bool made = key && EVP_PKEY_copy_parameters(key.get(), curve.get()) == 1 &&
                      EVP_PKEY_set1_encoded_public_key(key.get(), point.data(), point.size()) == 1;
    return made ? std::move(key) : nullptr;
}

Bytes signature_to_der(ByteView signature) {
    if (signature.size() != p256::kSignatureBytes) return {};
    Signature pair(ECDSA_SIG_new());
    Number r(BN_bin2bn(signature.data(), kScalarBytes, nullptr));
    Number s(BN_bin2bn(signature.data() + kScalarBytes, kScalarBytes, nullptr));
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

Bytes signature_from_der(ByteView der) {
    const unsigned char* from = der.data();
    const Signature pair(d2i_ECDSA_SIG(nullptr, &from, static_cast<long>(der.size())));
    Bytes signature(p256::kSignatureBytes);
    const bool written = pair &&
                         BN_bn2binpad(ECDSA_SIG_get0_r(pair.get()), signature.data(),
                                      kScalarBytes) == kScalarBytes &&
                         BN_bn2binpad(ECDSA_SIG_get0_s(pair.get()), signature.data() + kScalarBytes,
                                      kScalarBytes) == kScalarBytes;
    return written ? signature : Bytes();
}

ByteView content_of(BIO* bio) {
    char* data = nullptr;
    const long length = BIO_get_mem_data(bio, &data);
    return {reinterpret_cast<const std::uint8_t*>(data), static_cast<std::size_t>(length)};
}

Bio reader_of(std::string_view text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

Key private_key_of(std::string_view pem) {
    const auto no_password = [](char*, int, int, void*) { return -1; };
    const Bio bio = reader_of(pem);
    return Key(bio ? PEM_read_bio_PrivateKey(bio.get(), nullptr, no_password, nullptr) : nullptr);
}

}  // namespace tributary::trust::libcrypto
