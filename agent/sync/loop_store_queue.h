// The StoreQueue over the real loop and its one worker.
#pragma once

#include <atomic>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "agent/sync/store_queue.h"
#include "common/base/result.h"
#include "common/env/loop.h"

namespace tributary::agent {

class LoopStoreQueue final : public StoreQueue {
public:
    // The store outlives the loop's worker, and so does this queue.
    LoopStoreQueue(Loop& loop, Store& store) : loop_(loop), store_(store) {}

    void run(std::function<void(Store&)> work, std::function<void()> done) override;
    void run_long(std::function<void(Store&, const Breathe& breathe)> work,
                  std::function<void()> done) override;

    void run_reading(std::function<void(Store&, const Breathe& breathe)> work,
                     std::function<void()> done) override;

    // Told once, on the loop's thread, when the store takes no more writes: only opening it anew
    // recovers it. To be set before the first work.
    void when_closed(std::function<void(const Error&)> task) { when_closed_ = std::move(task); }
    // From now on long work is asked to end.
    void stop() { stopping_ = true; }

private:
    struct Job {
        std::function<void(Store&)> work;
        std::function<void()> done;
    };

    using LongWork = std::function<void(Store&, const Breathe& breathe)>;
    struct LongJob {
        LongWork work;
        std::function<void()> done;
    };

    void run_short_jobs();
    void run_long_job();
    void tell_when_closed();

    Loop& loop_;
    Store& store_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::deque<Job> short_jobs_;
    std::deque<LongJob> long_jobs_;
    std::function<void(const Error&)> when_closed_;  // on the worker; gone when it was told
};

}  // namespace tributary::agent
