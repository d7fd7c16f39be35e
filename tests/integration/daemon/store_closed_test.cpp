// A daemon on a disk whose sync fails: it ends, and its next start recovers the store. In this
// process, so that the disk can be simulated; its socket is a real one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <future>

#include "agent/api/ask.h"
#include "agent/app/daemon/daemon.h"
#include "tests/support/process.h"
#include "tests/support/sim_files.h"
#include "tests/support/temp_dir.h"

namespace tributary::agent {
namespace {

using test::SimFiles;

struct Words final : Console {
    void out(std::string_view text) override { said += text; }
    void err(std::string_view text) override { said += text; }
    void progress(std::string_view) override {}
    std::string said;
};

class DaemonOnABadDisk : public testing::Test {
protected:
    DaemonOnABadDisk() {
        config.state_dir = dir / "state";
        std::filesystem::create_directories(config.state_dir);
        EXPECT_TRUE(files.make_directories(config.state_dir));
        const auto file = files.create(dir / "w.bin", false);
        EXPECT_TRUE(file && (*file)->append(as_bytes("weights")));
    }

    void start() {
        daemon = std::async(std::launch::async, [this] {
            Words words;
            return run_daemon(world, config, {}, words);
        });
        ASSERT_TRUE(test::eventually([&] { return ask(StatusArgs{}) == ExitCode::ok; },
                                     test::milliseconds(10'000)));
    }
    std::optional<ExitCode> ask(StoreVerb verb) {
        answer = {};
        return ask_daemon(config.socket_path(), {std::move(verb), {}}, answer);
    }
    std::optional<ExitCode> commit(const std::string& branch) {
        CommitArgs args;
        args.repo = "lab/model";
        args.branch = branch;
        args.paths = {dir / "w.bin"};
        return ask(args);
    }

    // How it ended by itself; one that does not is told to.
    ExitCode ended() {
        if (daemon.wait_for(test::milliseconds(20'000)) != std::future_status::ready) {
            ADD_FAILURE() << "the daemon goes on";
            std::raise(SIGTERM);
        }
        return daemon.get();
    }

    test::TempDir dir;
    SimFiles files;
    const World world{files, system_clock(), system_entropy(), system_sleep};
    Config config;
    Words answer;
    std::future<ExitCode> daemon;
};

TEST_F(DaemonOnABadDisk, EndsWithAnErrorAfterAFailedSyncAndItsNextStartRecovers) {
    start();
    ASSERT_EQ(commit("before"), ExitCode::ok);
    const std::string acknowledged = answer.said;
    files.fail_call(SimFiles::Effect::sync, 1, EIO);

    testing::internal::CaptureStderr();
    EXPECT_EQ(commit("lost"), ExitCode::error);
    EXPECT_EQ(ended(), ExitCode::error);
    const std::string log = testing::internal::GetCapturedStderr();

    EXPECT_THAT(log, testing::HasSubstr("the store takes no more writes"));
    start();
    EXPECT_EQ(commit("after"), ExitCode::ok);
    ASSERT_EQ(ask(LogArgs{}), ExitCode::ok);
    EXPECT_THAT(answer.said, testing::HasSubstr(acknowledged.substr(0, 19)));
    EXPECT_THAT(answer.said, testing::Not(testing::HasSubstr("lost")));
    EXPECT_EQ(ask(FsckArgs{true}), ExitCode::ok);
    ASSERT_EQ(std::raise(SIGTERM), 0);
    EXPECT_EQ(daemon.get(), ExitCode::ok);
}

}  // namespace
}  // namespace tributary::agent
