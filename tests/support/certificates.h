// Authorities and certificates for tests of TLS, made anew each time.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "common/base/ids.h"

namespace tributary::test {

struct Certificate {
    std::string pem;
    std::string key;  // PEM, PKCS#8
};

struct CertificateOptions {
    std::string subject = "server";
    std::vector<std::string> names = {"IP:127.0.0.1"};  // with "IP:" or "DNS:"
    // Seconds since 1970; all of the time that 32 bits can say.
    std::int64_t valid_from_s = 0;
    std::int64_t valid_until_s = 4'294'967'295;
    std::string usage = "serverAuth";  // or "clientAuth"
};

class Authority {
public:
    explicit Authority(const std::string& name = "test authority");

    const std::string& pem() const { return pem_; }
    Digest fingerprint() const;  // SHA-256 of the certificate
    Certificate issue(const CertificateOptions& options = {}) const;

private:
    std::shared_ptr<EVP_PKEY> key_;
    std::shared_ptr<X509> certificate_;
    std::string pem_;
};

// The same key behind a passphrase.
std::string encrypted_key(const std::string& key_pem, const std::string& passphrase);

}  // namespace tributary::test
