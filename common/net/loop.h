// The real loop: one Asio io_context for the thread that owns the state, one worker thread.
//
// Threads and cancelling, the same for everything in this folder:
//   - What is made on a loop (timers, servers, calls, watches, transports) is used and destroyed on
//     the loop's thread, or while run() is not running; the loop outlives it.
//   - Destroying it cancels it: once its destructor has returned, none of its callbacks runs. A
//     callback may destroy the object that called it.
//   - Callbacks run on the loop's thread, never inside the call that asked for them.
// Tasks still queued when the loop is destroyed are dropped, not run. Work that has begun is waited
// for; work that has not is dropped.
#pragma once

#include "common/env/loop.h"

namespace tributary {

class NetLoop final : public Loop {
public:
    NetLoop();
    ~NetLoop() override;
    NetLoop(const NetLoop&) = delete;
    NetLoop& operator=(const NetLoop&) = delete;

    void post(std::function<void()> task) override;
    [[nodiscard]] std::unique_ptr<Timer> at(MonoTime when, std::function<void()> task) override;
    void work(std::function<void()> work, std::function<void()> done) override;
    void stop() override;
    MonoTime now() override;

    // Runs tasks on the calling thread until stop(). It may be called again afterwards.
    void run();
    // From now on SIGTERM and SIGINT run `task` with the signal's number instead of ending the
    // process; once per process. A second signal within the same run also only calls it.
    void on_signal(std::function<void(int)> task);

    // For this folder's own files, which see Asio.
    struct Impl;
    Impl& impl() { return *impl_; }

private:
    std::unique_ptr<Impl> impl_;
};

std::unique_ptr<NetLoop> make_loop();

}  // namespace tributary
