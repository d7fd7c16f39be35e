#include "common/net/broker_tls_impl.h"

#include <openssl/ssl.h>

#include <algorithm>

#include "common/env/files.h"
#include "common/net/peer_url.h"

namespace tributary {
namespace {

constexpr std::uint64_t kPemBytesMax = 256 * 1024;
constexpr int kSelf = 0;  // OpenSSL keeps this place of a context for its owner

Result<std::string> read_pem(const char* which, const std::string& path) {
    const auto bytes = read_file(system_files(), path, kPemBytesMax);
    if (!bytes)
        return fail(Errc::invalid, std::string("the broker's ") + which + " '" + path +
                                       "' cannot be read: " + bytes.error().what);
    return std::string(as_text(*bytes));
}

Status show_certificate(SSL_CTX* context, const MqttOptions& options) {
    if (options.certificate_file.empty()) return {};
    TlsIdentity identity;
    TRIBUTARY_ASSIGN(identity.certificate, read_pem("cert", options.certificate_file));
    identity.key = identity.certificate;
    if (!options.key_file.empty()) {
        TRIBUTARY_ASSIGN(identity.key, read_pem("key", options.key_file));
    }
    identity.passphrase = options.key_passphrase;
    if (const Status usable = take_identity(context, identity); !usable)
        return with_context("the broker's cert " + options.certificate_file, usable.error());
    return {};
}

}  // namespace

Result<std::unique_ptr<BrokerTls>> BrokerTls::make(const MqttOptions& options) {
    TRIBUTARY_ASSIGN(Url url, parse_broker_url(options.url));
    TlsTrust trust;
    trust.ca_file = options.ca_file;
    if (options.now_ms) trust.now_ms = options.now_ms();
    TRIBUTARY_ASSIGN(auto verifier, TlsVerifier::make(trust, url.host));
    SSL_CTX* const context = verifier->context().get();
    TRIBUTARY_TRY(show_certificate(context, options));
    std::unique_ptr<BrokerTls> made(new BrokerTls(options, std::move(url), std::move(verifier)));
    SSL_CTX_set_ex_data(context, kSelf, made.get());
    SSL_CTX_set_info_callback(context, &BrokerTls::note);
    return made;
}

// The library would read a packet to its end in one call, whatever its size.
void BrokerTls::read_in_turns(SSL* ssl) {
    static BIO_METHOD* const method = [] {
        BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_FILTER, "turns");
        BIO_meth_set_read(made, &BrokerTls::read_some);
        BIO_meth_set_ctrl(made, [](BIO* bio, int command, long number, void* pointer) {
            return BIO_ctrl(BIO_next(bio), command, number, pointer);
        });
        return made;
    }();
    BIO* const turns = BIO_new(method);
    TRIBUTARY_CHECK(turns != nullptr);  // out of memory
    BIO_set_data(turns, this);
    BIO_set_init(turns, 1);
    BIO* const socket = SSL_get_rbio(ssl);
    BIO_up_ref(socket);
    SSL_set0_rbio(ssl, BIO_push(turns, socket));
}

int BrokerTls::read_some(BIO* bio, char* out, int room) {
    auto& left = static_cast<BrokerTls*>(BIO_get_data(bio))->turn_bytes_;
    BIO_clear_retry_flags(bio);
    if (left == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    const int got = BIO_read(BIO_next(bio), out, room);
    BIO_copy_next_retry(bio);
    if (got > 0) left -= std::min(left, static_cast<std::size_t>(got));
    return got;
}

void BrokerTls::note(const SSL* ssl, int where, int value) {
    constexpr int kFatal = 2;
    auto& self = *static_cast<BrokerTls*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), kSelf));
    // Whose handshake begins is ours to change, though OpenSSL tells of it as const.
    if ((where & SSL_CB_HANDSHAKE_START) != 0 && !self.agreed_)
        self.say_host(const_cast<SSL*>(ssl));
    if ((where & SSL_CB_HANDSHAKE_DONE) != 0) self.agreed_ = true;
    if (where == SSL_CB_READ_ALERT && value >> 8 == kFatal) {
        self.alert_ = value & 0xff;
        self.met_ = SSL_get0_peer_certificate(ssl) != nullptr;
    }
}

// libmosquitto asks for what it connects to, which is an address: we look names up ourselves.
void BrokerTls::say_host(SSL* ssl) const {
    const bool is_name = !is_address(url_.host);
    // what the macro of that name does, without its C cast
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             is_name ? const_cast<char*>(url_.host.c_str()) : nullptr);
}

Error BrokerTls::told() const {
    const std::string at = "broker " + options_.url;
    const std::string& own = options_.certificate_file;
    const auto denied = [this](std::string what) {
        return Error{Errc::denied, std::move(what), alert_};
    };
    const auto unavailable = [this](std::string what) {
        return Error{Errc::unavailable, std::move(what), alert_};
    };
    switch (alert_) {
        case SSL_AD_CERTIFICATE_REVOKED:
            return denied(at + " says that the certificate in " + own +
                          " was revoked: it was cut off on purpose; enrol it again if it is to "
                          "come back");
        case SSL_AD_CERTIFICATE_EXPIRED:
            return denied(at + " says that the certificate in " + own +
                          " has expired; renew it, or set the broker's clock if that is wrong");
        case SSL_AD_UNKNOWN_CA:
            return denied(at + " does not know the authority of the certificate in " + own +
                          "; is it of this deployment?");
        case SSL_AD_BAD_CERTIFICATE:
        case SSL_AD_UNSUPPORTED_CERTIFICATE:
        case SSL_AD_CERTIFICATE_UNKNOWN:
        case SSL_AD_ACCESS_DENIED:
            return denied(at + " does not take the certificate in " + own + ": " +
                          SSL_alert_desc_string_long(alert_));
        default: break;
    }
    // The one word that TLS 1.2 has for it is also that for no cipher in common.
    if (alert_ == SSL_AD_CERTIFICATE_REQUIRED ||
        (alert_ == SSL_AD_HANDSHAKE_FAILURE && met_ && own.empty()))
        return denied(at + " wants a certificate of this side; name it as cert");
    if (!met_)
        return unavailable(at + " does not speak TLS 1.2 or newer as this side needs it (" +
                           SSL_alert_desc_string_long(alert_) + ")");
    return unavailable(at + " broke the TLS handshake off: " + SSL_alert_desc_string_long(alert_));
}

std::optional<Error> BrokerTls::why(bool let_in) const {
    const std::string at = "broker " + options_.url;
    if (alert_ != 0) return told();
    if (const auto& refusal = verifier_->refusal())
        return Error{Errc::unavailable, at + " " + refusal->what, refusal->native};
    if (agreed_ && !let_in)
        return Error{Errc::unavailable,
                     at +
                         " went away right after the TLS handshake; does it take the certificate " +
                         (options_.certificate_file.empty() ? "of this side, which shows none?"
                                                            : options_.certificate_file + "?")};
    return {};
}

}  // namespace tributary
