// What the broker lets each client do, as mosquitto reads it: the text of its acl_file.
#pragma once

#include <set>
#include <string>
#include <string_view>

namespace tributary::hub {

// The hub's name at the broker, and the common name of its certificate there. No device is called
// so.
inline constexpr const char* kBrokerUser = "hub";

// The hub may use all of our topics; a device publishes its own up, reads its own down and any
// broadcast, which is sealed; those of `denied` may do nothing. Who a client is, its certificate
// says.
std::string acl_text(const std::set<std::string>& denied);
// Whom such a text denies.
std::set<std::string> denied_in(std::string_view text);

}  // namespace tributary::hub
