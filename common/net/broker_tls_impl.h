// What TLS says of the connections to the broker. Paho keeps it to itself: it empties OpenSSL's
// errors before anybody can read them. For paho.cpp only.
#pragma once

#include <optional>

#include "common/net/mqtt.h"

namespace tributary {

// A connection to that broker begins: what was noted before is forgotten. What is noted is that of
// the last such connection of this process.
void expect_broker_tls(const MqttOptions& options);
// Why it failed, if that was TLS's doing. denied: the broker does not take our certificate, which a
// person has to see to. unavailable: all else. In TLS 1.3 the broker's word on our certificate
// comes after the handshake; when the end of the connection overtakes it, our certificate is only
// suspected. `let_in`: the broker had answered already.
std::optional<Error> broker_tls_error(const MqttOptions& options, bool let_in);

}  // namespace tributary
