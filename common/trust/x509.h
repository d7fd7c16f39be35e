// X.509 as libcrypto has it, for the files here that read, issue and revoke. Private to this
// folder.
#pragma once

#include <openssl/x509v3.h>

#include <memory>
#include <utility>

#include "common/base/result.h"
#include "common/trust/libcrypto.h"

namespace tributary::trust::libcrypto {

using X509Certificate = std::unique_ptr<X509, Deleter<X509_free>>;
using Names = std::unique_ptr<GENERAL_NAMES, Deleter<GENERAL_NAMES_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Deleter<ASN1_INTEGER_free>>;

inline constexpr std::size_t kCommonNameBytesMax = 64;  // X.520

// What i2d_… writes; empty when it fails.
template <class Object, class Encode>
Bytes der_of(Object* object, Encode encode) {
    unsigned char* out = nullptr;
    const int length = encode(object, &out);
    if (length <= 0) return {};
    Bytes der(out, out + length);
    OPENSSL_free(out);
    return der;
}

// Null unless the bytes are one object from the first to the last.
template <class Pointer, class Decode>
Pointer whole(ByteView der, Decode decode) {
    const unsigned char* at = der.data();
    Pointer object(decode(nullptr, &at, static_cast<long>(der.size())));
    return at == der.data() + der.size() ? std::move(object) : nullptr;
}

// invalid when it is too long, or no certificate.
Result<X509Certificate> read_x509(ByteView der);

}  // namespace tributary::trust::libcrypto
