// How the loop's thread, which owns the daemon's state, has things done with the store, which only
// the worker touches.
#pragma once

#include <functional>

#include "common/store/store.h"

namespace tributary::agent {

class StoreQueue {
public:
    virtual ~StoreQueue() = default;

    // Runs `work` on the worker's thread, then `done` on the loop's thread; in order. Work is
    // short: one record, one page, one commit.
    virtual void run(std::function<void(Store&)> work, std::function<void()> done) = 0;

    // Long work, such as recording a file: between its steps it calls `breathe`, which runs the
    // short work that waits. So what it has staged may become durable early, and nothing of it may
    // rely on the journal's head between two steps. False from `breathe`: the daemon is stopping,
    // end as cancelled. One at a time, in order.
    using Breathe = std::function<bool()>;
    virtual void run_long(std::function<void(Store&, const Breathe& breathe)> work,
                          std::function<void()> done) = 0;
    // Long work that changes nothing in the store, such as restoring: when it breathes, long work
    // that waits is run, too.
    virtual void run_reading(std::function<void(Store&, const Breathe& breathe)> work,
                             std::function<void()> done) {
        run_long(std::move(work), std::move(done));
    }
};

}  // namespace tributary::agent
