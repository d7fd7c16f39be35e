#include "hub/lineage/fold_schedule.h"

#include <algorithm>

namespace tributary::hub {

void FoldSchedule::advanced(const std::string& repo, MonoTime now) {
    MonoTime when = now + delay_ms_;
    if (const auto rest = rests_until_.find(repo); rest != rests_until_.end())
        when = std::max(when, rest->second);
    due_.try_emplace(repo, when);
}

std::optional<std::string> FoldSchedule::take_due(MonoTime now) {
    const auto due = longest_due();
    if (due == due_.end() || std::max(due->second, none_before_) > now) return std::nullopt;
    rests_until_.erase(due->first);
    return std::move(due_.extract(due).key());
}

void FoldSchedule::took(const std::string& repo, MonoTime began, MonoTime ended) {
    const std::uint64_t ms = ended.ms - began.ms;
    none_before_ = ended + std::min(ms, kRetryMs);
    rests_until_[repo] = ended + std::min(kRestShare * ms, kRetryMs);
}

void FoldSchedule::failed(const std::string& repo, MonoTime now) {
    due_.try_emplace(repo, now + kRetryMs);
}

void FoldSchedule::given_up(const std::string& repo, MonoTime now) {
    rests_until_[repo] = now + kRetryMs;
}

std::optional<MonoTime> FoldSchedule::next() const {
    const auto due = longest_due();
    if (due == due_.end()) return std::nullopt;
    return std::max(due->second, none_before_);
}

FoldSchedule::Due::const_iterator FoldSchedule::longest_due() const {
    return std::ranges::min_element(due_, {}, &Due::value_type::second);
}

}  // namespace tributary::hub
