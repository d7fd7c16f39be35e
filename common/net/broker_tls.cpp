#include <netinet/in.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/socket.h>

#include <mutex>

#include "common/env/files.h"
#include "common/net/broker_tls_impl.h"
#include "common/net/paho_impl.h"
#include "common/net/peer_url.h"
#include "common/net/tls_context_impl.h"

namespace tributary {
namespace {

constexpr std::uint64_t kPemBytesMax = 256 * 1024;

struct Noted {
    std::uint16_t port = 0;
    std::string host;
    const SSL* ssl = nullptr;  // the connection, once its handshake has begun
    bool agreed = false;       // the handshake is over
    int told = 0;              // the alert that the broker sent
    bool met = false;          // after it had shown its certificate
    bool said = false;         // we sent one
    long verdict = X509_V_OK;  // on the broker's certificate
    std::string names;         // of it, when ours is not among them
};
std::mutex mutex;  // Paho's threads and ours
Noted noted;

bool is_of_broker(const SSL* ssl) {
    sockaddr_storage peer{};
    socklen_t length = sizeof peer;
    if (::getpeername(SSL_get_fd(ssl), reinterpret_cast<sockaddr*>(&peer), &length) != 0)
        return false;
    in_port_t port = 0;
    if (peer.ss_family == AF_INET) port = reinterpret_cast<const sockaddr_in&>(peer).sin_port;
    if (peer.ss_family == AF_INET6) port = reinterpret_cast<const sockaddr_in6&>(peer).sin6_port;
    return port == htons(noted.port);
}

// Paho looks at the name after the handshake, and then goes without a word.
void note_names(const SSL* ssl) {
    X509* certificate = SSL_get0_peer_certificate(ssl);
    if (certificate == nullptr) return;
    const bool ours = X509_check_host(certificate, noted.host.c_str(), 0, 0, nullptr) == 1 ||
                      X509_check_ip_asc(certificate, noted.host.c_str(), 0) == 1;
    noted.names = ours ? "" : tls_names_of(certificate);
}

void note(const SSL* ssl, int where, int value) {
    constexpr int kFatal = 2;
    const bool alert = (where & SSL_CB_ALERT) != 0 && value >> 8 == kFatal;
    const bool begins = (where & SSL_CB_HANDSHAKE_START) != 0;
    const bool ends = (where & SSL_CB_HANDSHAKE_DONE) != 0;
    if (!alert && !begins && !ends) return;
    const std::lock_guard lock(mutex);
    // Later the broker may have gone, and the socket no longer knows whose it was.
    if (begins && is_of_broker(ssl))
        noted.ssl = ssl;
    else if (begins && ssl == noted.ssl)
        noted.ssl = nullptr;  // another one at the same place in memory
    if (ssl != noted.ssl) return;
    if (ends) {
        noted.agreed = true;
        note_names(ssl);
    }
    if (!alert) return;
    if ((where & SSL_CB_READ) != 0) {
        noted.told = value & 0xff;
        noted.met = SSL_get0_peer_certificate(ssl) != nullptr;
    } else {
        noted.said = true;
        noted.verdict = SSL_get_verify_result(ssl);
    }
}

// OpenSSL calls this for each new SSL object of the process, Paho's among them.
void on_new_ssl(void* made, void*, CRYPTO_EX_DATA*, int, long, void*) {
    SSL_set_info_callback(static_cast<SSL*>(made), note);
}

std::string reason_of(long verdict, const MqttOptions& options) {
    switch (verdict) {
        case X509_V_ERR_CERT_HAS_EXPIRED:
            return "has expired; renew it, or set this machine's clock if that is wrong";
        case X509_V_ERR_CERT_NOT_YET_VALID:
            return "is not valid yet; is this machine's clock right?";
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
        case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
        case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
        case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
        case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
        case X509_V_ERR_CERT_SIGNATURE_FAILURE:
            if (!options.ca_file.empty()) return "is not signed by the ca " + options.ca_file;
            return "is not signed by an authority of this system (no ca is configured)";
        default:
            return std::string("cannot be believed: ") + X509_verify_cert_error_string(verdict);
    }
}

Error told_error(const MqttOptions& options, int alert, bool met) {
    const std::string at = "broker " + options.url;
    const std::string& own = options.certificate_file;
    const auto denied = [alert](std::string what) {
        return Error{Errc::denied, std::move(what), alert};
    };
    const auto unavailable = [alert](std::string what) {
        return Error{Errc::unavailable, std::move(what), alert};
    };
    switch (alert) {
        case SSL_AD_CERTIFICATE_REVOKED:
            return denied(at + " says that the certificate " + own +
                          " was revoked: it was cut off on purpose; enrol it again if it is to "
                          "come back");
        case SSL_AD_CERTIFICATE_EXPIRED:
            return denied(at + " says that the certificate " + own +
                          " has expired; renew it, or set the broker's clock if that is wrong");
        case SSL_AD_UNKNOWN_CA:
            return denied(at + " does not know the authority of " + own +
                          "; is it of this deployment?");
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_ACCESS_DENIED:
            return denied(at + " does not take the certificate " + own + ": " +
                          SSL_alert_desc_string_long(alert));
        default: break;
    }
    // The one word that TLS 1.2 has for it is also that for no cipher in common.
    if (alert == SSL_AD_CERTIFICATE_REQUIRED ||
        (alert == SSL_AD_HANDSHAKE_FAILURE && met && options.certificate_file.empty()))
        return denied(at + " wants a certificate of this side; name it as cert");
    if (!met)
        return unavailable(at + " does not speak TLS 1.2 or newer as this side needs it (" +
                           SSL_alert_desc_string_long(alert) + ")");
    return unavailable(at + " broke the TLS handshake off: " + SSL_alert_desc_string_long(alert));
}

}  // namespace

void expect_broker_tls(const MqttOptions& options) {
    static std::once_flag once;
    std::call_once(once, [] { SSL_get_ex_new_index(0, nullptr, on_new_ssl, nullptr, nullptr); });
    const Url url = *parse_url(options.url);
    const std::lock_guard lock(mutex);
    noted = {};
    noted.port = url.port;
    noted.host = url.host;
}

std::optional<Error> broker_tls_error(const MqttOptions& options, bool let_in) {
    const Url url = *parse_url(options.url);
    const std::lock_guard lock(mutex);
    if (!is_tls(url) || noted.port != url.port) return {};
    if (noted.told != 0) return told_error(options, noted.told, noted.met);
    if (noted.said && noted.verdict != X509_V_OK)
        return Error{
            Errc::unavailable,
            "the certificate of broker " + options.url + " " + reason_of(noted.verdict, options),
            static_cast<int>(noted.verdict)};
    if (!noted.names.empty())
        return Error{Errc::unavailable,
                     "the certificate of broker " + options.url + " is not for the host name '" +
                         url.host + "' but for " + noted.names +
                         "; use such a name in the URL, or give the broker a certificate for "
                         "this one",
                     X509_V_ERR_HOSTNAME_MISMATCH};
    if (noted.agreed && !let_in)
        return Error{Errc::unavailable,
                     "broker " + options.url +
                         " went away right after the TLS handshake; does it "
                         "take the certificate " +
                         (options.certificate_file.empty() ? "of this side, which shows none?"
                                                           : options.certificate_file + "?")};
    return {};
}

Status check_tls_files(const MqttOptions& options) {
    if (!options.ca_file.empty()) TRIBUTARY_TRY(check_ca_file(options.ca_file));
    if (options.certificate_file.empty()) return {};
    const std::string& key_file =
        options.key_file.empty() ? options.certificate_file : options.key_file;
    TlsIdentity identity;
    const auto certificate = read_file(system_files(), options.certificate_file, kPemBytesMax);
    const auto key = read_file(system_files(), key_file, kPemBytesMax);
    if (!certificate || !key) {
        const bool key_lacks = certificate.has_value();
        return fail(Errc::invalid,
                    std::string("the broker's ") + (key_lacks ? "key" : "cert") + " '" +
                        (key_lacks ? key_file : options.certificate_file) +
                        "' cannot be read: " + (key_lacks ? key : certificate).error().what);
    }
    identity.certificate = as_text(*certificate);
    identity.key = as_text(*key);
    identity.passphrase = options.key_passphrase;
    if (const Status usable = check_identity(identity); !usable)
        return with_context("the broker's cert " + options.certificate_file, usable.error());
    return {};
}

}  // namespace tributary
