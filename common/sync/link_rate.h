// How fast the link takes what is sent over it.
#pragma once

#include <cstdint>
#include <optional>

#include "common/base/time.h"

namespace tributary::sync {

class LinkRate {
public:
    // So long must something have been under way before a rate is told.
    static constexpr std::uint64_t kMeasuredMs = 1'000;

    // What comes within `burst_ms` at first is not counted: it fills buffers, and a limit on the
    // other side lets pass what it saved up.
    explicit LinkRate(std::uint64_t burst_ms = 0) : burst_ms_(burst_ms) {}

    // `arrived`: bytes so far that the other side has confirmed; `busy`: whether more were under
    // way or waiting. Called at any event.
    void note(MonoTime now, std::uint64_t arrived, bool busy) {
        if (busy_) {
            bytes_ += arrived - (arrived < arrived_ ? arrived : arrived_);
            ms_ += now.ms - at_.ms;
        }
        if (burst_ms_ != 0 && ms_ >= burst_ms_) burst_ms_ = ms_ = bytes_ = 0;
        // What was sent longer ago counts less and less.
        while (ms_ > kMemoryMs) {
            ms_ /= 2;
            bytes_ /= 2;
        }
        at_ = now;
        arrived_ = arrived;
        busy_ = busy;
    }
    // None while too little was sent to tell.
    std::optional<std::uint64_t> bytes_per_second() const {
        if (burst_ms_ != 0 || ms_ < kMeasuredMs) return std::nullopt;
        return bytes_ * 1000 / ms_;
    }

private:
    static constexpr std::uint64_t kMemoryMs = 120'000;

    std::uint64_t burst_ms_;  // 0: it is over
    bool busy_ = false;
    MonoTime at_;
    std::uint64_t arrived_ = 0;
    std::uint64_t bytes_ = 0;  // while busy
    std::uint64_t ms_ = 0;     // likewise
};

}  // namespace tributary::sync
