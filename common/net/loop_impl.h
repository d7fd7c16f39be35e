// What NetLoop is made of. For the .cpp files of this folder only: it shows Asio.
#pragma once

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/signal_set.hpp>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include "common/net/loop.h"

namespace tributary {

struct NetLoop::Impl {
    // One thread runs it; posts come from many.
    boost::asio::io_context io;
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> guard{
        io.get_executor()};  // run() waits even when nothing is under way
    std::optional<boost::asio::signal_set> signals;
    std::function<void(int)> on_signal;

    void wait_for_signal();

    // The worker: jobs in order, one at a time.
    struct Job {
        std::function<void()> work;
        std::function<void()> done;
    };
    std::mutex mutex;
    std::condition_variable wake;
    std::deque<Job> jobs;
    bool ending = false;
    std::thread worker;  // started by the first job

    void run_worker();
};

}  // namespace tributary
