// libcrypto at arm's length: values that free themselves, and our forms of keys and signatures in
// its own. Private to this folder.
#pragma once

#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <memory>
#include <string_view>

#include "common/base/bytes.h"

namespace tributary::trust::libcrypto {

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
using EncryptedKey = std::unique_ptr<X509_SIG, Deleter<X509_SIG_free>>;
using PlainKey = std::unique_ptr<PKCS8_PRIV_KEY_INFO, Deleter<PKCS8_PRIV_KEY_INFO_free>>;

// libcrypto leaves the reasons of a failure in a queue of the thread, where TLS on the same thread
// would take them for its own. One of these in each function that may fail leaves it as it was.
class QuietErrors {
public:
    QuietErrors() { ERR_set_mark(); }
    ~QuietErrors() { ERR_pop_to_mark(); }
    QuietErrors(const QuietErrors&) = delete;
    QuietErrors& operator=(const QuietErrors&) = delete;
};

// From 65 bytes of a point; null when that is not one of the curve.
Key key_of_point(ByteView point);

// Our 64 bytes as a DER ECDSA-Sig-Value, and back; empty when that fails.
Bytes signature_to_der(ByteView signature);
Bytes signature_from_der(ByteView der);

// The first private key of a text in PEM that is not encrypted; null when there is none.
Key private_key_of(std::string_view pem);

// What a memory BIO holds; valid as long as it.
ByteView content_of(BIO* bio);
Bio reader_of(std::string_view text);

}  // namespace tributary::trust::libcrypto
