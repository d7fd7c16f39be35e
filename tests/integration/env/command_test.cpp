#include "common/env/command.h"

#include <gtest/gtest.h>

#include <csignal>

#include "common/env/files.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using std::chrono::milliseconds;
using test::eventually;

CommandResult run(const std::string& shell, std::uint64_t timeout_ms = 20'000) {
    Command command;
    command.shell = shell;
    command.timeout_ms = timeout_ms;
    command.environment = {{"TRIBUTARY_MODEL", "defects"}, {"HOME", "/nowhere"}};
    auto running = system_commands().start(command);
    EXPECT_TRUE(running) << running.error().what;
    std::optional<CommandResult> result;
    EXPECT_TRUE(eventually([&] { return (result = (*running)->poll()).has_value(); },
                           milliseconds(30'000)));
    return result.value_or(CommandResult{});
}

TEST(Command, ReportsItsExitCodeAndOutput) {
    const CommandResult good = run("echo out; echo err >&2");
    EXPECT_TRUE(good.good());
    EXPECT_EQ(good.output, "out\nerr\n");
    const CommandResult bad = run("exit 7");
    EXPECT_FALSE(bad.good());
    EXPECT_EQ(bad.exit_code, 7);
    EXPECT_EQ(run("kill -TERM $$").signal, 15);
    EXPECT_EQ(run("no-such-program-at-all").exit_code, 127);
}

TEST(Command, SeesItsEnvironmentBesideOurs) {
    EXPECT_EQ(run("echo $TRIBUTARY_MODEL $HOME").output, "defects /nowhere\n");
    EXPECT_TRUE(run("test -n \"$PATH\"").good());
}

TEST(Command, ReadsAnEmptyInput) { EXPECT_EQ(run("cat; echo end").output, "end\n"); }

TEST(Command, TakesSignalsAndIsWaitedFor) {
    Command command;
    command.shell = "trap 'echo told; exit 3' HUP; echo ready; while :; do sleep 0.01; done";
    command.timeout_ms = 60'000;
    auto running = system_commands().start(command);
    ASSERT_TRUE(running) << running.error().what;
    std::string said;
    ASSERT_TRUE(eventually([&] { return (said += (*running)->take_output()) == "ready\n"; },
                           milliseconds(10'000)));
    EXPECT_FALSE((*running)->wait(20));

    (*running)->send_signal(SIGHUP);
    const auto ended = (*running)->wait(30'000);

    ASSERT_TRUE(ended);
    EXPECT_EQ(ended->exit_code, 3);
    EXPECT_EQ(ended->output, "told\n") << "what was taken is not told twice";
}

TEST(Command, NeverWaitsForSomebodyToReadItsOutput) {
    const CommandResult result = run("head -c 3000000 /dev/zero; exit 3");
    EXPECT_EQ(result.exit_code, 3);
    EXPECT_EQ(result.output.size(), Command().output_bytes_max);
}

TEST(Command, IsKilledWithAllThatItStartedWhenItsTimeIsOver) {
    test::TempDir directory;
    const std::string mark = directory.path() + "/alive";
    const CommandResult result =
        run("(while :; do echo x >> '" + mark + "'; sleep 0.01; done) & wait", 200);
    EXPECT_TRUE(result.timed_out);
    EXPECT_FALSE(result.good());
    const auto size = [&] { return system_files().stat(mark)->size; };
    // One write may have been on its way.
    test::pause(milliseconds(50));
    const std::uint64_t before = size();
    test::pause(milliseconds(200));
    EXPECT_EQ(size(), before);
}

TEST(Command, IsKilledWhenNobodyWantsItsAnswerAnyMore) {
    Command command;
    command.shell = "sleep 60";
    command.timeout_ms = 60'000;
    auto running = *system_commands().start(command);
    EXPECT_FALSE(running->poll());
    running.reset();  // returns at once, or the test would take a minute
}

}  // namespace
}  // namespace tributary
