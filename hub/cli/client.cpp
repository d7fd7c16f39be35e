#include "hub/cli/client.h"

#include <array>
#include <cstdlib>

#include "common/env/files.h"
#include "common/net/http_client.h"
#include "common/text/toml.h"

namespace tributary::cli {
namespace {

constexpr std::array kCodes = {
    Errc::invalid,     Errc::not_found, Errc::conflict,    Errc::corrupt,   Errc::denied,
    Errc::unavailable, Errc::exhausted, Errc::unsupported, Errc::cancelled, Errc::erased};

constexpr std::string_view kOtherPort =
    "; if this is the port where boards enrol, say that of the hub's API ([api] listen), else the "
    "hub is an older one";

Error said_no_reason(const HttpClientResponse& response) {
    return {Errc::unavailable,
            "the hub answered with HTTP status " + std::to_string(response.status)};
}

// The error that the hub describes in its body.
Error error_of(const HttpClientResponse& response) {
    if (const auto body = parse_json(response.body))
        if (const Json* error = body->find("error")) {
            const auto code = error->text_at("code");
            const auto message = error->text_at("message");
            if (!code || !message) return said_no_reason(response);
            // The boards' door speaks alike.
            const bool elsewhere = message->starts_with("there is nothing at /api/v1/");
            for (const Errc known : kCodes)
                if (name_of(known) == *code)
                    return {known, *message + (elsewhere ? std::string(kOtherPort) : "")};
        }
    return said_no_reason(response);
}

std::string profile_path() {
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config && *config)
        return join_path(config, "tributary/profile.toml");
    if (const char* home = std::getenv("HOME"); home && *home)
        return join_path(home, ".config/tributary/profile.toml");
    return {};
}

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value ? value : "";
}

Result<HubAddress> read_profile(const std::string& path) {
    HubAddress profile;
    ConfigTable table;
    std::string& ca = profile.trust.ca_file;
    table.text("hub", profile.url, "URL of the hub.");
    table.text("ca", ca, "PEM file of the authority that signed the hub's certificate.");
    TRIBUTARY_TRY(table.read_file(system_files(), path));
    if (!ca.empty() && !ca.starts_with('/')) ca = join_path(parent_path(path), ca);
    return profile;
}

}  // namespace

std::string Client::url(const std::string& path, const Query& query) const {
    std::string url = hub_.url;
    while (url.ends_with('/')) url.pop_back();
    url += path;
    char separator = '?';
    for (const auto& [name, value] : query) {
        url += separator + name + "=" + url_escape(value);
        separator = '&';
    }
    return url;
}

Result<Json> Client::exchange(const std::string& method, const std::string& path,
                              const Query& query, std::string body) const {
    HttpClientRequest request;
    request.method = method;
    request.url = url(path, query);
    request.trust = hub_.trust;
    request.body = std::move(body);
    if (!request.body.empty()) request.headers.push_back({"Content-Type", "application/json"});
    TRIBUTARY_ASSIGN(const HttpClientResponse response, http_request(std::move(request)));
    if (response.status >= 300) return tl::make_unexpected(error_of(response));
    return parse_json(response.body, {.bytes_max = 64u << 20});
}

Result<Json> Client::get(const std::string& path, const Query& query) const {
    return exchange("GET", path, query, {});
}

Result<Json> Client::post(const std::string& path, const Json& body, const Query& query) const {
    return exchange("POST", path, query, body.text());
}

Status Client::download(const std::string& path, const Query& query, HttpSink sink) const {
    HttpClientRequest request;
    request.url = url(path, query);
    request.trust = hub_.trust;
    request.sink = std::move(sink);
    TRIBUTARY_ASSIGN(const HttpClientResponse response, http_request(std::move(request)));
    if (response.status >= 300) return tl::make_unexpected(error_of(response));
    return {};
}

Result<HubAddress> find_hub(const std::string& hub, const std::string& ca) {
    HubAddress found{hub.empty() ? variable("TRIBUTARY_HUB") : hub, {}};
    found.trust.ca_file = ca.empty() ? variable("TRIBUTARY_CA") : ca;
    const std::string path = profile_path();
    const auto is_https = [&] { return found.url.starts_with("https://"); };
    const bool asks_profile = found.url.empty() || (is_https() && found.trust.ca_file.empty());
    if (asks_profile && !path.empty() && system_files().stat_target(path)) {
        TRIBUTARY_ASSIGN(const HubAddress profile, read_profile(path));
        if (found.url.empty()) found.url = profile.url;
        if (found.trust.ca_file.empty()) found.trust = profile.trust;
    }
    if (found.url.empty())
        return fail(
            Errc::invalid,
            "no hub is named; say --hub URL, set TRIBUTARY_HUB, or write hub = \"URL\" to " +
                (path.empty() ? std::string("a profile file") : path));
    if (!ca.empty() && !is_https())
        return fail(Errc::invalid,
                    "--ca is for a hub with TLS: write https:// instead of '" + found.url + "'");
    return found;
}

}  // namespace tributary::cli
