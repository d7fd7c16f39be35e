// The two addresses of a configuration, checked when they are read: a slip there would else be
// noticed only when something is sent.
#pragma once

#include <string>
#include <string_view>

#include "common/net/http.h"

namespace tributary {

// mqtt://HOST[:PORT]; with TLS mqtts://HOST[:PORT]. invalid, saying so.
Result<Url> parse_broker_url(std::string_view text);
// https://HOST[:PORT] or http://…, and a path if a proxy needs one.
Result<Url> parse_hub_url(std::string_view text);
bool is_tls(const Url& url);

}  // namespace tributary
