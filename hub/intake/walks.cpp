#include "hub/intake/walks.h"

#include <deque>
#include <utility>

namespace tributary::hub {

struct Walks::State {
    std::size_t going = 0;
    std::deque<std::pair<std::string, Begin>> waiting;
};

Walks::Walks() : state_(std::make_shared<State>()) {}

Walks::~Walks() { state_->waiting.clear(); }

std::size_t Walks::going() const { return state_->going; }

std::size_t Walks::waiting() const { return state_->waiting.size(); }

Walks::Place::~Place() {
    if (!state_) return;
    if (state_->waiting.empty()) {
        --state_->going;
        return;
    }
    const Begin begin = std::move(state_->waiting.front().second);
    state_->waiting.pop_front();
    begin(Place(std::move(state_)));
}

Walks::Place Walks::enter() {
    if (state_->going == kAtOnceMax) return {};
    ++state_->going;
    return Place(state_);
}

void Walks::wait(const std::string& who, Begin begin) {
    state_->waiting.emplace_back(who, std::move(begin));
}

void Walks::forget(const std::string& who) {
    std::erase_if(state_->waiting, [&](const auto& waits) { return waits.first == who; });
}

}  // namespace tributary::hub
