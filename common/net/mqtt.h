// The Transport port over MQTT 5 (libmosquitto), QoS 1, without any state in the broker: clean
// start, session expiry 0, nothing retained but what a will asks for.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/limits.h"
#include "common/env/clock.h"
#include "common/env/transport.h"
#include "common/net/loop.h"

namespace tributary {

// A broker that says its packets are smaller is refused. Data and the pages of an Offer become as
// small as it wants them; whatever else an agent or a hub of ours says in practice, at most a
// Done with 64 refusals (40 KiB), fits here.
inline constexpr std::size_t kBrokerPacketBytesMin = 64 * limits::KiB;

struct MqttOptions {
    // mqtt://host[:1883] or mqtts://host[:8883]
    std::string url;
    std::string client_id;
    // PEM files, for mqtts:// only, read anew for each connection. Without ca_file the system's
    // authorities are trusted; without key_file the key stands in certificate_file, in any order.
    std::string ca_file;
    std::string certificate_file;
    std::string key_file;
    std::string key_passphrase;  // of an encrypted key; never asked of a terminal
    // By what time the broker's certificate is judged (TlsTrust); without it by the system's.
    std::function<std::optional<std::uint64_t>()> now_ms;
    // Topic filters, subscribed with QoS 1 before `connected` is told.
    std::vector<std::string> subscriptions;
    // A message that the broker refuses is told, and the connection goes on; else that ends it.
    bool outlives_refusals = false;
    // Published by the broker (QoS 1) when our connection ends, also by stop().
    std::optional<Message> will;
    bool will_retained = false;

    std::size_t in_flight_max = limits::kFramesInFlightMax;  // 1..15
    std::uint32_t keep_alive_s = 60;                         // 5 or more
    std::uint32_t connect_timeout_s = 15;  // name, TCP, TLS, CONNACK and SUBACK together
    // Full jitter: the n-th attempt in a row waits random(0, min(max, base * 2^n)).
    std::uint32_t backoff_base_ms = 1000;
    std::uint32_t backoff_max_ms = 60'000;
    // After a refusal that a person has to see to, which is Errc::denied (the broker does not take
    // our certificate, our id, our topics or our sizes): random(half of it, all of it), and twice
    // as long each time until a connection was a good one that ended otherwise, or lasted longer
    // than the longest pause.
    std::uint32_t refused_retry_ms = 10'000;
    std::uint32_t refused_retry_ms_max = 600'000;
    // The longest payload that is published, where the broker does not say that it takes less. A
    // longer one that arrives is told as an empty one.
    std::size_t payload_bytes_max = limits::kFrameBytesMax;
};

// invalid when an option cannot work, naming it.
Result<std::unique_ptr<Transport>> make_mqtt(NetLoop& loop, Entropy& entropy, MqttOptions options);

}  // namespace tributary
