#include "common/net/outbox.h"

namespace tributary {

void Outbox::publish(std::string topic, Bytes payload, Priority priority) {
    Queue& queue = queues_[static_cast<std::size_t>(priority)];
    if (!connected_ || queue.bytes + payload.size() > bytes_max_) {
        ++dropped_;
        return;
    }
    queue.bytes += payload.size();
    queue.messages.push_back({std::move(topic), std::move(payload)});
    pump();
}

void Outbox::on_connected() {
    connected_ = true;
    pump();
}

void Outbox::on_disconnected() {
    connected_ = false;
    for (Queue& queue : queues_) {
        dropped_ += queue.messages.size();
        queue = {};
    }
    in_flight_ = 0;
}

void Outbox::on_sent() {
    if (in_flight_ > 0) --in_flight_;
    pump();
}

bool Outbox::idle() const {
    for (const Queue& queue : queues_)
        if (!queue.messages.empty()) return false;
    return in_flight_ == 0;
}

Outbox::Queue* Outbox::next() {
    for (Queue& queue : queues_)
        if (!queue.messages.empty()) return &queue;
    return nullptr;
}

void Outbox::pump() {
    while (connected_) {
        Queue* const queue = next();
        if (!queue) return;
        const Message& message = queue->messages.front();
        if (!transport_.publish(message.topic, message.payload, ++token_))
            return;  // full: sent() comes
        ++in_flight_;
        handed_over_bytes_ += message.payload.size();
        queue->bytes -= message.payload.size();
        queue->messages.pop_front();
    }
}

}  // namespace tributary
