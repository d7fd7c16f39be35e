#include "common/net/outbox.h"

#include <algorithm>
#include <utility>

namespace tributary {

void Outbox::publish(std::string topic, Bytes payload, Priority priority) {
    Queue& queue = queues_[static_cast<std::size_t>(priority)];
    if (!connected_ || !make_room(queue, topic, payload.size())) {
        ++dropped_;
        return;
    }
    Lane& lane = queue.lanes[std::move(topic)];
    queue.bytes += payload.size();
    lane.bytes += payload.size();
    lane.payloads.push_back(std::move(payload));
    pump();
}

// Whoever would have the most goes without: this topic, or the one whose last messages are dropped.
bool Outbox::make_room(Queue& queue, const std::string& topic, std::size_t bytes) {
    if (bytes > bytes_max_) return false;
    const auto own = queue.lanes.find(topic);
    const std::size_t wanted = bytes + (own == queue.lanes.end() ? 0 : own->second.bytes);
    while (queue.bytes + bytes > bytes_max_) {
        const auto most = std::ranges::max_element(
            queue.lanes, {}, [](const auto& lane) { return lane.second.bytes; });
        if (most->second.bytes <= wanted) return false;
        ++dropped_;
        drop_last(queue, most);
    }
    return true;
}

void Outbox::drop_last(Queue& queue, Lanes::iterator lane) {
    const std::size_t bytes = lane->second.payloads.back().size();
    queue.bytes -= bytes;
    lane->second.bytes -= bytes;
    lane->second.payloads.pop_back();
    if (lane->second.payloads.empty()) queue.lanes.erase(lane);
}

void Outbox::on_connected() {
    connected_ = true;
    pump();
}

void Outbox::on_disconnected() {
    connected_ = false;
    for (Queue& queue : queues_) {
        for (const auto& [topic, lane] : queue.lanes) dropped_ += lane.payloads.size();
        queue = {};
    }
    in_flight_.clear();
}

std::string Outbox::on_sent(std::uint64_t token) {
    const auto sent = in_flight_.extract(token);
    pump();
    return sent.empty() ? std::string() : sent.mapped();
}

void Outbox::drop(const std::string& topic) {
    for (Queue& queue : queues_) {
        const auto lane = queue.lanes.find(topic);
        if (lane == queue.lanes.end()) continue;
        dropped_ += lane->second.payloads.size();
        queue.bytes -= lane->second.bytes;
        queue.lanes.erase(lane);
    }
}

bool Outbox::idle() const {
    for (const Queue& queue : queues_)
        if (!queue.lanes.empty()) return false;
    return in_flight_.empty();
}

Outbox::Queue* Outbox::next() {
    for (Queue& queue : queues_)
        if (!queue.lanes.empty()) return &queue;
    return nullptr;
}

void Outbox::pump() {
    while (connected_) {
        Queue* const queue = next();
        if (!queue) return;
        auto at = queue->lanes.upper_bound(queue->served);
        if (at == queue->lanes.end()) at = queue->lanes.begin();
        auto& [topic, lane] = *at;
        const Bytes& payload = lane.payloads.front();
        if (!transport_.publish(topic, payload, ++token_)) return;  // full: sent() comes
        in_flight_[token_] = topic;
        handed_over_bytes_ += payload.size();
        queue->bytes -= payload.size();
        lane.bytes -= payload.size();
        queue->served = topic;
        lane.payloads.pop_front();
        if (lane.payloads.empty()) queue->lanes.erase(at);
    }
}

}  // namespace tributary
