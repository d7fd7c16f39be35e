// A bounded queue in front of a Transport, which takes only a few unacknowledged messages at a
// time.
#pragma once

#include <cstdint>
#include <deque>
#include <string>

#include "common/env/transport.h"

namespace tributary {

// Drops what does not fit and what a disconnect left unsent: the protocols above repeat what
// matters. On the loop's thread.
class Outbox {
public:
    Outbox(Transport& transport, std::size_t bytes_max)
        : transport_(transport), bytes_max_(bytes_max) {}

    void publish(std::string topic, Bytes payload);
    void on_connected();
    void on_disconnected();
    void on_sent();  // for each Transport::Events::sent
    // All of it was taken by the broker, or given up.
    bool idle() const { return queue_.empty() && in_flight_ == 0; }

    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t handed_over_bytes() const { return handed_over_bytes_; }

private:
    void pump();

    Transport& transport_;
    std::size_t bytes_max_;
    std::deque<Message> queue_;
    std::size_t queued_bytes_ = 0;
    std::size_t in_flight_ = 0;
    bool connected_ = false;
    std::uint64_t token_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t handed_over_bytes_ = 0;
};

}  // namespace tributary
