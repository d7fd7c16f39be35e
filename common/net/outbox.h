// A bounded queue in front of a Transport, which takes only a few unacknowledged messages at a
// time.
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <map>
#include <string>

#include "common/base/priority.h"
#include "common/env/transport.h"

namespace tributary {

// Drops what does not fit and what a disconnect left unsent: the protocols above repeat what
// matters. What is more urgent goes first, so messages may overtake each other; among what is
// equally urgent, topics take turns, and where it is full, the topic with the most bytes in it
// gives way. So who asks for much delays and displaces nobody else. On the loop's thread.
class Outbox {
public:
    // `bytes_max`: of each priority.
    Outbox(Transport& transport, std::size_t bytes_max)
        : transport_(transport), bytes_max_(bytes_max) {}

    void publish(std::string topic, Bytes payload, Priority priority = Priority::control);
    void on_connected();
    void on_disconnected();
    // For each Transport::Events::sent: the topic of that message.
    std::string on_sent(std::uint64_t token);
    void drop(const std::string& topic);  // what waits for it
    // All of it was taken by the broker, or given up.
    bool idle() const;

    // Of one priority, not yet handed over.
    std::size_t queued_bytes(Priority priority) const {
        return queues_[static_cast<std::size_t>(priority)].bytes;
    }
    std::uint64_t dropped() const { return dropped_; }
    std::uint64_t handed_over_bytes() const { return handed_over_bytes_; }

private:
    // Of one topic, in order.
    struct Lane {
        std::deque<Bytes> payloads;
        std::size_t bytes = 0;
    };
    struct Queue {
        std::map<std::string, Lane> lanes;  // none is empty
        std::string served;                 // the topic that had its turn last
        std::size_t bytes = 0;
    };
    using Lanes = std::map<std::string, Lane>;

    bool make_room(Queue& queue, const std::string& topic, std::size_t bytes);
    static void drop_last(Queue& queue, Lanes::iterator lane);
    void pump();
    // The queue whose turn it is; null when all are empty.
    Queue* next();

    Transport& transport_;
    std::size_t bytes_max_;
    std::array<Queue, kPriorities> queues_;
    std::map<std::uint64_t, std::string> in_flight_;  // topics, by token
    bool connected_ = false;
    std::uint64_t token_ = 0;
    std::uint64_t dropped_ = 0;
    std::uint64_t handed_over_bytes_ = 0;
};

}  // namespace tributary
