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

// The error that the hub describes in its body.
Error error_of(const HttpClientResponse& response) {
    if (const auto body = parse_json(response.body))
        if (const Json* error = body->find("error")) {
            const auto code = error->text_at("code");
            const auto message = error->text_at("message");
            if (code && message)
                for (const Errc known : kCodes)
                    if (name_of(known) == *code) return {known, *message};
        }
    return {Errc::unavailable,
            "the hub answered with HTTP status " + std::to_string(response.status)};
}

std::string profile_path() {
    if (const char* config = std::getenv("XDG_CONFIG_HOME"); config && *config)
        return join_path(config, "tributary/profile.toml");
    if (const char* home = std::getenv("HOME"); home && *home)
        return join_path(home, ".config/tributary/profile.toml");
    return {};
}

}  // namespace

std::string Client::url(const std::string& path, const Query& query) const {
    std::string url = hub_url_;
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
    request.sink = std::move(sink);
    TRIBUTARY_ASSIGN(const HttpClientResponse response, http_request(std::move(request)));
    if (response.status >= 300) return tl::make_unexpected(error_of(response));
    return {};
}

Result<std::string> find_hub(const std::string& option) {
    if (!option.empty()) return option;
    if (const char* variable = std::getenv("TRIBUTARY_HUB"); variable && *variable)
        return std::string(variable);
    const std::string path = profile_path();
    std::string hub;
    if (!path.empty() && system_files().stat_target(path)) {
        ConfigTable table;
        table.text("hub", hub, "URL of the hub.").require();
        TRIBUTARY_TRY(table.read_file(system_files(), path));
        return hub;
    }
    return fail(Errc::invalid,
                "no hub is named; say --hub URL, set TRIBUTARY_HUB, or write hub = \"URL\" to " +
                    (path.empty() ? std::string("a profile file") : path));
}

}  // namespace tributary::cli
