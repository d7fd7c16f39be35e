#include "common/env/service.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>

#include "tests/integration/net/loop_runner.h"
#include "tests/support/service_manager.h"
#include "tests/support/sim_clock.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::ServiceManager;

class ServiceTest : public ::testing::Test {
protected:
    test::TempDir dir;
    ServiceManager manager{dir / "notify"};
    test::SimClock clock;
};

TEST_F(ServiceTest, SaysReadyAndStopping) {
    Service service({manager.address(), 0}, clock);

    service.ready();
    service.stopping();

    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_EQ(manager.next(), "STOPPING=1");
}

TEST_F(ServiceTest, ReachesAnAbstractSocket) {
    ServiceManager abstract("@tributary-test-" + std::to_string(::getpid()));
    Service service({abstract.address(), 0}, clock);

    service.ready();

    EXPECT_EQ(abstract.next(), "READY=1");
}

TEST_F(ServiceTest, AsksForTimeWhileStartingAndNotAtEachStep) {
    Service service({manager.address(), 0}, clock);

    service.starting();
    service.starting();
    clock.advance(5'000);
    service.starting();
    service.ready();
    service.starting();

    EXPECT_EQ(manager.next(), "EXTEND_TIMEOUT_USEC=120000000");
    EXPECT_EQ(manager.next(), "EXTEND_TIMEOUT_USEC=120000000");
    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_EQ(manager.next(), "");
}

TEST_F(ServiceTest, IsAliveOnlyOnceReadyAndOnlyWhenWatched) {
    Service unwatched({manager.address(), 0}, clock);
    Service watched({manager.address(), 1'000}, clock);

    watched.alive();
    unwatched.ready();
    unwatched.alive();
    watched.ready();
    watched.alive();

    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_EQ(manager.next(), "READY=1");
    EXPECT_EQ(manager.next(), "WATCHDOG=1");
    EXPECT_EQ(manager.next(), "");
}

TEST_F(ServiceTest, NeverWaitsForAManagerThatDoesNotRead) {
    Service service({manager.address(), 0}, clock);
    for (int i = 0; i < 100'000; ++i) service.stopping();  // far more than a socket holds
}

TEST_F(ServiceTest, DoesNothingWithoutAManager) {
    for (const std::string address : {"", "/", "relative", "/no/such/socket"}) {
        Service service({address, 1'000}, clock);
        service.ready();
        service.alive();
    }
}

TEST_F(ServiceTest, TakesItsAddressFromTheEnvironmentAndLeavesNothingThere) {
    ::setenv("NOTIFY_SOCKET", "/run/notify", 1);
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", std::to_string(::getpid()).c_str(), 1);

    const ServiceAddress address = take_service_address();

    EXPECT_EQ(address.socket, "/run/notify");
    EXPECT_EQ(address.watchdog_ms, 30'000U);
    for (const char* name : {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"})
        EXPECT_EQ(std::getenv(name), nullptr) << name;
}

TEST_F(ServiceTest, LeavesTheWatchdogOfAnotherProcessAlone) {
    ::setenv("WATCHDOG_USEC", "30000000", 1);
    ::setenv("WATCHDOG_PID", "1", 1);
    EXPECT_EQ(take_service_address().watchdog_ms, 0U);
}

TEST_F(ServiceTest, BeatsWhileTheLoopTurnsAndFallsSilentWhenItHangs) {
    const auto loop = make_loop();
    Service service({manager.address(), 20}, system_clock());
    const Heartbeat heartbeat(*loop, service);
    ASSERT_EQ(manager.next(), "READY=1");

    int beats = 0;
    EXPECT_TRUE(test::run_until(
        *loop, [&] { return (beats += manager.next() == "WATCHDOG=1") == 3; }, 10'000));
    // nobody runs the loop now
    while (!manager.next().empty()) {
    }
    system_sleep(100);
    EXPECT_EQ(manager.next(), "");
}

}  // namespace
}  // namespace tributary
