// What HTTP/1.1 server and client share: URLs, headers, bodies that come and go in steps.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"

namespace tributary {

struct HttpHeader {
    std::string name;
    std::string value;
};

// Fills a prefix of `out` (at most 64 KiB are asked for) and says how many bytes; 0 is the end.
// Runs on the loop's thread, so one step must be short. An error breaks the connection, so that the
// receiver cannot take a part for the whole.
using HttpPull = std::function<Result<std::size_t>(ByteSpan out)>;
// Takes the next bytes of a body. An error ends the exchange.
using HttpSink = std::function<Status(ByteView bytes)>;

// The value of the first header of that name (any case), or "".
std::string_view find_header(const std::vector<HttpHeader>& headers, std::string_view name);

// What follows '?', decoded, in order.
using HttpQuery = std::vector<std::pair<std::string, std::string>>;
struct HttpTarget {
    std::vector<std::string> segments;  // decoded one by one, so "a%2Fb" is one segment "a/b"
    HttpQuery query;
};
Result<HttpTarget> parse_target(std::string_view target);

struct Url {
    std::string scheme;  // lower case
    std::string host;    // without the brackets of an IPv6 address
    std::uint16_t port = 0;
    std::string target;              // path and query as they go on the wire, at least "/"
    std::string host_field() const;  // for the Host header
};
// Ports default by scheme (http 80, mqtt and tcp 1883, mqtts and ssl 8883).
Result<Url> parse_url(std::string_view text);
// 'host:port', '[::1]:port' or ':port' is not one: say 0.0.0.0.
Result<Url> parse_host_port(std::string_view text);
// Escapes everything but unreserved characters, for use as one path segment or query value.
std::string url_escape(std::string_view text);

// The status an error is answered with.
unsigned http_status_of(Errc code);

}  // namespace tributary
