// What the hub's answer says of a device, in words.
#pragma once

#include <string>

#include "common/text/json.h"

namespace tributary::cli {

bool is_revoked(const Json& device);
// "connected", "away, heard 5 min ago", "revoked", …
std::string connection(const Json& device);
// Until when its link takes no content; empty: it does.
std::string rest_of(const Json& link);
// Why a board says nothing to its assignment: it takes it for nobody's, such as one that pinned
// another hub's key, and has said so since. Empty: nothing of the kind is known.
std::string passed_over(const Json& device, const Json& model);
// What an assignment waits for that the board has not answered; empty: it has.
std::string waits_for(const Json& device, const Json& model);

}  // namespace tributary::cli
