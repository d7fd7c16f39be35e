#include "agent/app/daemon/housekeeping.h"

namespace tributary::agent {
namespace {

// What may go changes by more than commits and receipts, such as the end of an install.
constexpr std::uint64_t kLookEveryMs = 60'000;

}  // namespace

void Housekeeping::wake() {
    if (!at_work_) step();
}

// Each step is a job of its own, so that what is to be recorded and sent waits for no more than
// one.
void Housekeeping::step() {
    at_work_ = true;
    timer_.reset();
    const auto more = std::make_shared<bool>(false);
    queue_.run_long(
        [more, node = &node_](Store&, const StoreQueue::Breathe& breathe) {
            node->writes->count();
            *more = breathe() && node->space->work();
        },
        [more, self = std::weak_ptr(self_)] {
            const auto locked = self.lock();
            if (!locked) return;
            Housekeeping& here = **locked;
            if (*more) return here.step();
            here.at_work_ = false;
            here.timer_ = here.loop_.at(here.loop_.now() + kLookEveryMs, [&here] { here.wake(); });
        });
}

Status admit_recording(Node& node, const StoreQueue::Breathe& breathe) {
    if (const std::string why = node.writes->refusal(); !why.empty())
        return fail(Errc::denied, why);
    return node.space->admit(breathe);
}

}  // namespace tributary::agent
