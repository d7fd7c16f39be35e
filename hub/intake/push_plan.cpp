#include "hub/intake/push_plan.h"

#include <algorithm>
#include <numeric>

namespace tributary::hub {

const InstallState* PushPlan::open_assignment(const std::string& device) const {
    const Device* known = ledger_.catalog().device(device);
    if (!known) return nullptr;
    const InstallState* open = nullptr;
    for (const auto& [model, state] : known->models)
        if (state.state == kAssigned && state.number > delivered_ &&
            !brought_.contains(state.number) && (!open || state.number < open->number))
            open = &state;
    return open;
}

std::uint64_t PushPlan::next(const std::string& device) const {
    const InstallState* open = open_assignment(device);
    return open ? open->number : 0;
}

bool PushPlan::is_wanted(const std::string& device) const {
    const InstallState* open = open_assignment(device);
    return open && closure_ && open->wanted == closure_->wanted();
}

Result<bool> PushPlan::prepare(const std::string& device, std::size_t page_bytes,
                               std::size_t records) {
    const InstallState* open = open_assignment(device);
    if (!open || open->number != number_) forget();
    if (!open || is_ready()) return true;

    number_ = open->number;
    if (!closure_)
        closure_.emplace(ledger_, ledger_.catalog().base_of(device, *open), open->wanted);
    const auto all = closure_->look_through(records);
    if (!all) forget();
    if (all && *all) cut(page_bytes);
    return all;
}

// Into pages.
void PushPlan::cut(std::size_t page_bytes) {
    sync::PageBudget budget(page_bytes);
    pages_.emplace_back();
    page_bytes_.push_back(0);
    for (sync::OfferedObject& object : closure_->take_objects()) {
        if (!budget.add(object)) {
            budget = sync::PageBudget(page_bytes);
            TRIBUTARY_CHECK(budget.add(object));
            pages_.emplace_back();
            page_bytes_.push_back(0);
        }
        page_bytes_.back() += object.stored_length;
        pages_.back().objects.push_back(std::move(object));
    }
    pages_.back().last = true;
    pages_.back().version = closure_->wanted();
}

void PushPlan::delivered() {
    delivered_ = number_;
    forget();
}

void PushPlan::brought(std::uint64_t number) {
    brought_.insert(number);
    if (number_ == number) forget();
}

void PushPlan::forget() {
    closure_.reset();
    pages_ = {};
    page_bytes_ = {};
}

Result<sync::Page> PushPlan::page(std::uint32_t number) const {
    if (number >= pages_.size())
        return fail(Errc::invalid, "the device asks for a page that its assignment has not");
    return pages_[number];
}

std::uint64_t PushPlan::bytes_from(std::uint32_t number) const {
    const std::size_t first = std::min<std::size_t>(number, page_bytes_.size());
    return std::accumulate(page_bytes_.begin() + static_cast<std::ptrdiff_t>(first),
                           page_bytes_.end(), std::uint64_t{0});
}

Result<OutgoingFrame> PushPlan::read(const RecordKey& key, bool may_use_base) const {
    if (!closure_) return fail(Errc::invalid, "the device asks for what its assignment has not");
    return closure_->read(key, may_use_base);
}

}  // namespace tributary::hub
