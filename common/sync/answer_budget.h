// How many answers somebody gets who asks for what brings nothing on: some at once, then one in a
// while. What is over it stays without an answer; who means it asks again, ever more rarely.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/time.h"

namespace tributary::sync {

class AnswerBudget {
public:
    AnswerBudget(std::uint32_t at_once, std::uint32_t every_ms)
        : all_ms_(std::uint64_t{at_once} * every_ms), every_ms_(every_ms) {}

    // Whether there is one more; it is taken.
    bool take(MonoTime now) {
        const MonoTime spent_until = std::max(spent_until_, now) + every_ms_;
        if (spent_until.ms - now.ms > all_ms_) return false;
        spent_until_ = spent_until;
        return true;
    }

private:
    std::uint64_t all_ms_;
    std::uint64_t every_ms_;
    MonoTime spent_until_;  // by when all that was taken has grown back
};

}  // namespace tributary::sync
