#include <algorithm>

#include "common/net/http_server.h"

namespace tributary {
namespace {

std::vector<std::string> split_pattern(std::string_view pattern) {
    std::vector<std::string> parts;
    TRIBUTARY_CHECK(!pattern.empty() && pattern.front() == '/');
    pattern.remove_prefix(1);
    while (true) {
        const std::size_t slash = pattern.find('/');
        parts.emplace_back(pattern.substr(0, slash));
        if (slash == std::string_view::npos) return parts;
        pattern.remove_prefix(slash + 1);
    }
}

bool is_param(std::string_view part) {
    return part.size() > 2 && part.front() == '{' && part.back() == '}';
}

bool is_rest(std::string_view part) {
    return is_param(part) && part.size() > 3 && part[part.size() - 2] == '*';
}

std::string join(const std::vector<std::string>& segments, std::size_t from) {
    std::string text;
    for (std::size_t i = from; i < segments.size(); ++i)
        text += (i == from ? "" : "/") + segments[i];
    return text;
}

using Params = std::map<std::string, std::string>;

bool fits(const std::vector<std::string>& pattern, const std::vector<std::string>& segments,
          Params& params) {
    params.clear();
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        const std::string& part = pattern[i];
        if (i >= segments.size()) return false;
        if (is_rest(part)) {
            params[part.substr(1, part.size() - 3)] = join(segments, i);
            return true;
        }
        if (is_param(part)) {
            if (segments[i].empty()) return false;
            params[part.substr(1, part.size() - 2)] = segments[i];
        } else if (part != segments[i]) {
            return false;
        }
    }
    return pattern.size() == segments.size();
}

}  // namespace

std::optional<std::string> HttpRequest::argument(std::string_view name) const {
    for (const auto& [key, value] : query)
        if (key == name) return value;
    return std::nullopt;
}

void HttpRoutes::add(std::string_view method, std::string_view pattern, HttpHandler handler) {
    add_async(method, pattern,
              [handler = std::move(handler)](const HttpRequest& request, const HttpReply& reply) {
                  reply(handler(request));
              });
}

void HttpRoutes::add_async(std::string_view method, std::string_view pattern,
                           HttpAsyncHandler handler) {
    routes_.push_back({std::string(method), split_pattern(pattern), std::move(handler), {}, 0});
}

void HttpRoutes::add_upload(std::string_view method, std::string_view pattern,
                            HttpUploadHandler handler, std::uint64_t body_bytes_max) {
    routes_.push_back(
        {std::string(method), split_pattern(pattern), {}, std::move(handler), body_bytes_max});
}

const HttpRoutes::Route* HttpRoutes::find(HttpRequest& request, std::string& allowed) const {
    const std::vector<std::string> root{""};  // the path "/" has no segments of its own
    const auto& segments = request.segments.empty() ? root : request.segments;
    std::vector<std::string> methods;
    for (const Route& route : routes_) {
        if (!fits(route.pattern, segments, request.params)) continue;
        if (route.method == request.method || (request.method == "HEAD" && route.method == "GET"))
            return &route;
        methods.push_back(route.method);
        if (route.method == "GET") methods.emplace_back("HEAD");
    }
    request.params.clear();
    std::sort(methods.begin(), methods.end());
    methods.erase(std::unique(methods.begin(), methods.end()), methods.end());
    allowed.clear();
    for (const std::string& method : methods) allowed += (allowed.empty() ? "" : ", ") + method;
    return nullptr;
}

}  // namespace tributary
