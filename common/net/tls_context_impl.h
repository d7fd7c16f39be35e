// OpenSSL's side of TLS: who is believed, and why somebody was not. For *tls*.cpp only.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/net/tls.h"

namespace tributary {

// Whom one connection of ours believes. Kept alive by the connection.
class TlsVerifier {
public:
    static Result<std::unique_ptr<TlsVerifier>> make(const TlsTrust& trust,
                                                     const std::string& host);

    std::shared_ptr<SSL_CTX> context() const { return context_; }
    // Why the server was not believed; `code` is Errc::denied. nullopt when it was, or said
    // nothing.
    const std::optional<Error>& refusal() const { return refusal_; }

private:
    TlsVerifier() = default;
    static int verify(X509_STORE_CTX* chain, void* self);
    bool verify(X509_STORE_CTX* chain);
    bool take_pinned(X509_STORE_CTX* chain);
    Error why(X509_STORE_CTX* chain) const;

    std::shared_ptr<SSL_CTX> context_;
    std::string host_;
    std::string believed_;  // for messages: "trusted is …"
    std::optional<Digest> pin_;
    std::string role_;
    bool anyone_ = false;
    std::optional<std::int64_t> now_s_;
    std::optional<Error> refusal_;
};

// Shows it from now on. invalid when certificate and key are not a pair of PEM texts.
Status take_identity(SSL_CTX* context, const TlsIdentity& identity);
bool is_address(const std::string& host);

// Why a handshake failed though the peer was believed; `error` is an OpenSSL code.
Error tls_protocol_error(unsigned long error);

}  // namespace tributary
