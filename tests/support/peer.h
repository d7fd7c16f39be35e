// The other end of a connection of which the test says every byte, with TLS or without.
#pragma once

#include <openssl/types.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <thread>

#include "tests/support/certificates.h"

namespace tributary::test {

// Blocking; no call waits longer than ten seconds. Closes when destroyed.
class Peer {
public:
    static Peer connect(std::uint16_t port);  // of 127.0.0.1
    explicit Peer(int fd);
    ~Peer();
    Peer(Peer&& other) noexcept;
    Peer& operator=(Peer&&) = delete;

    // Believes anybody. False when the handshake failed.
    bool tls_as_client(int version_max = 0);
    // With a verdict (X509_V_…) it wants a certificate of the client, and finds that on it.
    bool tls_as_server(const Certificate& certificate, int version_max = 0,
                       std::optional<int> verdict = std::nullopt);
    SSL* ssl() { return ssl_; }

    bool say(std::string_view text);
    // What comes next; empty at the end, or when it broke.
    std::string hear();
    std::string hear_all();
    // One byte, then a pause, until the other one has enough of it or all is said. How many went.
    std::size_t trickle(std::string_view text, int pause_ms);
    void reset();  // the connection, as a router would

private:
    bool shake(SSL_CTX* context, bool as_server);

    int fd_;
    SSL* ssl_ = nullptr;
};

// Listens on a free port, and runs `script` on a thread of its own with the first that connects.
class PeerServer {
public:
    explicit PeerServer(std::function<void(Peer&)> script);
    ~PeerServer();  // waits for the script
    std::uint16_t port() const { return port_; }

private:
    int fd_;
    std::uint16_t port_ = 0;
    std::thread thread_;
};

}  // namespace tributary::test
