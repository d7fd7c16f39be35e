// The integration tests believe this helper: it is checked against programs that every system has.
#include "tests/support/process.h"

#include <gtest/gtest.h>
#include <signal.h>

namespace tributary::test {
namespace {

TEST(Process, CapturesOutputAndExitCode) {
    const Finished done = run({"sh", "-c", "echo out $X; echo err >&2; exit 3"}, {{"X", "7"}});
    EXPECT_EQ(done.out, "out 7\n");
    EXPECT_EQ(done.err, "err\n");
    EXPECT_EQ(done.ending, (Ending{3, 0}));
}

TEST(Process, AProgramThatIsNotThereEndsWith127) {
    EXPECT_EQ(run({"/no/such/program"}).ending.exit_code, 127);
}

TEST(Process, RunsUntilASignalEndsIt) {
    Process process({"sh", "-c", "echo ready; exec cat /dev/zero >/dev/null"});
    ASSERT_TRUE(process.wait_for_output("ready", milliseconds(10'000)));
    EXPECT_TRUE(process.running());
    EXPECT_EQ(process.stop(), (Ending{-1, SIGTERM}));
}

TEST(Process, WhatDoesNotEndInTimeIsKilled) {
    const Finished done = run({"sh", "-c", "exec cat /dev/zero >/dev/null"}, {}, milliseconds(50));
    EXPECT_TRUE(done.timed_out);
    EXPECT_EQ(done.ending.signal, SIGKILL);
}

TEST(FreePort, IsAPortThatCanBeBound) { EXPECT_NE(free_port(), 0); }

}  // namespace
}  // namespace tributary::test
