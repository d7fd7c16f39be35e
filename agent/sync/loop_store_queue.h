// The StoreQueue over the real loop and its one worker.
#pragma once

#include <atomic>
#include <deque>
#include <mutex>

#include "agent/sync/store_queue.h"
#include "common/env/loop.h"

namespace tributary::agent {

class LoopStoreQueue final : public StoreQueue {
public:
    // The store outlives the loop's worker, and so does this queue.
    LoopStoreQueue(Loop& loop, Store& store) : loop_(loop), store_(store) {}

    void run(std::function<void(Store&)> work, std::function<void()> done) override;
    void run_long(std::function<void(Store&, const Breathe& breathe)> work,
                  std::function<void()> done) override;

    // From now on long work is asked to end.
    void stop() { stopping_ = true; }

private:
    struct Job {
        std::function<void(Store&)> work;
        std::function<void()> done;
    };

    void run_short_jobs();

    Loop& loop_;
    Store& store_;
    std::atomic<bool> stopping_ = false;
    std::mutex mutex_;
    std::deque<Job> short_jobs_;
};

}  // namespace tributary::agent
