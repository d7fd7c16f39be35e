// One Session per connection walks a fixed path: agree on TLS if it must, wait for a request, read
// its header, find the route, read the body (whole, or in steps into an upload), call the handler,
// write the response, and back to waiting. Each step is one asynchronous operation with a deadline
// of its own.
#include "common/net/http_server.h"

#include <algorithm>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/buffer_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/write.hpp>
#include <set>

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
// What a refused client may still send before it sees our answer instead of a reset.
constexpr std::uint64_t kLingerBytesMax = 16 * 1024 * 1024;
constexpr std::chrono::seconds kLinger{2};
constexpr std::chrono::minutes kStrangersEvery{1};

class Session;

struct Shared {
    HttpServerOptions options;
    HttpRoutes routes;
    std::shared_ptr<SSL_CTX> tls;  // null: plain HTTP
    std::set<std::shared_ptr<Session>> sessions;
    std::function<void()> session_ended;  // there is room for one more
    std::uint64_t turns = 0;              // begun, to wait for a request

    void count_stranger(const Error& why) {
        ++strangers;
        const auto now = std::chrono::steady_clock::now();
        if (!options.on_strangers || now < tell_strangers_at) return;
        tell_strangers_at = now + kStrangersEvery;
        options.on_strangers(why, std::exchange(strangers, 0));
    }
    std::uint64_t strangers = 0;  // not yet told
    std::chrono::steady_clock::time_point tell_strangers_at{};
};

HttpResponse error_page(const HttpServerOptions& options, unsigned status, const Error& error) {
    if (options.error_page) return options.error_page(status, error);
    HttpResponse page;
    page.status = status;
    page.content_type = "text/plain; charset=utf-8";
    page.body = error.what + "\n";
    return page;
}

// Kept alive by the operation under way, and by the server until it has ended.
class Session : public std::enable_shared_from_this<Session> {
public:
    Session(tcp::socket socket, Shared& shared)
        : stream_(std::move(socket)), shared_(&shared), buffer_(kStepBytes * 2) {
        error_code ignored;
        const auto peer = stream_.tcp().socket().remote_endpoint(ignored);
        if (!ignored) peer_ = peer.address().to_string();
        client_ = client_of(peer_);
        turn_ = ++shared.turns;
    }
    const std::string& client() const { return client_; }
    // A whole request came, and is not answered yet.
    bool asks() const { return asks_; }
    // Greater for one that began later to wait for its request.
    std::uint64_t turn() const { return turn_; }
    void give_way() { end(); }

    void start() {
        if (!shared_->tls) return wait_for_request();
        stream_.secure(tls_for_server(stream_.tcp(), shared_->tls));
        if (stream_.tls() == nullptr) return end();  // no memory
        expire_in(shared_->options.handshake_timeout_ms);
        stream_.tls()->handshake([self = shared_from_this()](const error_code& error) {
            if (self->shared_ != nullptr) self->on_handshake(error);
        });
    }

    // The server goes away: nothing of it may be touched again.
    void abandon() {
        shared_ = nullptr;
        upload_.reset();
        pull_.reset();
        error_code ignored;
        stream_.tcp().socket().close(ignored);
    }

private:
    // Binds a step to its session; it is skipped when the session was ended meanwhile.
    template <class Step>
    auto then(Step step) {
        return [self = shared_from_this(), step](const error_code& error, std::size_t bytes) {
            if (self->shared_ != nullptr) (self.get()->*step)(error, bytes);
        };
    }

    void expire_in(std::uint32_t ms) { stream_.tcp().expires_after(std::chrono::milliseconds(ms)); }

    void on_handshake(const error_code& error) {
        if (!error) return wait_for_request();
        Error why = stream_.tls()->explain(error);
        why.what = peer_ + " " + why.what;
        const bool plain = is_plain_http(error);
        if (plain) why.what = peer_ + " speaks plain HTTP on this port, which is for https://";
        const auto self = shared_from_this();
        shared_->count_stranger(why);
        if (shared_ == nullptr) return;  // it ended the server
        if (!plain) return end();
        // The one thing that is ever said here without TLS, for people.
        stream_.secure(nullptr);
        parser_.emplace();
        refuse(400, {Errc::invalid, "this port speaks TLS: write https:// instead of http://"});
    }

    // Reading

    void wait_for_request() {
        parser_.emplace();
        parser_->header_limit(shared_->options.header_bytes_max);
        parser_->body_limit(boost::none);  // counted here, because the route sets the limit
        request_ = {};
        if (std::exchange(asks_, false)) turn_ = ++shared_->turns;
        if (buffer_.size() > 0) return read_header();
        expire_in(shared_->options.idle_timeout_ms);
        stream_.async_read_some(buffer_.prepare(4096), then(&Session::on_first_bytes));
    }

    void on_first_bytes(const error_code& error, std::size_t bytes) {
        if (error) return end();
        buffer_.commit(bytes);
        read_header();
    }

    void read_header() {
        expire_in(shared_->options.io_timeout_ms);
        http::async_read_header(stream_, buffer_, *parser_, then(&Session::on_header));
    }

    void on_header(const error_code& error, std::size_t) {
        if (error) return refuse_broken(error);
        const auto& head = parser_->get();
        request_.method = std::string(head.method_string());
        request_.target = std::string(head.target());
        request_.peer = peer_;
        for (const auto& field : head)
            request_.headers.push_back(
                {std::string(field.name_string()), std::string(field.value())});
        auto target = parse_target(request_.target);
        if (!target) return refuse(400, target.error());
        request_.segments = std::move(target->segments);
        request_.query = std::move(target->query);
        find_route();
    }

    void find_route() {
        std::string allowed;
        route_ = shared_->routes.find(request_, allowed);
        if (route_ == nullptr && allowed.empty())
            return refuse(404, {Errc::not_found, "there is nothing at " + request_.target});
        if (route_ == nullptr) {
            allow_ = allowed;
            return refuse(405, {Errc::unsupported, request_.target + " allows only " + allowed});
        }
        body_bytes_ = 0;
        body_bytes_max_ = shared_->options.body_bytes_max;
        if (route_->upload) {
            body_bytes_max_ = route_->body_bytes_max != 0 ? route_->body_bytes_max : UINT64_MAX;
            const auto begin = route_->upload;  // it may end the server, and the routes with it
            auto upload = begin(request_);
            if (shared_ == nullptr) return;
            if (!upload) return refuse(http_status_of(upload.error().code), upload.error());
            upload_ = std::make_shared<HttpUpload>(std::move(*upload));
        }
        const auto announced = parser_->content_length();
        if (announced && *announced > body_bytes_max_) return refuse_large();
        if (parser_->is_done()) return call_handler();
        if (beast::iequals(parser_->get()[http::field::expect], "100-continue"))
            return send_continue();
        read_body();
    }

    void send_continue() {
        static constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
        expire_in(shared_->options.io_timeout_ms);
        asio::async_write(stream_, asio::buffer(kContinue), then(&Session::on_continue_sent));
    }

    void on_continue_sent(const error_code& error, std::size_t) {
        if (error) return end();
        read_body();
    }

    void read_body() {
        // a buffered body has one deadline, an upload one for each step
        if (upload_ || body_bytes_ == 0) expire_in(shared_->options.io_timeout_ms);
        step_.resize(kStepBytes);
        parser_->get().body().data = step_.data();
        parser_->get().body().size = step_.size();
        http::async_read(stream_, buffer_, *parser_, then(&Session::on_body));
    }

    void on_body(const error_code& error, std::size_t) {
        if (error && error != http::error::need_buffer) return refuse_broken(error);
        const ByteView bytes(step_.data(), step_.size() - parser_->get().body().size);
        body_bytes_ += bytes.size();
        if (body_bytes_ > body_bytes_max_) return refuse_large();
        if (const auto upload = upload_) {
            const Status taken = upload->write(bytes);
            if (shared_ == nullptr) return;
            if (!taken) return refuse(http_status_of(taken.error().code), taken.error());
        } else {
            request_.body.insert(request_.body.end(), bytes.begin(), bytes.end());
        }
        if (parser_->is_done()) return call_handler();
        read_body();
    }

    // Answering

    void call_handler() {
        asks_ = true;
        stream_.tcp().expires_never();
        if (const auto upload = std::exchange(upload_, nullptr)) {
            HttpResponse response = upload->finish();
            if (shared_ != nullptr) respond(std::move(response));
            return;
        }
        // The reply may come now, later, or never; a dropped one must not keep the client waiting.
        struct Once {
            std::weak_ptr<Session> session;
            bool used = false;
            ~Once() {
                if (const auto alive = session.lock(); alive && !used && alive->shared_ != nullptr)
                    alive->refuse(500, {Errc::unavailable, "the request was dropped; try again"});
            }
        };
        auto once = std::make_shared<Once>();
        once->session = weak_from_this();
        const auto handler = route_->handler;  // it may end the server, and the routes with it
        handler(request_, [once = std::move(once)](HttpResponse response) {
            const auto alive = once->session.lock();
            if (std::exchange(once->used, true) || !alive || alive->shared_ == nullptr) return;
            alive->respond(std::move(response));
        });
    }

    void refuse_broken(const error_code& error) {
        const bool nothing_sent = !parser_->got_some();
        // left, or too slow: then the deadline has closed the stream
        if (nothing_sent || error.category() != http::make_error_code(http::error{}).category() ||
            error == http::error::end_of_stream || error == http::error::partial_message)
            return end();
        if (error == http::error::header_limit)
            return refuse(431, {Errc::invalid,
                                "the request's header is over " +
                                    std::to_string(shared_->options.header_bytes_max) + " bytes"});
        refuse(400, {Errc::invalid, "the request is not HTTP/1.1: " + error.message()});
    }

    void refuse_large() {
        refuse(413, {Errc::invalid, "the body is over the limit of " +
                                        std::to_string(body_bytes_max_) + " bytes"});
    }

    // Answers without having read all of the request; the connection cannot go on.
    void refuse(unsigned status, const Error& error) {
        upload_.reset();
        close_after_ = !parser_->is_done();
        HttpResponse page = error_page(shared_->options, status, error);
        if (status == 405) page.headers.push_back({"Allow", std::exchange(allow_, {})});
        respond(std::move(page));
    }

    void respond(HttpResponse response) {
        const unsigned version = parser_->is_header_done() ? parser_->get().version() : 11;
        const bool keep = parser_->is_done() && parser_->get().keep_alive() && !close_after_;
        response_.emplace();
        response_->version(version);
        response_->result(response.status);
        response_->set(http::field::content_type, response.content_type);
        for (const HttpHeader& header : response.headers)
            response_->insert(header.name, header.value);
        pull_ = response.stream ? std::make_shared<HttpPull>(std::move(response.stream)) : nullptr;
        body_ = std::move(response.body);
        body_sent_ = 0;
        to_pull_ = response.stream_bytes;
        close_after_ = !keep;
        const bool bodiless = response.status == 204 || response.status == 304;
        if (bodiless) {
            pull_.reset();
        } else if (!pull_) {
            response_->content_length(body_.size());
        } else if (to_pull_) {
            response_->content_length(*to_pull_);
        } else if (version >= 11) {
            response_->chunked(true);
        } else {
            close_after_ = true;  // the end of the connection ends the body
        }
        response_->keep_alive(!close_after_);
        response_->body().data = nullptr;
        response_->body().size = 0;
        response_->body().more = true;
        serializer_.emplace(*response_);
        expire_in(shared_->options.io_timeout_ms);
        head_only_ = bodiless || request_.method == "HEAD";
        http::async_write_header(stream_, *serializer_, then(&Session::on_header_sent));
    }

    void on_header_sent(const error_code& error, std::size_t) {
        if (error) return end();
        if (head_only_) return answered();
        send_body();
    }

    void send_body() {
        auto& body = response_->body();
        if (const auto pull = pull_) {
            step_.resize(kStepBytes);
            const std::uint64_t wanted =
                std::min<std::uint64_t>(kStepBytes, to_pull_.value_or(kStepBytes));
            const auto got = (*pull)(ByteSpan(step_.data(), static_cast<std::size_t>(wanted)));
            if (shared_ == nullptr) return;  // the pull ended the server
            // Too little, or an error: breaking off tells the client that it has not all.
            if (!got || *got > wanted || (*got == 0 && to_pull_.value_or(0) > 0)) return end();
            if (to_pull_) *to_pull_ -= *got;
            body.data = step_.data();
            body.size = *got;
            body.more = *got > 0 && to_pull_ != 0u;
        } else {
            // a step at a time, because each has a deadline
            body.data = body_.data() + body_sent_;
            body.size = std::min(kStepBytes, body_.size() - body_sent_);
            body_sent_ += body.size;
            body.more = body_sent_ < body_.size();
        }
        if (body.size == 0) body.data = nullptr;
        expire_in(shared_->options.io_timeout_ms);
        http::async_write(stream_, *serializer_, then(&Session::on_body_sent));
    }

    void on_body_sent(const error_code& error, std::size_t) {
        if (error && error != http::error::need_buffer) return end();
        if (response_->body().more) return send_body();
        answered();
    }

    void answered() {
        pull_.reset();
        body_ = {};
        step_ = {};
        serializer_.reset();
        if (!close_after_) return wait_for_request();
        if (stream_.tls() != nullptr && parser_->is_done()) return shut_down();
        error_code ignored;
        stream_.tcp().socket().shutdown(tcp::socket::shutdown_send, ignored);
        if (parser_->is_done()) return end();
        lingered_ = 0;
        stream_.tcp().expires_after(kLinger);
        linger();
    }

    // So that the client knows the end of the answer from a connection that was cut.
    void shut_down() {
        stream_.tcp().expires_after(kLinger);
        stream_.tls()->shut_down([self = shared_from_this()](const error_code&) {
            if (self->shared_ != nullptr) self->end();
        });
    }

    // Reads off what a refused client still sends, so that it gets the answer and not a reset.
    void linger() {
        buffer_.clear();
        stream_.async_read_some(buffer_.prepare(kStepBytes), then(&Session::on_lingered));
    }

    void on_lingered(const error_code& error, std::size_t bytes) {
        lingered_ += bytes;
        if (error || lingered_ > kLingerBytesMax) return end();
        linger();
    }

    void end() {
        Shared* shared = shared_;
        const auto self = shared_from_this();
        abandon();
        shared->sessions.erase(self);
        shared->session_ended();
    }

    HttpStream stream_;
    Shared* shared_;  // null once ended
    beast::flat_buffer buffer_;
    std::string peer_;
    std::string client_;
    std::uint64_t turn_ = 0;
    bool asks_ = false;

    std::optional<http::request_parser<http::buffer_body>> parser_;
    HttpRequest request_;
    const HttpRoutes::Route* route_ = nullptr;
    // Shared with the call under way, which may end the session.
    std::shared_ptr<HttpUpload> upload_;
    std::shared_ptr<HttpPull> pull_;
    std::string allow_;
    std::uint64_t body_bytes_ = 0;
    std::uint64_t body_bytes_max_ = 0;
    std::uint64_t lingered_ = 0;

    std::optional<http::response<http::buffer_body>> response_;
    std::optional<http::response_serializer<http::buffer_body>> serializer_;
    std::string body_;
    std::size_t body_sent_ = 0;
    std::optional<std::uint64_t> to_pull_;
    Bytes step_;
    bool head_only_ = false;
    bool close_after_ = false;
};

class Server final : public HttpServer {
public:
    Server(asio::io_context& io, HttpServerOptions options, HttpRoutes routes)
        : io_(io), acceptor_(io), retry_(io) {
        shared_.options = std::move(options);
        shared_.routes = std::move(routes);
        shared_.session_ended = [this] { accept(); };
    }

    ~Server() override {
        *alive_ = false;
        error_code ignored;
        acceptor_.close(ignored);
        const auto sessions = std::move(shared_.sessions);
        for (const auto& session : sessions) session->abandon();
    }

    Status listen() {
        TRIBUTARY_ASSIGN(const Url at, parse_host_port(shared_.options.listen));
        if (shared_.options.tls) {
            TRIBUTARY_ASSIGN(shared_.tls, make_tls_server(*shared_.options.tls));
            shared_.options.tls.reset();  // the key is held once only
        }
        error_code error;
        tcp::resolver resolver(io_);
        const auto found =
            resolver.resolve(at.host, std::to_string(at.port), tcp::resolver::passive, error);
        if (error) return cannot_listen(Errc::unavailable, error);
        const tcp::endpoint endpoint = found.begin()->endpoint();
        if (acceptor_.open(endpoint.protocol(), error); error)
            return cannot_listen(Errc::unavailable, error);
        acceptor_.set_option(asio::socket_base::reuse_address(true), error);
        if (acceptor_.bind(endpoint, error); error)
            return cannot_listen(error == asio::error::address_in_use  ? Errc::conflict
                                 : error == asio::error::access_denied ? Errc::denied
                                                                       : Errc::unavailable,
                                 error);
        if (acceptor_.listen(asio::socket_base::max_listen_connections, error); error)
            return cannot_listen(Errc::conflict, error);
        port_ = acceptor_.local_endpoint(error).port();
        accept();
        return {};
    }

    std::uint16_t port() const override { return port_; }

private:
    tl::unexpected<Error> cannot_listen(Errc code, const error_code& error) const {
        std::string what = "cannot listen on " + shared_.options.listen + ": " + error.message();
        if (code == Errc::conflict) what += "; another program has this port, choose another";
        if (code == Errc::denied) what += "; ports below 1024 need privileges, choose another";
        // Not the configuration's fault for sure: early at boot an address may not be there yet.
        if (code == Errc::unavailable)
            what += "; the host must be an address that this machine has now";
        return fail(code, std::move(what), error.value());
    }

    void accept() {
        if (accepting_ || (is_full() && !shared_.options.idle_give_way)) return;
        accepting_ = true;
        acceptor_.async_accept([this, alive = alive_](const error_code& error, tcp::socket socket) {
            if (!*alive) return;
            accepting_ = false;
            if (error) return accept_later();
            error_code ignored;
            socket.set_option(tcp::no_delay(true), ignored);
            const auto session = std::make_shared<Session>(std::move(socket), shared_);
            if (!is_full() || make_room()) {
                shared_.sessions.insert(session);
                session->start();
            }
            accept();
        });
    }

    bool is_full() const { return shared_.sessions.size() >= shared_.options.connections_max; }

    bool make_room() {
        std::map<std::string_view, std::size_t> connections;
        for (const auto& session : shared_.sessions) ++connections[session->client()];
        std::shared_ptr<Session> least;
        for (const auto& session : shared_.sessions) {
            if (session->asks()) continue;
            const std::size_t more = connections[session->client()];
            const std::size_t most = least ? connections[least->client()] : 0;
            if (more > most || (more == most && session->turn() < least->turn())) least = session;
        }
        if (!least) return false;
        least->give_way();
        return true;
    }

    // Out of descriptors, most likely: what ends meanwhile makes room.
    void accept_later() {
        retry_.expires_after(std::chrono::milliseconds(100));
        retry_.async_wait([this, alive = alive_](const error_code& error) {
            if (*alive && !error) accept();
        });
    }

    asio::io_context& io_;
    tcp::acceptor acceptor_;
    asio::steady_timer retry_;
    Shared shared_;
    std::uint16_t port_ = 0;
    bool accepting_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);  // read by late handlers
};

}  // namespace

std::string client_of(const std::string& address) {
    error_code error;
    const asio::ip::address parsed = asio::ip::make_address(address, error);
    if (error || !parsed.is_v6()) return address;
    asio::ip::address_v6 whole = parsed.to_v6();
    if (whole.is_v4_mapped())
        return asio::ip::make_address_v4(asio::ip::v4_mapped, whole).to_string();
    if (whole.is_loopback()) return address;
    asio::ip::address_v6::bytes_type bytes = whole.to_bytes();
    std::fill(bytes.begin() + 8, bytes.end(), std::uint8_t{0});
    return asio::ip::address_v6(bytes).to_string() + "/64";
}

Result<std::unique_ptr<HttpServer>> make_http_server(NetLoop& loop, HttpServerOptions options,
                                                     HttpRoutes routes) {
    auto server = std::make_unique<Server>(loop.impl().io, std::move(options), std::move(routes));
    TRIBUTARY_TRY(server->listen());
    return server;
}

}  // namespace tributary
