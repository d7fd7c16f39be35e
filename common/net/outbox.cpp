#include "common/net/outbox.h"

namespace tributary {

void Outbox::publish(std::string topic, Bytes payload) {
    if (!connected_ || queued_bytes_ + payload.size() > bytes_max_) {
        ++dropped_;
        return;
    }
    queued_bytes_ += payload.size();
    queue_.push_back({std::move(topic), std::move(payload)});
    pump();
}

void Outbox::on_connected() {
    connected_ = true;
    pump();
}

void Outbox::on_disconnected() {
    connected_ = false;
    dropped_ += queue_.size();
    queue_.clear();
    queued_bytes_ = 0;
    in_flight_ = 0;
}

void Outbox::on_sent() {
    if (in_flight_ > 0) --in_flight_;
    pump();
}

void Outbox::pump() {
    while (connected_ && !queue_.empty()) {
        const Message& next = queue_.front();
        if (!transport_.publish(next.topic, next.payload, ++token_)) return;  // full: sent() comes
        ++in_flight_;
        handed_over_bytes_ += next.payload.size();
        queued_bytes_ -= next.payload.size();
        queue_.pop_front();
    }
}

}  // namespace tributary
