// HTTP/1.1 client: on a loop for daemons, blocking for command line programs.
#pragma once

#include <memory>
#include <optional>

#include "common/net/http.h"
#include "common/net/loop.h"
#include "common/net/tls.h"

namespace tributary {

struct HttpClientRequest {
    std::string method = "GET";
    std::string url;  // http:// or https://
    TlsTrust trust;   // for https://
    std::vector<HttpHeader> headers;
    std::string body;
    // When set, the body comes from here; stream_bytes must be known.
    HttpPull stream;
    std::uint64_t stream_bytes = 0;
    // When set, takes the body of a 2xx answer; other answers still come whole in `body`.
    HttpSink sink;
    std::uint64_t body_bytes_max = 16 * 1024 * 1024;  // of a body that comes whole
    // For the lookup and connect together, for the TLS handshake, for the head of the answer, for
    // each 64 KiB step of a body: a server that sends a byte now and then gains nothing by it.
    std::uint32_t timeout_ms = 30'000;
};

struct HttpClientResponse {
    unsigned status = 0;
    std::vector<HttpHeader> headers;
    std::string body;
    std::string_view header(std::string_view name) const { return find_header(headers, name); }
};

// Destroying it breaks the exchange off; `done` is then not called.
class HttpCall {
public:
    virtual ~HttpCall() = default;
};

// Any status is a success here; errors: invalid (URL, or a ca that cannot be read), unavailable (no
// answer, or broken off; says which and what to check), denied (the server could not prove by its
// certificate that it is the one; says why), exhausted (body over the limit), or the sink's or
// stream's own.
using HttpDone = std::function<void(Result<HttpClientResponse>)>;
[[nodiscard]] std::unique_ptr<HttpCall> http_call(NetLoop& loop, HttpClientRequest request,
                                                  HttpDone done);
Result<HttpClientResponse> http_request(HttpClientRequest request);

}  // namespace tributary
