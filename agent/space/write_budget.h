// How much may be written to the store in 24 hours, to spare the flash.
//
// What was written is the store's own counter, which is in its log: a crash forgets none of it. The
// hours (common/base/rolling_day.h) are kept in a StateFile, written once an hour at most.
//
//   u8 form (2), u64 written bytes counted so far, the day
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"
#include "common/base/rolling_day.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/store/store.h"

namespace tributary::agent {

class WriteBudget {
public:
    // `limit_bytes` 0: no limit, and nothing is kept. A state that cannot be read begins anew. All
    // outlive it; used where the store is.
    WriteBudget(Files& files, Clock& clock, Store& store, std::string path,
                std::uint64_t limit_bytes);

    std::uint64_t limit_bytes() const { return limit_bytes_; }
    // To be called now and then, so that what was written counts in the hour it was.
    void count();
    // Written in the last 24 hours, and up to one hour more.
    std::uint64_t used_bytes();
    // Why nothing should be recorded now, as one sentence; empty: it may.
    std::string refusal();

private:
    void load();
    void save();

    Files& files_;
    Clock& clock_;
    Store& store_;
    const std::string path_;
    const std::uint64_t limit_bytes_;
    RollingDay day_;
    bool kept_ = false;          // there is a state
    std::uint64_t counted_ = 0;  // of the store's written bytes
};

}  // namespace tributary::agent
