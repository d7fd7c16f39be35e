// One Exchange walks a fixed path: look the name up, connect, agree on TLS if the URL says so,
// write the request, read the answer's header, then its body in steps. The blocking form runs the
// same on an io_context of its own.
#include "common/net/http_client.h"

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>

#include "common/net/loop_impl.h"
#include "common/net/tls_impl.h"

namespace tributary {
namespace {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using asio::ip::tcp;
using boost::system::error_code;

constexpr std::size_t kStepBytes = 64 * 1024;
// Interim answers (100 and such) before the one that counts.
constexpr int kInterimMax = 8;

// Kept alive by the operation under way.
class Exchange : public std::enable_shared_from_this<Exchange> {
    // Binds a step to this exchange; it is skipped once the exchange has ended.
    template <class Step>
    auto guard(Step step) {
        return [self = shared_from_this(), step](const error_code& error, const auto&... rest) {
            if (self->done_) step(*self, error, rest...);
        };
    }
    template <class Step>
    auto then(Step step) {
        return [self = shared_from_this(), step](const error_code& error, std::size_t) {
            if (self->done_) (self.get()->*step)(error);
        };
    }

public:
    Exchange(asio::io_context& io, HttpClientRequest request, HttpDone done)
        : io_(io),
          resolver_(io),
          lookup_limit_(io),
          stream_(io),
          request_(std::move(request)),
          done_(std::move(done)),
          buffer_(kStepBytes * 2) {}

    void start() {
        auto url = parse_url(request_.url);
        if (!url) return finish_later(url.error());
        url_ = std::move(*url);
        if (url_.scheme != "http" && url_.scheme != "https")
            return finish_later(
                {Errc::invalid, "'" + request_.url + "' must begin with http:// or https://"});
        lookup_limit_.expires_after(std::chrono::milliseconds(request_.timeout_ms));
        lookup_limit_.async_wait(guard([](Exchange& self, const error_code& error) {
            if (!error) self.fail_with(beast::error::timeout, "looking the host's name up");
        }));
        resolver_.async_resolve(url_.host, std::to_string(url_.port),
                                guard([](Exchange& self, const error_code& error,
                                         const auto& found) { self.on_resolved(error, found); }));
    }

    // Nobody waits for the answer any more.
    void cancel() {
        done_ = nullptr;
        close();
    }

private:
    void expire() { stream_.tcp().expires_after(std::chrono::milliseconds(request_.timeout_ms)); }

    void on_resolved(const error_code& error, const tcp::resolver::results_type& found) {
        lookup_limit_.cancel();
        if (error) return fail_with(error, "looking the host's name up");
        expire();
        stream_.tcp().async_connect(
            found, [self = shared_from_this()](const error_code& failed, const tcp::endpoint&) {
                if (self->done_) self->on_connected(failed);
            });
    }

    void on_connected(const error_code& error) {
        if (error) return fail_with(error, "connecting");
        error_code ignored;
        stream_.tcp().socket().set_option(tcp::no_delay(true), ignored);
        if (url_.scheme == "https") return agree_on_tls();
        send();
    }

    void agree_on_tls() {
        auto tls = tls_for_client(stream_.tcp(), request_.trust, url_.host);
        if (!tls) return finish(tl::unexpected<Error>(tls.error()));
        stream_.secure(std::move(*tls));
        expire();
        stream_.tls()->handshake(guard([](Exchange& self, const error_code& error) {
            if (error == beast::error::timeout) return self.fail_with(error, "agreeing on TLS");
            if (!error) return self.send();
            Error why = self.stream_.tls()->explain(error);
            why.what = "the server of " + self.request_.url + " " + why.what;
            if (why.code == Errc::unavailable)
                why.what += "; check the host and port, and whether it must be http://";
            self.finish(tl::unexpected<Error>(std::move(why)));
        }));
    }

    void send() {
        message_.method_string(request_.method);
        message_.target(url_.target);
        message_.version(11);
        message_.set(http::field::host, url_.host_field());
        message_.set(http::field::user_agent, "tributary/" TRIBUTARY_VERSION);
        for (const HttpHeader& header : request_.headers) message_.set(header.name, header.value);
        message_.keep_alive(false);
        to_send_ = request_.stream ? request_.stream_bytes : request_.body.size();
        if (to_send_ > 0 || request_.method == "POST" || request_.method == "PUT")
            message_.content_length(to_send_);
        message_.body().more = true;
        expire();
        http::async_write_header(stream_, serializer_, then(&Exchange::on_header_sent));
    }

    void on_header_sent(const error_code& error) {
        if (error) return fail_with(error, "sending the request");
        if (to_send_ == 0) return read_header();
        send_body();
    }

    void send_body() {
        auto& body = message_.body();
        if (request_.stream) {
            step_.resize(kStepBytes);
            const auto wanted =
                static_cast<std::size_t>(std::min<std::uint64_t>(step_.size(), to_send_));
            const auto self = shared_from_this();
            const auto got = request_.stream(ByteSpan(step_.data(), wanted));
            if (!done_) return;
            if (!got) return finish(tl::unexpected<Error>(got.error()));
            if (*got == 0 || *got > wanted)
                return finish(fail(Errc::invalid, "the body to send ended too early"));
            body.data = step_.data();
            body.size = *got;
        } else {
            // a step at a time, because each has a deadline
            body.data = request_.body.data() + (request_.body.size() - to_send_);
            body.size = static_cast<std::size_t>(std::min<std::uint64_t>(kStepBytes, to_send_));
        }
        to_send_ -= body.size;
        body.more = to_send_ > 0;
        expire();
        http::async_write(stream_, serializer_, then(&Exchange::on_body_sent));
    }

    void on_body_sent(const error_code& error) {
        // A server that refuses a body answers and closes before it has read it: look for that
        // answer.
        if (error && error != http::error::need_buffer && error != beast::error::timeout) {
            sending_failed_ = true;
            return read_header();
        }
        if (error == beast::error::timeout) return fail_with(error, "sending the request");
        if (to_send_ > 0) return send_body();
        read_header();
    }

    void read_header() {
        parser_.emplace();
        parser_->header_limit(64 * 1024);
        parser_->body_limit(boost::none);
        if (request_.method == "HEAD") parser_->skip(true);
        expire();
        http::async_read_header(stream_, buffer_, *parser_, then(&Exchange::on_header));
    }

    void on_header(const error_code& error) {
        if (error)
            return fail_with(error,
                             sending_failed_ ? "sending the request" : "waiting for the answer");
        const auto& head = parser_->get();
        if (head.result_int() / 100 == 1) {  // what comes before the answer
            if (++interim_ <= kInterimMax) return read_header();
            return finish(fail(Errc::unavailable,
                               "the server of " + request_.url + " says to wait again and again"));
        }
        answer_.status = head.result_int();
        for (const auto& field : head)
            answer_.headers.push_back(
                {std::string(field.name_string()), std::string(field.value())});
        read_body();
    }

    void read_body() {
        if (parser_->is_done()) return finish(std::move(answer_));
        step_.resize(kStepBytes);
        parser_->get().body().data = step_.data();
        parser_->get().body().size = step_.size();
        expire();
        http::async_read(stream_, buffer_, *parser_, then(&Exchange::on_body));
    }

    void on_body(const error_code& error) {
        if (error && error != http::error::need_buffer)
            return fail_with(error, "reading the answer's body");
        const ByteView bytes(step_.data(), step_.size() - parser_->get().body().size);
        if (request_.sink && answer_.status / 100 == 2) {
            const auto self = shared_from_this();
            const Status taken = request_.sink(bytes);
            if (!done_) return;
            if (!taken) return finish(tl::unexpected<Error>(taken.error()));
        } else if (bytes.size() > request_.body_bytes_max - answer_.body.size()) {
            return finish(fail(Errc::exhausted, "the answer of " + request_.url + " is over " +
                                                    std::to_string(request_.body_bytes_max) +
                                                    " bytes"));
        } else {
            answer_.body += as_text(bytes);
        }
        read_body();
    }

    // Ending

    void fail_with(const error_code& error, std::string_view doing) {
        std::string what = "no answer from " + request_.url + " while " + std::string(doing) + ": ";
        if (error == beast::error::timeout)
            what += "nothing for " + std::to_string(request_.timeout_ms / 1000) + " s";
        else if (error == http::error::end_of_stream || error == http::error::partial_message)
            what += "the server closed the connection";
        else
            what += error.message();
        what += "; check that the hub runs and listens there";
        finish(fail(Errc::unavailable, std::move(what), error.value()));
    }

    void finish_later(Error error) {
        asio::post(io_, [self = shared_from_this(), error = std::move(error)] {
            if (self->done_) self->finish(tl::unexpected<Error>(error));
        });
    }

    void finish(Result<HttpClientResponse> result) {
        const auto done = std::exchange(done_, nullptr);
        close();
        done(std::move(result));
    }

    void close() {
        resolver_.cancel();
        lookup_limit_.cancel();
        stream_.tcp().close();
    }

    asio::io_context& io_;
    tcp::resolver resolver_;
    asio::steady_timer lookup_limit_;
    HttpStream stream_;
    HttpClientRequest request_;
    HttpDone done_;  // empty once ended
    Url url_;

    http::request<http::buffer_body> message_;
    http::request_serializer<http::buffer_body> serializer_{message_};
    std::uint64_t to_send_ = 0;
    bool sending_failed_ = false;
    int interim_ = 0;

    beast::flat_buffer buffer_;
    std::optional<http::response_parser<http::buffer_body>> parser_;
    HttpClientResponse answer_;
    Bytes step_;
};

class Call final : public HttpCall {
public:
    explicit Call(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
    ~Call() override { exchange_->cancel(); }

private:
    std::shared_ptr<Exchange> exchange_;
};

}  // namespace

std::unique_ptr<HttpCall> http_call(NetLoop& loop, HttpClientRequest request, HttpDone done) {
    auto exchange = std::make_shared<Exchange>(loop.impl().io, std::move(request), std::move(done));
    exchange->start();
    return std::make_unique<Call>(std::move(exchange));
}

Result<HttpClientResponse> http_request(HttpClientRequest request) {
    asio::io_context io;
    Result<HttpClientResponse> answer = fail(Errc::cancelled, "the request was never sent");
    std::make_shared<Exchange>(io, std::move(request), [&](Result<HttpClientResponse> result) {
        answer = std::move(result);
    })->start();
    io.run();
    return answer;
}

}  // namespace tributary
