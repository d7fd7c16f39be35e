// A loop without threads or real time.
#pragma once

#include <algorithm>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <utility>

#include "common/env/clock.h"
#include "common/env/loop.h"

namespace tributary::test {

// Tasks in order; time stands until nothing else is left to do.
class ManualLoop final : public Loop {
public:
    void post(std::function<void()> task) override { tasks_.push_back(std::move(task)); }
    std::unique_ptr<Timer> at(MonoTime when, std::function<void()> task) override {
        const Key key{when, ++last_timer_};
        timers_.emplace(key, std::move(task));
        return std::make_unique<Cancel>(*this, key);
    }
    void work(std::function<void()> work, std::function<void()> done) override {
        post([work = std::move(work), done = std::move(done)] {
            work();
            if (done) done();
        });
    }
    void stop() override {}
    MonoTime now() override { return now_; }

    bool idle() const { return tasks_.empty(); }
    bool run_until(const std::function<bool()>& happened, std::uint64_t limit_ms = 600'000) {
        const MonoTime end = now_ + limit_ms;
        while (!happened()) {
            if (!tasks_.empty()) {
                const auto task = std::move(tasks_.front());
                tasks_.pop_front();
                task();
            } else {
                if (timers_.empty() || timers_.begin()->first.first > end) return false;
                now_ = std::max(now_, timers_.begin()->first.first);
                const auto task = std::move(timers_.begin()->second);
                timers_.erase(timers_.begin());
                task();
            }
        }
        return true;
    }

private:
    using Key = std::pair<MonoTime, std::uint64_t>;
    struct Cancel final : Timer {
        Cancel(ManualLoop& owner, Key of) : loop(owner), key(of) {}
        ~Cancel() override { loop.timers_.erase(key); }
        ManualLoop& loop;
        Key key;
    };
    std::deque<std::function<void()>> tasks_;
    std::map<Key, std::function<void()>> timers_;
    std::uint64_t last_timer_ = 0;
    MonoTime now_{1000};
};

// The loop's time as a clock.
class LoopClock final : public Clock {
public:
    explicit LoopClock(Loop& loop) : loop_(loop) {}
    WallTime wall() override { return {began.ms + loop_.now().ms}; }
    MonoTime mono() override { return loop_.now(); }
    ClockQuality quality() override { return ClockQuality::synced; }

    WallTime began{1'767'225'599'000};  // at 1000 ms of the loop it is 2026-01-01T00:00Z

private:
    Loop& loop_;
};

}  // namespace tributary::test
