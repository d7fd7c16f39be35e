#include "agent/app/reach.h"

#include <array>
#include <optional>

#include "common/net/http_client.h"
#include "common/net/mqtt.h"
#include "common/sync/conversation.h"
#include "common/sync/topics.h"
#include "common/text/json.h"
#include "common/trust/trust.h"

namespace tributary::agent {
namespace {

constexpr std::uint32_t kTryMs = 5'000;
constexpr int kPacketTooLarge = 0x95;  // as MQTT 5 numbers it

}  // namespace

Status try_hub(const Config& config, const std::optional<Pins>& pins) {
    const std::string& url = config.hub.url;
    HttpClientRequest request;
    request.url = url;
    request.trust = config.hub_trust();
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += "/healthz";
    request.timeout_ms = kTryMs;
    request.body_bytes_max = 64 * limits::KiB;
    TRIBUTARY_ASSIGN(const HttpClientResponse response, http_request(std::move(request)));
    const auto said = parse_json(response.body);
    const Json* connected = said ? said->find("broker_connected") : nullptr;
    if (!connected || !connected->as_bool())
        return fail(Errc::unavailable, url + " answers, but not like a hub (status " +
                                           std::to_string(response.status) + "); check [hub] url" +
                                           (response.status == 400 && url.starts_with("http://")
                                                ? ": if it speaks TLS, write https://"
                                                : ""));
    // Older hubs do not say it.
    const auto key = said->text_at("key");
    if (pins && key && *key != trust::key_id(pins->hub_keys.front()).text())
        return fail(Errc::conflict, url +
                                        " answers, but is not the hub this board met first: its "
                                        "key is " +
                                        *key +
                                        ". Nothing is sent to it; if it is the right one, remove "
                                        "pins.json from state_dir and restart");
    if (!*connected->as_bool())
        return fail(Errc::unavailable,
                    url + " answers: the hub runs, but does not reach its broker; see its own log");
    return {};
}

Status try_door(const Config& config) {
    HttpClientRequest request;
    request.url = config.hub.url;
    request.trust = config.hub_trust();
    while (request.url.ends_with('/')) request.url.pop_back();
    request.url += "/api/v1/root?after=" + std::to_string(UINT32_MAX);  // none: whether it answers
    request.timeout_ms = kTryMs;
    request.body_bytes_max = 64 * limits::KiB;
    TRIBUTARY_ASSIGN(const HttpClientResponse response, http_request(std::move(request)));
    const auto said = parse_json(response.body);
    if (said && (said->find("documents") || said->find("error"))) return {};
    return fail(Errc::unavailable, config.hub.url +
                                       " answers, but not like a hub's door for boards (status " +
                                       std::to_string(response.status) + "); check [hub] url");
}

Status try_broker(const Config& config, const std::string& device,
                  const trust::Passphrase* passphrase, Entropy& entropy) {
    std::array<std::uint8_t, 8> name{};
    entropy.fill(name);
    MqttOptions options;
    options.url = config.broker.url;
    options.client_id = device.empty() ? "tributary-doctor-" + to_hex(name) : device;
    if (!device.empty()) options.subscriptions = {sync::topic_of(device, sync::Direction::down)};
    options.ca_file = config.broker.ca;
    options.certificate_file = config.broker.cert;
    options.key_file = config.broker.key;
    if (passphrase) options.key_passphrase = passphrase->text();
    options.connect_timeout_s = kTryMs / 1000;
    options.outlives_refusals = true;

    NetLoop loop;
    TRIBUTARY_ASSIGN(const std::unique_ptr<Transport> transport,
                     make_mqtt(loop, entropy, std::move(options)));
    Status answer =
        fail(Errc::unavailable,
             config.broker.url + " does not answer; check [broker] url and the network");
    Transport::Events events;
    // Whether it takes messages as large as it said; it says so before it looks at rights.
    // A link that is to be spared is not asked.
    const bool asks_for_size = !link_policy(config).limits();
    const std::string up = device.empty() ? "" : sync::topic_of(device, sync::Direction::up);
    int unanswered = 0;
    events.connected = [&] {
        answer = {};
        const auto ask = [&](const std::string& topic, ByteView payload) {
            if (transport->publish(topic, payload, 1)) ++unanswered;
        };
        if (asks_for_size) ask("tributary/1/doctor", Bytes(transport->payload_bytes_max()));
        if (!up.empty()) ask(up, sync::device_gone());  // which is so: its daemon does not run
        if (unanswered == 0) loop.stop();
    };
    events.refused = [&](const std::string& topic, const Error& error) {
        if (error.native == kPacketTooLarge || topic == up)
            answer = fail(error.code, error.what, error.native);
    };
    events.sent = [&](std::uint64_t) {
        if (--unanswered == 0) loop.stop();
    };
    // Once it let us in, that it dislikes our question is no reason but for this one.
    events.disconnected = [&](const Error& error) {
        if (!answer || error.native == kPacketTooLarge)
            answer = fail(error.code, error.what, error.native);
        loop.stop();
    };
    events.received = [](const Message&) {};
    // Twice the time that one attempt may take, lest a lookup hangs.
    const std::unique_ptr<Timer> give_up = loop.at(loop.now() + 2 * kTryMs, [&] { loop.stop(); });
    transport->start(std::move(events));
    loop.run();
    transport->stop();
    return answer;
}

}  // namespace tributary::agent
