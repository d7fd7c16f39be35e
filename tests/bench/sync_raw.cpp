// The raw client beside which the goodput is told: the same adapter, QoS and frame size, as many
// messages in flight, and nothing that looks at the bytes.
//
// Without a protocol nothing holds the publisher back when the subscriber is behind, and what its
// adapter cannot keep is lost: what arrived is counted, and a message of one byte ends it.
#include <algorithm>

#include "common/net/loop.h"
#include "common/net/outbox.h"
#include "tests/bench/bench.h"
#include "tests/bench/sync.h"
#include "tests/support/random.h"

namespace tributary::bench {
namespace {

constexpr std::string_view kTopic = "tributary-bench/raw";

}  // namespace

Result<Json> run_publisher(const SyncEnd& end) {
    NetLoop loop;
    TRIBUTARY_ASSIGN(const auto transport,
                     make_mqtt(loop, system_entropy(), link_options(end, "bench-publisher", {})));
    Outbox outbox(*transport, 2 * limits::MiB);
    const Bytes frame = test::Random(1).bytes(limits::kDataFrameBytes);
    std::uint64_t published = 0;
    std::uint64_t taken = 0;
    std::optional<Error> lost;
    const auto publish_next = [&] {
        if (published >= end.bytes) return;
        outbox.publish(std::string(kTopic), frame);
        published += frame.size();
    };

    Transport::Events events;
    events.connected = [&] {
        outbox.on_connected();
        // One more than is in flight, so that the adapter never waits for us.
        for (std::size_t i = 0; i <= limits::kFramesInFlightMax; ++i) publish_next();
    };
    events.disconnected = [&](const Error& error) {
        lost = error;
        loop.stop();
    };
    events.received = [](const Message&) {};
    events.sent = [&](std::uint64_t token) {
        outbox.on_sent(token);
        taken += frame.size();
        if (taken == end.bytes) outbox.publish(std::string(kTopic), Bytes(1));
        if (taken > end.bytes) loop.stop();
        publish_next();
    };
    transport->start(std::move(events));
    loop.run();
    transport->stop();
    if (lost) return tl::make_unexpected(*lost);
    return Json::object({{"bytes", taken}});
}

Result<Json> run_subscriber(const SyncEnd& end) {
    NetLoop loop;
    TRIBUTARY_ASSIGN(const auto transport,
                     make_mqtt(loop, system_entropy(),
                               link_options(end, "bench-subscriber", {std::string(kTopic)})));
    std::uint64_t received = 0;
    std::optional<Stopwatch> since;
    double seconds = 0;
    std::optional<Error> lost;

    Transport::Events events;
    events.connected = [] { say(std::string(kReadyWord)); };
    events.disconnected = [&](const Error& error) {
        lost = error;
        loop.stop();
    };
    events.received = [&](const Message& message) {
        if (!since)
            since.emplace();  // not counted: the clock starts with it
        else if (message.payload.size() > 1)
            received += message.payload.size();
        if (message.payload.size() > 1) return;
        seconds = since->seconds();
        loop.stop();
    };
    events.sent = [](std::uint64_t) {};
    transport->start(std::move(events));
    loop.run();
    transport->stop();
    if (lost) return tl::make_unexpected(*lost);
    return Json::object({{"bytes", received}, {"seconds", seconds}});
}

}  // namespace tributary::bench
