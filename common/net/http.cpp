#include "common/net/http.h"

#include <boost/url/authority_view.hpp>
#include <boost/url/encode.hpp>
#include <boost/url/parse.hpp>
#include <boost/url/rfc/unreserved_chars.hpp>
#include <boost/url/src.hpp>  // the library itself, of which the linker keeps what is used
#include <boost/url/url_view.hpp>
#include <charconv>

namespace tributary {
namespace {

namespace urls = boost::urls;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::uint16_t default_port(std::string_view scheme) {
    if (scheme == "http") return 80;
    if (scheme == "https") return 443;
    if (scheme == "mqtt") return 1883;
    if (scheme == "mqtts") return 8883;
    return 0;
}

// 0 also for what is no port.
std::uint16_t port_of(const urls::authority_view& authority) {
    const std::string digits(authority.port());
    std::uint16_t port = 0;
    const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), port);
    return parsed.ec == std::errc() ? port : std::uint16_t{0};
}

std::string host_of(const urls::authority_view& authority) {
    std::string host = authority.host();
    if (host.size() > 2 && host.front() == '[') return host.substr(1, host.size() - 2);
    return host;
}

}  // namespace

std::string_view find_header(const std::vector<HttpHeader>& headers, std::string_view name) {
    for (const HttpHeader& header : headers) {
        if (header.name.size() != name.size()) continue;
        bool same = true;
        for (std::size_t i = 0; i < name.size() && same; ++i)
            same = lower(header.name[i]) == lower(name[i]);
        if (same) return header.value;
    }
    return {};
}

Result<HttpTarget> parse_target(std::string_view target) {
    const auto parsed = urls::parse_origin_form({target.data(), target.size()});
    if (!parsed) return fail(Errc::invalid, "the request's target is not a path with a query");
    HttpTarget out;
    for (const std::string& segment : parsed->segments()) out.segments.push_back(segment);
    for (const auto& param : parsed->params()) out.query.emplace_back(param.key, param.value);
    return out;
}

std::string Url::host_field() const {
    const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
    return port == default_port(scheme) ? name : name + ":" + std::to_string(port);
}

Result<Url> parse_url(std::string_view text) {
    const auto parsed = urls::parse_uri({text.data(), text.size()});
    const std::string quoted = "'" + std::string(text) + "'";
    if (!parsed || !parsed->has_authority() || parsed->host().empty())
        return fail(Errc::invalid, quoted + " is not a URL such as http://host:port");
    if (parsed->has_userinfo())
        return fail(Errc::invalid, quoted + " must not carry a user name or password");
    Url url;
    for (const char c : parsed->scheme()) url.scheme += lower(c);
    url.host = host_of(parsed->authority());
    url.port = parsed->has_port() ? port_of(parsed->authority()) : default_port(url.scheme);
    if (url.port == 0)
        return fail(Errc::invalid, quoted + " needs a port from 1 to 65535: host:port");
    url.target = std::string(parsed->encoded_path());
    if (url.target.empty()) url.target = "/";
    if (parsed->has_query()) url.target += "?" + std::string(parsed->encoded_query());
    return url;
}

Result<Url> parse_host_port(std::string_view text) {
    const auto parsed = urls::parse_authority({text.data(), text.size()});
    Url url;
    if (parsed) url.host = host_of(*parsed);
    // port 0 is a port here, so its digits must be there
    if (!parsed || parsed->has_userinfo() || url.host.empty() || !parsed->has_port() ||
        parsed->port().empty() || (port_of(*parsed) == 0 && parsed->port() != "0"))
        return fail(Errc::invalid, "'" + std::string(text) +
                                       "' is not host:port, such as 127.0.0.1:8080 or [::1]:8080");
    url.port = port_of(*parsed);
    return url;
}

std::string url_escape(std::string_view text) {
    return urls::encode({text.data(), text.size()}, urls::unreserved_chars);
}

unsigned http_status_of(Errc code) {
    switch (code) {
        case Errc::invalid: return 400;
        case Errc::not_found: return 404;
        case Errc::conflict: return 409;
        case Errc::corrupt: return 500;
        case Errc::denied: return 403;
        case Errc::unavailable: return 503;
        case Errc::exhausted: return 507;
        case Errc::unsupported: return 501;
        case Errc::cancelled: return 503;
        case Errc::erased: return 410;
    }
    return 500;
}

}  // namespace tributary
