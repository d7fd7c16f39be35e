#include "hub/lineage/fold_schedule.h"

#include <algorithm>

namespace tributary::hub {

void FoldSchedule::advanced(const std::string& repo, MonoTime now) {
    MonoTime when = now + delay_ms_;
    if (const auto rest = rests_until_.find(repo); rest != rests_until_.end())
        when = std::max(when, rest->second);
    due_.try_emplace(repo, when);
}

std::vector<std::string> FoldSchedule::take_due(MonoTime now) {
    std::vector<std::string> repos;
    for (const auto& [repo, when] : due_)
        if (when <= now) repos.push_back(repo);
    for (const std::string& repo : repos) {
        due_.erase(repo);
        rests_until_.erase(repo);
    }
    return repos;
}

void FoldSchedule::failed(const std::string& repo, MonoTime now) {
    due_.try_emplace(repo, now + kRetryMs);
}

void FoldSchedule::given_up(const std::string& repo, MonoTime now) {
    rests_until_[repo] = now + kRetryMs;
}

std::optional<MonoTime> FoldSchedule::next() const {
    std::optional<MonoTime> next;
    for (const auto& [repo, when] : due_)
        if (!next || when < *next) next = when;
    return next;
}

}  // namespace tributary::hub
