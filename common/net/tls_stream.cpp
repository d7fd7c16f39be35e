// The only file that sees Asio's SSL.
#include <openssl/ssl.h>

#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/beast/http/error.hpp>

#include "common/net/tls_context_impl.h"
#include "common/net/tls_impl.h"

namespace tributary {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;

constexpr std::size_t kRecordBytes = 16 * 1024;

// Somebody on the way can end a TCP connection, but not a TLS one.
error_code told_end(const error_code& error) {
    if (error == asio::ssl::error::stream_truncated) return beast::http::error::partial_message;
    return error;
}

bool is_openssl(const error_code& error) {
    return error.category() == asio::error::get_ssl_category();
}

unsigned long openssl_code(const error_code& error) { return static_cast<unsigned>(error.value()); }

class Layer final : public TlsLayer {
public:
    // Takes `ssl`; `verifier` only for a client.
    Layer(beast::tcp_stream& tcp, SSL* ssl, std::unique_ptr<TlsVerifier> verifier)
        : verifier_(std::move(verifier)), stream_(tcp, ssl) {}

    void handshake(TlsDone done) override {
        using Stream = asio::ssl::stream<beast::tcp_stream&>;
        stream_.async_handshake(verifier_ ? Stream::client : Stream::server, std::move(done));
    }

    void read_some(asio::mutable_buffer into, TlsMoved done) override {
        stream_.async_read_some(
            asio::mutable_buffers_1(into),
            [done = std::move(done)](const error_code& error, std::size_t bytes) {
                done(told_end(error), bytes);
            });
    }

    void write_some(asio::const_buffer from, TlsMoved done) override {
        stream_.async_write_some(asio::const_buffers_1(from), std::move(done));
    }

    ByteSpan to_write() override {
        room_.resize(kRecordBytes);
        return room_;
    }

    void shut_down(TlsDone done) override { stream_.async_shutdown(std::move(done)); }

    Error explain(const error_code& error) const override {
        if (verifier_ && verifier_->refusal()) return *verifier_->refusal();
        if (is_openssl(error)) return tls_protocol_error(openssl_code(error));
        if (error == asio::error::eof || error == asio::ssl::error::stream_truncated ||
            error == asio::error::connection_reset || error == asio::error::broken_pipe)
            return {Errc::unavailable, "closed the connection in the TLS handshake", error.value()};
        return {Errc::unavailable, "did not finish the TLS handshake: " + error.message(),
                error.value()};
    }

private:
    std::unique_ptr<TlsVerifier> verifier_;
    asio::ssl::stream<beast::tcp_stream&> stream_;
    Bytes room_;
};

}  // namespace

std::unique_ptr<TlsLayer> tls_for_server(beast::tcp_stream& tcp,
                                         const std::shared_ptr<SSL_CTX>& server) {
    SSL* ssl = SSL_new(server.get());
    if (ssl == nullptr) return nullptr;
    return std::make_unique<Layer>(tcp, ssl, nullptr);
}

bool is_plain_http(const error_code& handshake_error) {
    return is_openssl(handshake_error) &&
           ERR_GET_REASON(openssl_code(handshake_error)) == SSL_R_HTTP_REQUEST;
}

Result<std::unique_ptr<TlsLayer>> tls_for_client(beast::tcp_stream& tcp, const TlsTrust& trust,
                                                 const std::string& host) {
    TRIBUTARY_ASSIGN(auto verifier, TlsVerifier::make(trust, host));
    SSL* ssl = SSL_new(verifier->context().get());
    if (ssl == nullptr) return fail(Errc::exhausted, "no memory for a TLS connection");
    error_code is_name;
    static_cast<void>(asio::ip::make_address(host, is_name));
    if (is_name)  // what the macro of that name does, without its C cast
        SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                 const_cast<char*>(host.c_str()));
    return std::make_unique<Layer>(tcp, ssl, std::move(verifier));
}

}  // namespace tributary
