#include "hub/intake/credit_pool.h"

#include <algorithm>
#include <map>

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
        while (!line.empty() && line.begin()->second.bytes <= free) {
            const Asking next = std::move(line.extract(line.begin()).mapped());
            places.erase(next.device);
            free -= next.bytes;
            next.begin(Share(state, this, next.bytes));
        }
    }
    void add(Asking asking) {
        const auto [place, is_new] = places.try_emplace(asking.device, last_place + 1);
        if (is_new) ++last_place;
        line.insert_or_assign(place->second, std::move(asking));
    }
    void remove(const std::string& device, bool keeps_place) {
        const auto place = places.find(device);
        if (place == places.end()) return;
        line.erase(place->second);
        if (!keeps_place) places.erase(place);
    }

    std::uint64_t total = 0;
    std::uint64_t free = 0;
    std::map<std::uint64_t, Asking> line;         // by their places
    std::map<std::string, std::uint64_t> places;  // of devices not served yet, in line or aside
    std::uint64_t last_place = 0;
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

bool CreditPool::Share::is_wanted() const { return lane_ && !lane_->line.empty(); }

void CreditPool::ask(const std::string& device, std::uint64_t bytes, Begin begin) {
    Lane& lane = bytes <= kSmallBytesMax ? state_->small : state_->large;
    lane.add({device, std::min(bytes, lane.total), std::move(begin)});
    lane.serve(state_);
}

void CreditPool::step_aside(const std::string& device) {
    for (Lane* lane : {&state_->small, &state_->large}) {
        lane->remove(device, true);
        lane->serve(state_);
    }
}

void CreditPool::forget(const std::string& device) {
    for (Lane* lane : {&state_->small, &state_->large}) {
        lane->remove(device, false);
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
