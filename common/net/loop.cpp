#include "common/net/loop.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <csignal>

#include "common/base/result.h"
#include "common/env/clock.h"
#include "common/net/loop_impl.h"

namespace tributary {
namespace {

namespace asio = boost::asio;

class AsioTimer final : public Timer {
public:
    AsioTimer(asio::io_context& io, std::chrono::milliseconds wait, std::function<void()> task)
        : timer_(io, wait), task_(std::make_shared<std::function<void()>>(std::move(task))) {
        // Shared with the handler, because a wait that has ended can no longer be cancelled.
        timer_.async_wait([task = std::weak_ptr(task_)](const boost::system::error_code& error) {
            const auto alive = task.lock();
            if (!alive || error) return;
            const auto once = std::exchange(*alive, nullptr);  // it may destroy this timer
            if (once) once();
        });
    }

private:
    asio::steady_timer timer_;  // cancels when destroyed
    std::shared_ptr<std::function<void()>> task_;
};

}  // namespace

void NetLoop::Impl::wait_for_signal() {
    signals->async_wait([this](const boost::system::error_code& error, int number) {
        if (error) return;
        wait_for_signal();
        on_signal(number);
    });
}

void NetLoop::Impl::run_worker() {
    std::unique_lock lock(mutex);
    for (;;) {
        wake.wait(lock, [this] { return ending || !jobs.empty(); });
        if (ending) return;
        Job job = std::move(jobs.front());
        jobs.pop_front();
        lock.unlock();
        job.work();
        job.work = nullptr;  // what it holds goes before anyone hears that it is done
        if (job.done) asio::post(io, std::move(job.done));
        lock.lock();
    }
}

NetLoop::NetLoop() : impl_(std::make_unique<Impl>()) {}

NetLoop::~NetLoop() {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->ending = true;
    }
    impl_->wake.notify_one();
    if (impl_->worker.joinable()) impl_->worker.join();
}

void NetLoop::post(std::function<void()> task) { asio::post(impl_->io, std::move(task)); }

std::unique_ptr<Timer> NetLoop::at(MonoTime when, std::function<void()> task) {
    const std::uint64_t now_ms = now().ms;
    // a year is as good as never, and keeps the clock's arithmetic from overflowing
    const std::uint64_t wait_ms =
        when.ms > now_ms ? std::min<std::uint64_t>(when.ms - now_ms, 366ull * 86'400'000) : 0;
    return std::make_unique<AsioTimer>(impl_->io, std::chrono::milliseconds(wait_ms),
                                       std::move(task));
}

void NetLoop::work(std::function<void()> work, std::function<void()> done) {
    {
        const std::lock_guard lock(impl_->mutex);
        impl_->jobs.push_back({std::move(work), std::move(done)});
        if (!impl_->worker.joinable())
            impl_->worker = std::thread([impl = impl_.get()] { impl->run_worker(); });
    }
    impl_->wake.notify_one();
}

void NetLoop::stop() { impl_->io.stop(); }

MonoTime NetLoop::now() { return system_clock().mono(); }

void NetLoop::run() {
    impl_->io.restart();
    impl_->io.run();
}

void NetLoop::on_signal(std::function<void(int)> task) {
    TRIBUTARY_CHECK(!impl_->signals);
    impl_->on_signal = std::move(task);
    impl_->signals.emplace(impl_->io, SIGTERM, SIGINT);
    impl_->wait_for_signal();
}

std::unique_ptr<NetLoop> make_loop() { return std::make_unique<NetLoop>(); }

}  // namespace tributary
