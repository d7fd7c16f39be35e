// HTTP/1.1 server. Handlers are plain functions that run on the loop's thread.
#pragma once

#include <map>
#include <memory>
#include <optional>

#include "common/net/http.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

namespace tributary {

struct HttpRequest {
    std::string method;
    std::string target;                 // as received
    std::vector<std::string> segments;  // of the path, each decoded
    HttpQuery query;
    std::map<std::string, std::string> params;  // what the pattern's {names} stand for
    std::vector<HttpHeader> headers;
    Bytes body;
    std::string peer;  // address of the client

    std::string_view header(std::string_view name) const { return find_header(headers, name); }
    // The first value of that name in the query.
    std::optional<std::string> argument(std::string_view name) const;
};

struct HttpResponse {
    unsigned status = 200;
    std::string content_type = "application/json";
    std::vector<HttpHeader> headers;
    std::string body;
    // When set, the body comes from here instead: with Content-Length when stream_bytes is known,
    // else chunked.
    HttpPull stream;
    std::optional<std::uint64_t> stream_bytes;
};

using HttpHandler = std::function<HttpResponse(const HttpRequest&)>;
// Answers later: `reply` is called once, on the loop's thread; it does nothing if the client left.
using HttpReply = std::function<void(HttpResponse)>;
using HttpAsyncHandler = std::function<void(const HttpRequest&, HttpReply reply)>;

// A request body taken in steps instead of whole. Destroyed without finish() when the client broke
// off or write() failed.
struct HttpUpload {
    HttpSink write;
    std::function<HttpResponse()> finish;
};
using HttpUploadHandler = std::function<Result<HttpUpload>(const HttpRequest& head)>;

// Patterns such as "/api/v1/repos/{group}/{name}"; a last "{path*}" takes all remaining segments,
// joined by '/'. The first added that fits wins. HEAD is answered by GET's handler.
class HttpRoutes {
public:
    void add(std::string_view method, std::string_view pattern, HttpHandler handler);
    void add_async(std::string_view method, std::string_view pattern, HttpAsyncHandler handler);
    // body_bytes_max applies instead of the server's; 0 means none.
    void add_upload(std::string_view method, std::string_view pattern, HttpUploadHandler handler,
                    std::uint64_t body_bytes_max = 0);

    struct Route {
        std::string method;
        std::vector<std::string> pattern;
        HttpAsyncHandler handler;  // one of the two
        HttpUploadHandler upload;
        std::uint64_t body_bytes_max = 0;
    };
    // Fills request.params. nullptr when none fits; then `allowed` holds the methods that would
    // ("GET, HEAD"), empty when the path is unknown.
    const Route* find(HttpRequest& request, std::string& allowed) const;

private:
    std::vector<Route> routes_;
};

struct HttpServerOptions {
    std::string listen = "127.0.0.1:0";  // host:port; port 0 takes a free one
    std::optional<TlsIdentity> tls;      // then HTTPS and nothing else, TLS 1.2 or newer
    std::uint32_t handshake_timeout_ms = 10'000;
    std::uint32_t header_bytes_max = 16 * 1024;
    std::uint64_t body_bytes_max = 1024 * 1024;
    // For a request's header and buffered body, from its first byte; also for each 64 KiB step of
    // an uploaded or sent body.
    std::uint32_t io_timeout_ms = 30'000;
    std::uint32_t idle_timeout_ms = 60'000;  // between requests of one connection
    // One more waits in the kernel's queue. Those that still agree on TLS count.
    std::size_t connections_max = 256;
    // Once there are so many, one that has asked nothing yet gives way to a newcomer, else the
    // newcomer is closed: of the client (client_of()) with most connections the one that is longest
    // at it. So nobody keeps others out by holding connections, at one address or at many.
    bool idle_give_way = false;
    // The page for an error that the server itself finds (400, 404, 405, 413, 431) or that an
    // upload returned. Default: the message as plain text.
    std::function<HttpResponse(unsigned status, const Error& error)> error_page;
    // Clients that did not get as far as a request: the last one's reason, and how many since this
    // was last called, which is once a minute at most.
    std::function<void(const Error& last, std::uint64_t count)> on_strangers;
};

// Who an address stands for: itself, or of IPv6 its /64, of which whoever has one address has all.
std::string client_of(const std::string& address);

// Destroying it closes the listener and every connection.
class HttpServer {
public:
    virtual ~HttpServer() = default;
    virtual std::uint16_t port() const = 0;
};

// invalid for a bad `listen`, or a certificate and key that cannot be used; conflict when the port
// is taken; denied when it needs privileges.
Result<std::unique_ptr<HttpServer>> make_http_server(NetLoop& loop, HttpServerOptions options,
                                                     HttpRoutes routes);

}  // namespace tributary
