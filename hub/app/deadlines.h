// Who is to be woken when, of many: each is set anew, and the earliest found, without looking at
// the others.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace tributary::hub {

class Deadlines {
public:
    // In place of what was set before; nullopt: none.
    void set(const std::string& who, std::optional<MonoTime> when) {
        const auto known = of_.find(who);
        if (known != of_.end() && known->second == when) return;
        if (known != of_.end()) {
            queue_.erase({known->second, who});
            of_.erase(known);
        }
        if (!when) return;
        of_.emplace(who, *when);
        queue_.emplace(*when, who);
    }
    // The earliest of all.
    std::optional<MonoTime> next() const {
        return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
    }
    // Takes out whose has come, the earliest first.
    std::vector<std::string> take_due(MonoTime now) {
        std::vector<std::string> due;
        while (!queue_.empty() && queue_.begin()->first <= now) {
            due.push_back(queue_.begin()->second);
            of_.erase(due.back());
            queue_.erase(queue_.begin());
        }
        return due;
    }

private:
    std::map<std::string, MonoTime> of_;
    std::set<std::pair<MonoTime, std::string>> queue_;
};

}  // namespace tributary::hub
