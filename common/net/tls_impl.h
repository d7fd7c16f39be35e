// TCP with or without TLS, as the HTTP server and client need it. For http_*.cpp and tls_*.cpp
// only: it shows Beast. Asio's SSL is in tls_stream.cpp alone, because it takes long to compile.
#pragma once

#include <openssl/types.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <functional>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/net/tls.h"

namespace tributary {

using TlsDone = std::function<void(const boost::system::error_code&)>;
using TlsMoved = std::function<void(const boost::system::error_code&, std::size_t)>;

// TLS over a tcp_stream, whose deadlines hold for every operation here. As with any Asio stream
// what is under way keeps nothing alive: its handler must.
class TlsLayer {
public:
    virtual ~TlsLayer() = default;
    virtual void handshake(TlsDone done) = 0;
    // The end of the connection without the peer's word that it is the end of the data is
    // http::error::partial_message, never eof.
    virtual void read_some(boost::asio::mutable_buffer into, TlsMoved done) = 0;
    // Takes up to 16 KiB, one TLS record.
    virtual void write_some(boost::asio::const_buffer from, TlsMoved done) = 0;
    virtual ByteSpan to_write() = 0;  // room of that size, for who must gather
    // Says that this is the end, and waits for the peer to say so.
    virtual void shut_down(TlsDone done) = 0;
    // Why the handshake failed, as a sentence fragment that begins with the peer.
    virtual Error explain(const boost::system::error_code& error) const = 0;
};

// invalid when certificate and key are not a pair of PEM texts.
Result<std::shared_ptr<SSL_CTX>> make_tls_server(const TlsIdentity& identity);
std::unique_ptr<TlsLayer> tls_for_server(boost::beast::tcp_stream& tcp,
                                         const std::shared_ptr<SSL_CTX>& server);
// The first bytes were those of a plain HTTP request.
bool is_plain_http(const boost::system::error_code& handshake_error);

// invalid when what is to be trusted cannot be read. `host` is a name or an address.
Result<std::unique_ptr<TlsLayer>> tls_for_client(boost::beast::tcp_stream& tcp,
                                                 const TlsTrust& trust, const std::string& host);

// What Beast reads from and writes to.
class HttpStream {
public:
    using executor_type = boost::beast::tcp_stream::executor_type;

    template <class Arg>
    explicit HttpStream(Arg&& arg) : tcp_(std::forward<Arg>(arg)) {}

    executor_type get_executor() noexcept { return tcp_.get_executor(); }
    boost::beast::tcp_stream& tcp() { return tcp_; }
    TlsLayer* tls() { return tls_.get(); }
    // nullptr: from now on without TLS.
    void secure(std::unique_ptr<TlsLayer> tls) { tls_ = std::move(tls); }

    template <class Buffers, class Handler>
    void async_read_some(const Buffers& buffers, Handler&& handler) {
        if (!tls_) {
            tcp_.async_read_some(buffers, std::forward<Handler>(handler));
            return;
        }
        boost::asio::mutable_buffer first;
        for (const boost::asio::mutable_buffer buffer : boost::beast::buffers_range_ref(buffers)) {
            first = buffer;
            if (first.size() > 0) break;
        }
        tls_->read_some(first, shared(std::forward<Handler>(handler)));
    }

    template <class Buffers, class Handler>
    void async_write_some(const Buffers& buffers, Handler&& handler) {
        if (!tls_) {
            tcp_.async_write_some(buffers, std::forward<Handler>(handler));
            return;
        }
        const ByteSpan room = tls_->to_write();
        const std::size_t bytes = boost::asio::buffer_copy(
            boost::asio::mutable_buffer(room.data(), room.size()), buffers);
        tls_->write_some({room.data(), bytes}, shared(std::forward<Handler>(handler)));
    }

private:
    // Beast's handlers can only be moved, a std::function must be copied.
    template <class Handler>
    static TlsMoved shared(Handler&& handler) {
        return [kept = std::make_shared<std::decay_t<Handler>>(std::forward<Handler>(handler))](
                   const boost::system::error_code& error, std::size_t bytes) {
            (*kept)(error, bytes);
        };
    }

    boost::beast::tcp_stream tcp_;
    std::unique_ptr<TlsLayer> tls_;
};

}  // namespace tributary
