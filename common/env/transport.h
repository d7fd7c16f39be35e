// Publish-subscribe messaging as a port. MQTT 5 with QoS 1 behind it; a simulated lossy broker in
// tests.
//
// What may be relied on: nothing beyond "a message that arrives was sent". Messages may be lost,
// repeated and reordered, also after sent() was called. Callbacks run on the loop's thread, never
// inside a call of ours.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/base/time.h"

namespace tributary {

struct Message {
    std::string topic;
    Bytes payload;
};

class Transport {
public:
    struct Events {
        std::function<void()> connected;  // subscriptions are in place
        std::function<void(const Error&)>
            disconnected;  // also a failed attempt; it tries again by itself with full jitter;
                           // after denied, which needs a person, only every few minutes
        std::function<void(Message)> received;
        std::function<void(std::uint64_t token)>
            sent;  // the broker took it: flow control only, never durability
        std::function<void(const std::string& filter)> subscribed = {};  // answers subscribe()
        // The broker refuses a subscribe(), or a message, of which sent() is told after this; the
        // connection goes on. Nothing is tried again by itself: a person has to see to it.
        std::function<void(const std::string& topic, const Error&)> refused = {};
    };

    virtual ~Transport() = default;
    // Sets the callbacks, then begins to connect. Once.
    virtual void start(Events events) = 0;
    // Hands one message over. unavailable while not connected or when `in_flight_max` messages are
    // unacknowledged. On success sent(token) follows, or disconnected does.
    virtual Status publish(const std::string& topic, ByteView payload, std::uint64_t token) = 0;
    // Beside those that it was made with, while connected; for as long as the connection lasts.
    // subscribed() or refused() follows; but a broker may grant what it never delivers.
    virtual void subscribe(const std::string& filter) = 0;
    virtual void unsubscribe(const std::string& filter) = 0;
    // Of a payload, as far as the broker of this connection says. A longer one is refused.
    virtual std::size_t payload_bytes_max() const { return SIZE_MAX; }
    virtual void stop() = 0;
    // When it tries to connect again, while it waits for that.
    virtual std::optional<MonoTime> next_attempt() const { return {}; }
};

}  // namespace tributary
