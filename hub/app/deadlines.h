// Who is to be woken when, of many: each is set anew, and the earliest found, without looking at
// the others.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/base/time.h"

namespace tributary::hub {

class Deadlines {
public:
    // In place of what was set before; nullopt: none.
    void set(const std::string& who, std::optional<MonoTime> when) {
        if (const auto known = of_.find(who); known != of_.end()) {
            if (known->second->first == when) return;
            queue_.erase(known->second);
            of_.erase(known);
        }
        if (when) of_.emplace(who, queue_.emplace(*when, who));
    }
    // The earliest of all.
    std::optional<MonoTime> next() const {
        return queue_.empty() ? std::nullopt : std::optional(queue_.begin()->first);
    }
    // Takes out whose has come, the earliest first.
    std::vector<std::string> take_due(MonoTime now) {
        std::vector<std::string> due;
        while (!queue_.empty() && queue_.begin()->first <= now) {
            due.push_back(std::move(queue_.begin()->second));
            queue_.erase(queue_.begin());
            of_.erase(due.back());
        }
        return due;
    }

private:
    using Queue = std::multimap<MonoTime, std::string>;
    Queue queue_;
    std::unordered_map<std::string, Queue::iterator> of_;
};

}  // namespace tributary::hub
