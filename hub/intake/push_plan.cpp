#include "hub/intake/push_plan.h"

#include <utility>

namespace tributary::hub {

const InstallState* PushPlan::open_assignment() const {
    const Device* known = ledger_.catalog().device(device_);
    if (!known) return nullptr;
    const InstallState* open = nullptr;
    for (const auto& [model, state] : known->models)
        if (state.state == kAssigned && state.number > delivered_ &&
            !brought_.contains(state.number) && (!open || state.number < open->number))
            open = &state;
    return open;
}

std::uint64_t PushPlan::next() const {
    const InstallState* open = open_assignment();
    return open ? open->number : 0;
}

PushNeed PushPlan::need(std::size_t page_bytes) const {
    const InstallState* open = open_assignment();
    TRIBUTARY_CHECK(open);
    const VersionId running = ledger_.catalog().base_of(device_, *open);
    return {running, open->wanted, page_bytes, needs_whole(running, open->wanted)};
}

void PushPlan::begin(std::shared_ptr<const PushContent> content) {
    number_ = next();
    content_ = std::move(content);
}

bool PushPlan::is_wanted() const {
    const InstallState* open = open_assignment();
    return open && content_ && open->wanted == content_->need().wanted;
}

bool PushPlan::needs_whole(const VersionId& running, const VersionId& wanted) const {
    return !running.is_none() && wanted == lacking_.version && lacking_.times > 1 &&
           !lacking_.has_no_whole;
}

bool PushPlan::list_again(std::uint32_t page) {
    if (!content_ || !content_->is_last(page)) return false;
    const PushNeed& listed = content_->need();
    if (listed.wanted != lacking_.version) lacking_ = {listed.wanted};
    ++lacking_.times;
    return needs_whole(listed.running, listed.wanted) && !listed.whole;
}

Result<sync::SharedPage> PushPlan::page(std::uint32_t number) const {
    if (!content_) return fail(Errc::invalid, "nothing is pushed to this device");
    return content_->page(number);
}

std::uint64_t PushPlan::bytes_from(std::uint32_t number) const {
    return content_ ? content_->bytes_from(number) : 0;
}

void PushPlan::delivered() {
    delivered_ = number_;
    forget();
}

void PushPlan::brought(std::uint64_t number) {
    brought_.insert(number);
    if (number_ == number) forget();
}

}  // namespace tributary::hub
