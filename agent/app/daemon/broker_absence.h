// When a board that cannot use its broker asks for root documents: perhaps they name another
// authority by now, and it missed that. A whole fleet that loses its broker does so as well: each
// board asks at a moment of its own, and less and less often. Pure.
#pragma once

#include <algorithm>
#include <cstdint>

#include "common/base/random.h"
#include "common/base/time.h"

namespace tributary::agent {

class BrokerAbsence {
public:
    static constexpr std::uint64_t kPauseMsMin = 30'000;  // half of it at least
    static constexpr std::uint64_t kPauseMsMax = 600'000;

    explicit BrokerAbsence(std::uint64_t seed) : random_(seed) {}

    // At each attempt in vain to connect: whether to ask now.
    bool asks(MonoTime now) {
        const bool begins = pause_ms_ == 0;
        if (!begins && now < next_) return false;
        pause_ms_ = std::clamp(2 * pause_ms_, kPauseMsMin, kPauseMsMax);
        next_ = now + (pause_ms_ / 2 + random_.below(pause_ms_ / 2 + 1));
        return !begins;
    }
    void is_over() { pause_ms_ = 0; }

private:
    Random random_;
    std::uint64_t pause_ms_ = 0;  // 0: the broker is there
    MonoTime next_;
};

}  // namespace tributary::agent
