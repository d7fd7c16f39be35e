// The executor port: one thread that owns the state, one worker for long work. Foreign threads only
// post.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "common/base/time.h"

namespace tributary {

// Cancels when destroyed; after that its callback will not run.
class Timer {
public:
    virtual ~Timer() = default;
};

class Loop {
public:
    virtual ~Loop() = default;

    // Runs `task` on the loop's thread, after the present one. From any thread.
    virtual void post(std::function<void()> task) = 0;
    // Runs `task` on the loop's thread at `when` or soon after. On the loop's thread only.
    [[nodiscard]] virtual std::unique_ptr<Timer> at(MonoTime when, std::function<void()> task) = 0;
    // Runs `work` on the worker thread, then `done`, if there is one, on the loop's thread. Work
    // runs in order, one at a time.
    virtual void work(std::function<void()> work, std::function<void()> done) = 0;
    // Ends run() after the present task. From any thread, and from a signal handler's thread.
    virtual void stop() = 0;
    virtual MonoTime now() = 0;
};

}  // namespace tributary
