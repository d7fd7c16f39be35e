// TLS with the broker: what is shown and believed, and why it failed. For mosquitto.cpp and
// mqtt*.cpp only.
#pragma once

#include <memory>
#include <optional>

#include "common/net/http.h"
#include "common/net/mqtt.h"
#include "common/net/tls_context_impl.h"

namespace tributary {

// Of one connection; outlives it.
class BrokerTls {
public:
    // Reads the PEM files. invalid, naming the file, when one cannot be used: the key must be the
    // certificate's, and its passphrase right.
    static Result<std::unique_ptr<BrokerTls>> make(const MqttOptions& options);
    BrokerTls(const BrokerTls&) = delete;
    BrokerTls& operator=(const BrokerTls&) = delete;

    SSL_CTX* context() const { return verifier_->context().get(); }
    // From now on `ssl` reads so much at most until begin_turn(); then it seems that nothing has
    // come.
    void read_in_turns(SSL* ssl);
    void begin_turn() { turn_bytes_ = kTurnBytesMax; }
    // The handshake is over.
    bool agreed() const { return agreed_; }
    // Why the connection ended, if that was TLS's doing. denied: the broker does not take our
    // certificate, which a person has to see to. unavailable: all else. In TLS 1.3 the broker's
    // word on our certificate comes after the handshake; when the end of the connection overtakes
    // it, our certificate is only suspected. `let_in`: the broker had answered already.
    std::optional<Error> why(bool let_in) const;

private:
    BrokerTls(const MqttOptions& options, Url url, std::unique_ptr<TlsVerifier> verifier)
        : options_(options), url_(std::move(url)), verifier_(std::move(verifier)) {}
    static constexpr std::size_t kTurnBytesMax = 256 * 1024;

    static int read_some(BIO* bio, char* out, int room);
    static void note(const SSL* ssl, int where, int value);
    void say_host(SSL* ssl) const;
    Error told() const;

    const MqttOptions& options_;
    Url url_;
    std::unique_ptr<TlsVerifier> verifier_;
    std::size_t turn_bytes_ = kTurnBytesMax;
    bool agreed_ = false;
    int alert_ = 0;     // that the broker sent
    bool met_ = false;  // it came after the broker had shown its certificate
};

}  // namespace tributary
