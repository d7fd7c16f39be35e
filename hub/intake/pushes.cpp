#include "hub/intake/pushes.h"

#include <algorithm>
#include <utility>

#include "common/text/log.h"

namespace tributary::hub {

struct Pushes::Push {
    Push(Ledger& ledger, const PushNeed& need, Walks* line, std::string walker)
        : content(ledger, need), walks(line), name(std::move(walker)) {}
    Push(const Push&) = delete;
    Push& operator=(const Push&) = delete;
    ~Push() {
        if (walks) walks->forget(name);
    }

    PushContent content;
    bool failed = false;
    std::map<std::string, Then> waiting;  // by device
    Walks* walks;                         // may be none
    std::string name;                     // among them
    Walks::Place place;
};

Pushes::Pushes(Ledger& ledger, Walks* walks, Later later)
    : ledger_(ledger), walks_(walks), later_(std::move(later)) {}

Pushes::~Pushes() = default;

std::shared_ptr<const PushContent> Pushes::of(const std::string& device, const PushNeed& need,
                                              Then then) {
    std::shared_ptr<Push> push;
    if (const auto held = pushes_.find(need); held != pushes_.end()) push = held->second.lock();
    if (!push) {
        std::erase_if(pushes_, [](const auto& held) { return held.second.expired(); });
        push = std::make_shared<Push>(ledger_, need, walks_,
                                      "push " + std::to_string(++last_) + " of " + device);
        pushes_.emplace(need, push);
        look_through(push);
    }
    if (push->failed) return nullptr;
    if (!push->content.is_ready()) push->waiting.insert_or_assign(device, std::move(then));
    return {push, &push->content};
}

// A turn's part of it, beside a few other walks. The place goes as soon as all is known: how long
// boards take to fetch it holds nobody up.
void Pushes::look_through(const std::weak_ptr<Push>& looked_at) {
    const auto push = looked_at.lock();
    if (!push) return;  // nobody needs it any more
    const auto go_on = [this, looked_at](MonoTime) { look_through(looked_at); };
    if (walks_ && !push->place) {
        push->place = walks_->enter();
        if (!push->place)
            return walks_->wait(push->name, [this, looked_at, go_on](Walks::Place given) {
                looked_at.lock()->place = std::move(given);
                later_(go_on);
            });
    }
    const Result<bool> all = push->content.look_through(later_ ? kRecordsATurn : SIZE_MAX);
    if (all && !*all) return later_(go_on);
    if (!all) log_failure(LogLevel::error, "a push cannot be prepared", all.error());
    push->failed = !all;
    push->place = {};
    push->walks = nullptr;  // which it may outlive from now on
    for (const auto& [device, then] : std::exchange(push->waiting, {})) then();
}

std::size_t Pushes::held() const {
    return static_cast<std::size_t>(
        std::ranges::count_if(pushes_, [](const auto& held) { return !held.second.expired(); }));
}

}  // namespace tributary::hub
