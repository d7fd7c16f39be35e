#include "hub/intake/push_content.h"

#include <algorithm>
#include <numeric>
#include <utility>

namespace tributary::hub {

PushContent::PushContent(Ledger& ledger, const PushNeed& need)
    : need_(need), closure_(ledger, need.running, need.wanted, need.whole) {}

Result<bool> PushContent::look_through(std::size_t records) {
    auto all = closure_.look_through(records);
    if (all && *all) cut();
    return all;
}

// Into pages.
void PushContent::cut() {
    sync::PageBudget budget(need_.page_bytes);
    sync::Page page;
    page_bytes_.push_back(0);
    for (sync::OfferedObject& object : closure_.take_objects()) {
        if (!budget.add(object)) {
            budget = sync::PageBudget(need_.page_bytes);
            TRIBUTARY_CHECK(budget.add(object));
            pages_.emplace_back(std::exchange(page, {}));
            page_bytes_.push_back(0);
        }
        page_bytes_.back() += object.stored_length;
        page.objects.push_back(std::move(object));
    }
    page.last = true;
    page.version = need_.wanted;
    pages_.emplace_back(std::move(page));
}

Result<sync::SharedPage> PushContent::page(std::uint32_t number) const {
    if (number >= pages_.size())
        return fail(Errc::invalid, "the device asks for a page that its assignment has not");
    return pages_[number];
}

sync::SharedFrame PushContent::frame(const RecordKey& key, bool may_use_base) const {
    const auto known = on_their_way_.find({key, may_use_base});
    return known == on_their_way_.end() ? sync::SharedFrame()
                                        : sync::SharedFrame(known->second.lock());
}

sync::SharedFrame PushContent::share(const RecordKey& key, bool may_use_base, Bytes frame) const {
    if (frame.size() < kSharedBytesMin) return sync::SharedFrame(std::move(frame));
    if (auto shared = this->frame(key, may_use_base)) return shared;  // meanwhile
    std::erase_if(on_their_way_, [](const auto& known) { return known.second.expired(); });
    sync::SharedFrame shared(std::move(frame));
    on_their_way_.insert_or_assign({key, may_use_base}, shared.weak());
    return shared;
}

std::uint64_t PushContent::bytes_from(std::uint32_t number) const {
    const std::size_t first = std::min<std::size_t>(number, page_bytes_.size());
    return std::accumulate(page_bytes_.begin() + static_cast<std::ptrdiff_t>(first),
                           page_bytes_.end(), std::uint64_t{0});
}

}  // namespace tributary::hub
