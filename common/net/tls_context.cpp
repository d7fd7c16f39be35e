#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <ctime>
#include <limits>

#include "common/net/tls_context_impl.h"
#include "common/net/tls_impl.h"

namespace tributary {
namespace {

template <auto Free>
struct With {
    template <class T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Bio = std::unique_ptr<BIO, With<BIO_free>>;
using Certificate = std::unique_ptr<X509, With<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, With<EVP_PKEY_free>>;

// Of TLS 1.2: with forward secrecy, and no cipher older than that version. Those of 1.3 are all so.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20";

Bio bio_of(const std::string& text) {
    return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

int answer_passphrase(char* out, int room, int, void* passphrase) {
    const auto& text = *static_cast<const std::string*>(passphrase);
    if (text.empty() || static_cast<int>(text.size()) > room) return -1;
    std::copy(text.begin(), text.end(), out);
    return static_cast<int>(text.size());
}

// The next one of a PEM text; null at its end.
Certificate next_certificate(BIO* text) {
    Certificate found(PEM_read_bio_X509(text, nullptr, nullptr, nullptr));
    if (!found) ERR_clear_error();
    return found;
}

std::shared_ptr<SSL_CTX> new_context(const SSL_METHOD* method) {
    std::shared_ptr<SSL_CTX> context(SSL_CTX_new(method), SSL_CTX_free);
    TRIBUTARY_CHECK(context != nullptr);  // out of memory
    TRIBUTARY_CHECK(SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION) == 1);
    TRIBUTARY_CHECK(SSL_CTX_set_cipher_list(context.get(), kCiphers) == 1);
    SSL_CTX_set_options(context.get(),
                        SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_session_cache_mode(context.get(), SSL_SESS_CACHE_OFF);
    SSL_CTX_set_num_tickets(context.get(), 0);
    // Buffers of a quiet connection are given back; a write may go on from another address.
    SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                        SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return context;
}

bool trust_all(X509_STORE* store, BIO* text) {
    bool any = false;
    while (const Certificate found = next_certificate(text))
        any = X509_STORE_add_cert(store, found.get()) == 1 || any;
    return any;
}

// Finds out here what is wrong with the file, because SSL would not say.
Status trust_file(X509_STORE* store, const std::string& path) {
    const Bio file(BIO_new_file(path.c_str(), "r"));
    ERR_clear_error();
    if (!file)
        return fail(Errc::invalid, "the ca file '" + path + "' cannot be read; check its path");
    if (!trust_all(store, file.get()))
        return fail(Errc::invalid, "the ca file '" + path +
                                       "' holds no certificate; it must be PEM, with lines "
                                       "'-----BEGIN CERTIFICATE-----'");
    return {};
}

std::string text_of(const ASN1_STRING* string) {
    return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
            static_cast<std::size_t>(ASN1_STRING_length(string))};
}

// What came over the network goes to a terminal.
std::string printable(std::string text) {
    for (char& c : text)
        if (c < ' ' || c > '~') c = '?';
    if (text.size() > 200) text = text.substr(0, 200) + "…";
    return text;
}

std::string address_of(const ASN1_STRING* bytes) {
    const unsigned char* data = ASN1_STRING_get0_data(bytes);
    const int length = ASN1_STRING_length(bytes);
    std::string text;
    if (length == 4) {
        for (int i = 0; i < 4; ++i) text += (i != 0 ? "." : "") + std::to_string(data[i]);
    } else if (length == 16) {
        for (int i = 0; i < 16; i += 2) text += (i != 0 ? ":" : "") + to_hex(ByteView(data + i, 2));
    }
    return text;
}

std::string subject_of(const X509_NAME* name) {
    std::array<char, 256> text{};
    X509_NAME_oneline(name, text.data(), text.size());
    return "'" + printable(text.data()) + "'";
}

std::string date_of(const ASN1_TIME* time) {
    std::tm date{};
    if (ASN1_TIME_to_tm(time, &date) != 1) return "a date that cannot be read";
    const auto digits = [](int number) {
        return (number < 10 ? "0" : "") + std::to_string(number);
    };
    return std::to_string(date.tm_year + 1900) + "-" + digits(date.tm_mon + 1) + "-" +
           digits(date.tm_mday);
}

bool names_uri(X509* certificate, const std::string& uri) {
    const auto names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    bool found = false;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        found =
            found || (name->type == GEN_URI && text_of(name->d.uniformResourceIdentifier) == uri);
    }
    GENERAL_NAMES_free(names);
    return found;
}

std::string names_of(X509* certificate) {
    const auto names = static_cast<GENERAL_NAMES*>(
        X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
    std::string text;
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && text.size() < 200; ++i) {
        const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, i);
        std::string one;
        if (name->type == GEN_DNS) one = text_of(name->d.dNSName);
        if (name->type == GEN_IPADD) one = address_of(name->d.iPAddress);
        if (!one.empty()) text += (text.empty() ? "" : ", ") + one;
    }
    GENERAL_NAMES_free(names);
    return text.empty() ? "no host at all" : printable(text);
}

}  // namespace

bool is_address(const std::string& host) {
    ASN1_OCTET_STRING* parsed = a2i_IPADDRESS(host.c_str());
    ERR_clear_error();
    const bool is = parsed != nullptr;
    ASN1_OCTET_STRING_free(parsed);
    return is;
}

Status take_identity(SSL_CTX* context, const TlsIdentity& identity) {
    const Bio chain = bio_of(identity.certificate);
    const Certificate own = next_certificate(chain.get());
    if (!own)
        return fail(Errc::invalid,
                    "the certificate is not PEM with a line '-----BEGIN CERTIFICATE-----'");
    if (SSL_CTX_use_certificate(context, own.get()) != 1) {
        const char* reason = ERR_reason_error_string(ERR_get_error());
        return fail(Errc::invalid, std::string("the certificate cannot be used: ") +
                                       (reason ? reason : "unknown"));
    }
    while (const Certificate more = next_certificate(chain.get()))
        SSL_CTX_add1_chain_cert(context, more.get());

    const Bio key_text = bio_of(identity.key);
    std::string passphrase = identity.passphrase;
    const Key key(PEM_read_bio_PrivateKey(key_text.get(), nullptr, answer_passphrase, &passphrase));
    OPENSSL_cleanse(passphrase.data(), passphrase.size());
    ERR_clear_error();
    if (!key)
        return fail(Errc::invalid,
                    "the certificate's key cannot be read: it must be PEM, and its passphrase "
                    "right if it is encrypted");
    const bool pair = X509_check_private_key(own.get(), key.get()) == 1 &&
                      SSL_CTX_use_PrivateKey(context, key.get()) == 1;
    ERR_clear_error();
    if (!pair) return fail(Errc::invalid, "the key does not belong to the certificate");
    return {};
}

// Server

Result<std::shared_ptr<SSL_CTX>> make_tls_server(const TlsIdentity& identity) {
    auto context = new_context(TLS_server_method());
    TRIBUTARY_TRY(take_identity(context.get(), identity));
    return context;
}

// Client

Result<std::unique_ptr<TlsVerifier>> TlsVerifier::make(const TlsTrust& trust,
                                                       const std::string& host) {
    std::unique_ptr<TlsVerifier> made(new TlsVerifier);
    made->host_ = host;
    made->context_ = new_context(TLS_client_method());
    made->pin_ = trust.ca_pin;
    made->role_ = trust.role;
    made->anyone_ = trust.anyone;
    SSL_CTX* context = made->context_.get();
    X509_STORE* store = SSL_CTX_get_cert_store(context);
    const int kinds = int{!trust.ca_file.empty()} + int{!trust.ca.empty()} + int{!!trust.ca_pin};
    if (kinds > 1)
        return fail(Errc::invalid, "name one of a ca file, a ca and a pin to trust, not more");
    if (!trust.ca_file.empty()) {
        TRIBUTARY_TRY(trust_file(store, trust.ca_file));
        made->believed_ = "trusted is an authority of " + trust.ca_file;
    } else if (!trust.ca.empty()) {
        if (!trust_all(store, bio_of(trust.ca).get()))
            return fail(Errc::invalid, "the ca to trust is not a certificate in PEM");
        made->believed_ = "trusted is the authority that this deployment has";
    } else if (!trust.ca_pin && !trust.anyone) {
        SSL_CTX_set_default_verify_paths(context);
        made->believed_ = "trusted is an authority of this system (no ca is named)";
    }
    X509_VERIFY_PARAM* rules = SSL_CTX_get0_param(context);
    // What is named is the anchor, whether it signed itself or not.
    if (kinds > 0) X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN);
    X509_VERIFY_PARAM_set_hostflags(
        rules, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT);
    const bool named = is_address(host) ? X509_VERIFY_PARAM_set1_ip_asc(rules, host.c_str()) == 1
                                        : X509_VERIFY_PARAM_set1_host(rules, host.c_str(), 0) == 1;
    if (!named) return fail(Errc::invalid, "no certificate can be for the host '" + host + "'");
    if (trust.now_ms) {
        // of 32 bits on some boards
        constexpr std::uint64_t kLast = std::numeric_limits<std::time_t>::max();
        X509_VERIFY_PARAM_set_time(rules,
                                   static_cast<std::time_t>(std::min(*trust.now_ms / 1000, kLast)));
    }
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER, nullptr);
    SSL_CTX_set_cert_verify_callback(context, &TlsVerifier::verify, made.get());
    return made;
}

int TlsVerifier::verify(X509_STORE_CTX* chain, void* self) {
    return static_cast<TlsVerifier*>(self)->verify(chain) ? 1 : 0;
}

bool TlsVerifier::verify(X509_STORE_CTX* chain) {
    if (anyone_) {
        X509_STORE_CTX_set_error(chain, X509_V_OK);
        return true;
    }
    if (pin_ && !take_pinned(chain)) {
        X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
        refusal_ = {Errc::denied,
                    "shows no authority with the pinned " + pin_->text() +
                        ": this is another server, or it does not send its authority's "
                        "certificate with its own, or the pin is of another deployment",
                    X509_V_ERR_APPLICATION_VERIFICATION};
        return false;
    }
    if (X509_verify_cert(chain) != 1) {
        refusal_ = why(chain);
        return false;
    }
    if (role_.empty() || names_uri(X509_STORE_CTX_get0_cert(chain), role_)) return true;
    X509_STORE_CTX_set_error(chain, X509_V_ERR_APPLICATION_VERIFICATION);
    refusal_ = {Errc::denied,
                "shows a certificate of the right authority that is not for this: it does not name "
                "the role '" +
                    role_ +
                    "'. It is another server of that deployment, such as its broker, or somebody "
                    "who has that one's key; nothing was sent to it",
                X509_V_ERR_APPLICATION_VERIFICATION};
    return false;
}

// Makes the pinned one the only anchor.
bool TlsVerifier::take_pinned(X509_STORE_CTX* chain) {
    STACK_OF(X509)* sent = X509_STORE_CTX_get0_untrusted(chain);
    for (int i = 0; i < sk_X509_num(sent); ++i) {
        X509* one = sk_X509_value(sent, i);
        Digest digest;
        unsigned int length = 0;
        if (X509_digest(one, EVP_sha256(), digest.bytes.data(), &length) != 1) continue;
        if (digest != *pin_ || X509_check_ca(one) == 0) continue;
        return X509_STORE_add_cert(X509_STORE_CTX_get0_store(chain), one) == 1;
    }
    return false;
}

Error TlsVerifier::why(X509_STORE_CTX* chain) const {
    const int code = X509_STORE_CTX_get_error(chain);
    X509* at = X509_STORE_CTX_get_current_cert(chain);
    X509* own = X509_STORE_CTX_get0_cert(chain);
    if (at == nullptr) at = own;
    const auto denied = [code](std::string what) {
        return Error{Errc::denied, std::move(what), code};
    };
    switch (code) {
        case X509_V_ERR_HOSTNAME_MISMATCH:
        case X509_V_ERR_IP_ADDRESS_MISMATCH:
            return denied("shows a certificate that is not for '" + host_ + "' but for " +
                          names_of(own) +
                          "; use such a name in the URL, or give the server a certificate for "
                          "this one");
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return denied("shows the certificate " + subject_of(X509_get_subject_name(at)) +
                          ", which expired on " + date_of(X509_get0_notAfter(at)) +
                          "; renew it, or set this machine's clock if that is wrong");
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return denied("shows the certificate " + subject_of(X509_get_subject_name(at)) +
                          ", which is valid from " + date_of(X509_get0_notBefore(at)) +
                          " only; is this machine's clock right?");
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            if (pin_) return denied("shows a certificate that the pinned authority did not sign");
            return denied("shows a certificate of the unknown authority " +
                          subject_of(X509_get_issuer_name(at)) + "; " + believed_ +
                          ". If this is the right server, name its ca");
        case X509_V_ERR_INVALID_PURPOSE:
            return denied("shows the certificate " + subject_of(X509_get_subject_name(at)) +
                          ", which is not one for servers");
        default:
            return denied(std::string("shows a certificate that cannot be believed: ") +
                          X509_verify_cert_error_string(code));
    }
}

Error tls_protocol_error(unsigned long error) {
    const int native = static_cast<int>(ERR_GET_REASON(error));
    const auto unavailable = [native](std::string what) {
        return Error{Errc::unavailable, std::move(what), native};
    };
    switch (ERR_GET_REASON(error)) {
        case SSL_R_WRONG_VERSION_NUMBER:
        case SSL_R_PACKET_LENGTH_TOO_LONG:
        case SSL_R_HTTP_REQUEST:
        case SSL_R_HTTPS_PROXY_REQUEST:
        case SSL_R_RECORD_LENGTH_MISMATCH: return unavailable("does not speak TLS on that port");
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
            return unavailable("does not speak TLS 1.2 or newer");
        default: break;
    }
    const char* reason = ERR_reason_error_string(error);
    return unavailable(std::string("did not come through the TLS handshake: ") +
                       (reason ? reason : "no reason given"));
}

}  // namespace tributary
