#include "hub/intake/credit_pool.h"

#include <algorithm>

namespace tributary::hub {

struct CreditPool::Lane {
    struct Asking {
        std::string device;
        std::uint64_t bytes = 0;
        Begin begin;
    };

    // In the order in which they came: the first one waits until there is enough for it, so nobody
    // waits for ever.
    void serve(const std::shared_ptr<State>& state) {
        while (!line.empty() && line.front().bytes <= free) {
            const Asking next = std::move(line.front());
            line.pop_front();
            free -= next.bytes;
            next.begin(Share(state, this, next.bytes));
        }
    }

    std::uint64_t total = 0;
    std::uint64_t free = 0;
    std::deque<Asking> line;
};

struct CreditPool::State {
    Lane small, large;
};

CreditPool::CreditPool(std::uint64_t bytes) : state_(std::make_shared<State>()) {
    Lane& small = state_->small;
    Lane& large = state_->large;
    small.total = small.free = bytes / kSmallPart;
    large.total = large.free = bytes - small.total;
}

CreditPool::~CreditPool() {
    state_->small.line.clear();
    state_->large.line.clear();
}

CreditPool::Share::~Share() {
    if (!state_) return;
    lane_->free += bytes_;
    lane_->serve(state_);
}

void CreditPool::ask(const std::string& device, std::uint64_t bytes, Begin begin) {
    Lane& lane = bytes <= kSmallBytesMax ? state_->small : state_->large;
    lane.line.push_back({device, std::min(bytes, lane.total), std::move(begin)});
    lane.serve(state_);
}

void CreditPool::forget(const std::string& device) {
    for (Lane* lane : {&state_->small, &state_->large}) {
        std::erase_if(lane->line, [&](const auto& asking) { return asking.device == device; });
        lane->serve(state_);
    }
}

std::uint64_t CreditPool::given_bytes() const {
    const auto given = [](const Lane& lane) { return lane.total - lane.free; };
    return given(state_->small) + given(state_->large);
}

std::size_t CreditPool::waiting() const {
    return state_->small.line.size() + state_->large.line.size();
}

}  // namespace tributary::hub
