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
// ", at least 2.0 MB left, 1.0 MB a second", of what it sends; empty: nothing, as far as is known.
// No time: a board says page by page what comes.
std::string uplink_text(const Json& link);
// ", about 12.0 MB left, 1.0 MB a second, about 12 s to go", of what it is sent; likewise. Or what
// holds it up.
std::string push_text(const Json& link);
// Why a board says nothing to its assignment: it takes it for nobody's, such as one that pinned
// another hub's key, and has said so since. Empty: nothing of the kind is known.
std::string passed_over(const Json& device, const Json& model);
// What an assignment waits for that the board has not answered; empty: it has.
std::string waits_for(const Json& device, const Json& model);

}  // namespace tributary::cli
