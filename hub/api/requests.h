// What handlers read of a request.
#pragma once

#include <string>
#include <string_view>

#include "common/net/http_server.h"
#include "common/text/json.h"

namespace tributary::hub {

// A decimal number from 1 to `greatest`.
Result<std::uint64_t> number_of(const std::string& text, std::string_view name,
                                std::uint64_t greatest);
// `limit=`, 100 unless said.
Result<std::size_t> limit_of(const HttpRequest& request);
// An argument of the query that must be there.
Result<std::string> required(const HttpRequest& request, std::string_view name);
Result<Json> body_of(const HttpRequest& request);
// Who says so; the hub cannot check it before there is access control.
Result<std::string> actor_of(const Json& body);

}  // namespace tributary::hub
