#include "common/net/loop.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "tests/integration/net/loop_runner.h"

namespace tributary {
namespace {

using test::run_for;
using test::run_until;

TEST(NetLoop, RunsPostsOfOtherThreadsOnItsOwnThread) {
    const auto loop = make_loop();
    std::thread::id ran_on;
    std::thread other([&] { loop->post([&] { ran_on = std::this_thread::get_id(); }); });
    EXPECT_TRUE(run_until(*loop, [&] { return ran_on != std::thread::id(); }));
    EXPECT_EQ(ran_on, std::this_thread::get_id());
    other.join();
}

TEST(NetLoop, RunsWorkInOrderElsewhereAndDoneHere) {
    const auto loop = make_loop();
    std::vector<int> order;  // touched by the worker first, then here
    std::vector<int> done;
    std::thread::id worker;
    for (int i = 0; i < 3; ++i)
        loop->work(
            [&, i] {
                order.push_back(i);
                worker = std::this_thread::get_id();
            },
            [&, i] { done.push_back(i); });
    EXPECT_TRUE(run_until(*loop, [&] { return done.size() == 3; }));
    EXPECT_EQ(order, (std::vector{0, 1, 2}));
    EXPECT_EQ(done, (std::vector{0, 1, 2}));
    EXPECT_NE(worker, std::this_thread::get_id());
}

TEST(NetLoop, TimerThatIsDestroyedDoesNotRunEvenWhenItIsDue) {
    const auto loop = make_loop();
    bool ran = false;
    auto timer = loop->at(loop->now(), [&] { ran = true; });
    ::usleep(2'000);
    loop->post([&] { timer.reset(); });
    run_for(*loop, 20);
    EXPECT_FALSE(ran);
}

TEST(NetLoop, TimerMayDestroyItselfInItsTask) {
    const auto loop = make_loop();
    std::unique_ptr<Timer> timer;
    bool ran = false;
    timer = loop->at(loop->now() + 1, [&] {
        timer.reset();
        ran = true;
    });
    EXPECT_TRUE(run_until(*loop, [&] { return ran; }));
}

TEST(NetLoop, TellsOfSignalsInsteadOfDying) {
    const auto loop = make_loop();
    int got = 0;
    loop->on_signal([&](int number) { got = number; });
    ::kill(::getpid(), SIGTERM);
    EXPECT_TRUE(run_until(*loop, [&] { return got != 0; }));
    EXPECT_EQ(got, SIGTERM);
}

TEST(NetLoop, DropsWorkThatHasNotBegunWhenDestroyed) {
    std::atomic<int> ran = 0;
    {
        const auto loop = make_loop();
        for (int i = 0; i < 100; ++i)
            loop->work(
                [&] {
                    ++ran;
                    ::usleep(1'000);
                },
                nullptr);
    }
    EXPECT_LT(ran, 100);
}

}  // namespace
}  // namespace tributary
