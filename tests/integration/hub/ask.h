// Routes of a hub, asked without a socket.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "common/net/http.h"
#include "common/text/json.h"

namespace tributary::hub {

struct Answer {
    unsigned status = 0;
    Json body;
    std::string text(std::string_view name) const { return body.text_at(name).value_or(""); }
};

// By whoever has this address.
inline Answer ask_from(const std::string& peer, const HttpRoutes& routes, const std::string& method,
                       const std::string& target, const std::string& body = "",
                       std::vector<HttpHeader> headers = {}) {
    HttpRequest request;
    request.method = method;
    request.target = target;
    HttpTarget parsed = parse_target(target).value();
    request.segments = std::move(parsed.segments);
    request.query = std::move(parsed.query);
    request.headers = std::move(headers);
    request.body.assign(body.begin(), body.end());
    request.peer = peer;
    std::string allowed;
    const HttpRoutes::Route* route = routes.find(request, allowed);
    if (!route) return {404, {}};
    Answer answer;
    route->handler(request, [&](HttpResponse response) {
        answer.status = response.status;
        if (auto json = parse_json(response.body)) answer.body = *std::move(json);
    });
    return answer;
}

}  // namespace tributary::hub
