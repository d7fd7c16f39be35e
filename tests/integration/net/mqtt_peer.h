// An MQTT client of ours and what it has been told, and a broker of which the test says every byte.
#pragma once

#include <gtest/gtest.h>

#include "common/net/mqtt.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/mosquitto.h"
#include "tests/support/peer.h"

namespace tributary::test {

// Most tests need but one, which hears itself.
struct MqttPeer {
    MqttPeer(NetLoop& loop, MqttOptions options) {
        auto made = make_mqtt(loop, system_entropy(), std::move(options));
        if (!made) ADD_FAILURE() << made.error().what;
        transport = std::move(*made);
        transport->start({
            [this] { ++connects; },
            [this](const Error& error) { errors.push_back(error); },
            [this](Message message) { received.push_back(std::move(message)); },
            [this](std::uint64_t token) { sent.push_back(token); },
            [this](const std::string& filter) { subscribed.push_back(filter); },
            [this](const std::string& topic, const Error& error) {
                refused.emplace_back(topic, error);
            },
        });
    }
    int connects = 0;
    std::vector<Error> errors;
    std::vector<Message> received;
    std::vector<std::uint64_t> sent;
    std::vector<std::string> subscribed;
    std::vector<std::pair<std::string, Error>> refused;
    std::unique_ptr<Transport> transport;
};

inline MqttOptions options_for(const Mosquitto& broker, std::string id, std::string topic = "") {
    MqttOptions options;
    options.url = broker.url();
    options.client_id = std::move(id);
    if (!topic.empty()) options.subscriptions = {std::move(topic)};
    options.backoff_base_ms = 20;
    options.backoff_max_ms = 100;
    return options;
}

inline constexpr std::string_view kLetIn("\x20\x03\x00\x00\x00", 5);  // CONNACK

inline std::string at(const test::PeerServer& server, const std::string& scheme = "mqtt") {
    return scheme + "://127.0.0.1:" + std::to_string(server.port());
}

inline MqttOptions options_for(const test::PeerServer& server) {
    MqttOptions options;
    options.url = at(server);
    options.client_id = "board";
    options.backoff_base_ms = options.backoff_max_ms = 60'000;
    return options;
}

}  // namespace tributary::test
