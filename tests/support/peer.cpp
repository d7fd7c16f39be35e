#include "tests/support/peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <utility>

namespace tributary::test {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

void must(bool done, const char* what) {
    if (done) return;
    std::perror(what);
    std::abort();
}

}  // namespace

Peer Peer::connect(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    must(::connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0,
         "connect");
    return Peer(fd);
}

Peer::Peer(int fd) : fd_(fd) {
    std::signal(SIGPIPE, SIG_IGN);
    const timeval limit{10, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    ::setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
}

Peer::Peer(Peer&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), ssl_(std::exchange(other.ssl_, nullptr)) {}

Peer::~Peer() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    if (fd_ >= 0) ::close(fd_);
}

bool Peer::shake(SSL_CTX* context, bool as_server) {
    ssl_ = SSL_new(context);
    SSL_CTX_free(context);
    SSL_set_fd(ssl_, fd_);
    ERR_clear_error();
    return (as_server ? SSL_accept(ssl_) : SSL_connect(ssl_)) == 1;
}

bool Peer::tls_as_client(int version_max) {
    SSL_CTX* context = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, 0);
    SSL_CTX_set_max_proto_version(context, version_max);
    return shake(context, false);
}

bool Peer::tls_as_server(const Certificate& certificate, int version_max,
                         std::optional<int> verdict) {
    SSL_CTX* context = SSL_CTX_new(TLS_server_method());
    SSL_CTX_set_security_level(context, 0);
    SSL_CTX_set_min_proto_version(context, 0);
    SSL_CTX_set_max_proto_version(context, version_max);
    BIO* text = BIO_new_mem_buf(certificate.pem.data(), static_cast<int>(certificate.pem.size()));
    X509* own = PEM_read_bio_X509(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    text = BIO_new_mem_buf(certificate.key.data(), static_cast<int>(certificate.key.size()));
    EVP_PKEY* key = PEM_read_bio_PrivateKey(text, nullptr, nullptr, nullptr);
    BIO_free(text);
    must(SSL_CTX_use_certificate(context, own) == 1 && SSL_CTX_use_PrivateKey(context, key) == 1,
         "certificate of a peer");
    X509_free(own);
    EVP_PKEY_free(key);
    if (verdict) {
        SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
        SSL_CTX_set_cert_verify_callback(
            context,
            [](X509_STORE_CTX* chain, void* found) {
                const int code = *static_cast<int*>(found);
                X509_STORE_CTX_set_error(chain, code);
                return code == X509_V_OK ? 1 : 0;
            },
            &*verdict);
    }
    return shake(context, true);
}

bool Peer::say(std::string_view text) {
    if (ssl_ != nullptr)
        return SSL_write(ssl_, text.data(), static_cast<int>(text.size())) ==
               static_cast<int>(text.size());
    while (!text.empty()) {
        const ssize_t sent = ::send(fd_, text.data(), text.size(), MSG_NOSIGNAL);
        if (sent <= 0) return false;
        text.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
}

std::string Peer::hear() {
    std::string text(16 * 1024, '\0');
    const ssize_t got = ssl_ != nullptr ? SSL_read(ssl_, text.data(), static_cast<int>(text.size()))
                                        : ::recv(fd_, text.data(), text.size(), 0);
    text.resize(got > 0 ? static_cast<std::size_t>(got) : 0);
    return text;
}

std::string Peer::hear_all() {
    std::string all;
    for (std::string more = hear(); !more.empty(); more = hear()) all += more;
    return all;
}

std::size_t Peer::trickle(std::string_view text, int pause_ms) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::this_thread::sleep_for(std::chrono::milliseconds(pause_ms));
        char seen = 0;
        const ssize_t other = ::recv(fd_, &seen, 1, MSG_PEEK | MSG_DONTWAIT);
        if (other == 0 || (other < 0 && errno != EAGAIN) || !say(text.substr(i, 1))) return i;
    }
    return text.size();
}

void Peer::reset() {
    const linger now{1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
    ::close(std::exchange(fd_, -1));
}

PeerServer::PeerServer(std::function<void(Peer&)> script)
    : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof(address);
    must(::bind(fd_, reinterpret_cast<const sockaddr*>(&address), size) == 0 &&
             ::listen(fd_, 4) == 0 &&
             ::getsockname(fd_, reinterpret_cast<sockaddr*>(&address), &size) == 0,
         "listen");
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([fd = fd_, script = std::move(script)] {
        const int client = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (client < 0) return;
        Peer peer(client);
        script(peer);
    });
}

PeerServer::~PeerServer() {
    ::shutdown(fd_, SHUT_RDWR);  // wakes an accept that nobody came to
    thread_.join();
    ::close(fd_);
}

}  // namespace tributary::test
