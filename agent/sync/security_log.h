// What this board refused from hub, broker or door, as entries of its own journal: the operator
// sees there what was tried. Bounded by trust::EventThrottle, also over restarts, for it goes on
// from what the journal says already. Without a clock that is right nobody knows how old that is:
// then the first of a kind after a start is an entry, within what a day may have in all.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "agent/sync/store_queue.h"
#include "common/env/clock.h"
#include "common/env/loop.h"
#include "common/record/security_event.h"
#include "common/trust/event_throttle.h"

namespace tributary::agent {

// Told by whoever refuses something: what it was, and why, as a sentence. From any thread.
using OnRefused = std::function<void(SecurityEvent event, std::string why)>;

class SecurityLog {
public:
    // Entries of a day, of all kinds together: about 8 KiB of flash.
    static constexpr std::uint32_t kMostADay = 16;

    // All outlive it. `written`: entries are in the journal, durably.
    SecurityLog(Loop& loop, StoreQueue& store, Clock& clock, std::function<void()> written);
    SecurityLog(const SecurityLog&) = delete;
    SecurityLog& operator=(const SecurityLog&) = delete;

    // Goes on from the journal; what was noted before waits for it. Once.
    void start();
    // On the loop's thread.
    void note(SecurityEvent event, std::string why);
    // For any thread; may be called after the log's end, as long as the loop lives.
    OnRefused listener();

    std::uint64_t noted() const { return noted_; }  // since the start

private:
    void write();
    void arm();

    Loop& loop_;
    StoreQueue& store_;
    Clock& clock_;
    std::function<void()> written_;
    trust::EventThrottle throttle_{kMostADay};
    std::uint64_t noted_ = 0;
    bool ready_ = false;
    std::unique_ptr<Timer> timer_;
    std::shared_ptr<SecurityLog*> self_;
};

}  // namespace tributary::agent
