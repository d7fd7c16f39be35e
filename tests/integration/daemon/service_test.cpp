// The programs as services: what their manager hears, and whose files they make.
#include <sys/stat.h>
#include <unistd.h>

#include "tests/integration/daemon/daemon_fixture.h"
#include "tests/support/service_manager.h"

namespace tributary::agent {
namespace {

constexpr uid_t kNobody = 65534;

class ServiceRunTest : public DaemonTest {
protected:
    std::unique_ptr<test::Process> start(std::vector<std::string> args) {
        return std::make_unique<test::Process>(
            std::move(args),
            std::map<std::string, std::string>{{"NOTIFY_SOCKET", manager.address()},
                                               {"WATCHDOG_USEC", "200000"}});
    }
    bool hears(const std::string& text) {
        return test::eventually([&] { return manager.next() == text; }, kSoon);
    }
    bool hears_nothing_for_a_while() {
        while (!manager.next().empty()) {
        }
        test::pause(test::milliseconds(500));
        return manager.next().empty();
    }

    // An agent's state folder that belongs to another user, and a file for everybody to read.
    void give_state_to_nobody() {
        std::filesystem::create_directories(dir / "state");
        write_file_at(dir / "file", "text");
        std::filesystem::permissions(dir / ".", std::filesystem::perms(0755));
        ASSERT_EQ(::chown((dir / "state").c_str(), kNobody, kNobody), 0);
    }

    test::ServiceManager manager{dir / "notify"};
};

TEST_F(ServiceRunTest, TheAgentIsReadyWhenItAnswersAndBeatsAndStops) {
    const auto agent = start(words({"run"}));

    EXPECT_TRUE(hears("READY=1"));
    EXPECT_TRUE(std::filesystem::exists(dir / "state/agent.sock"));
    EXPECT_TRUE(hears("WATCHDOG=1"));
    EXPECT_TRUE(hears("WATCHDOG=1"));
    agent->send_signal(SIGTERM);
    EXPECT_TRUE(hears("STOPPING=1"));
}

TEST_F(ServiceRunTest, AnAgentThatHangsFallsSilent) {
    const auto agent = start(words({"run"}));
    ASSERT_TRUE(hears("WATCHDOG=1"));

    agent->send_signal(SIGSTOP);

    EXPECT_TRUE(hears_nothing_for_a_while());
}

TEST_F(ServiceRunTest, TheHubIsReadyWhenItListensAndBeatsAndStops) {
    const auto hub_process =
        start({test::program("tributary-hub"), "--config", dir / "hub.toml", "run"});

    EXPECT_TRUE(hears("READY=1")) << hub_process->err();
    EXPECT_EQ(test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "device",
                         "list"})
                  .ending.exit_code,
              0);
    EXPECT_TRUE(hears("WATCHDOG=1"));
    hub_process->send_signal(SIGTERM);
    EXPECT_TRUE(hears("STOPPING=1"));
}

TEST_F(ServiceRunTest, WhatRootRecordsBelongsToTheOwnerOfTheStateFolder) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    give_state_to_nobody();

    answer({"commit", "--repo", "lab/a", dir / "file"});

    for (const auto& entry : std::filesystem::recursive_directory_iterator(dir / "state")) {
        struct stat status {};
        ASSERT_EQ(::lstat(entry.path().c_str(), &status), 0);
        EXPECT_EQ(status.st_uid, kNobody) << entry.path();
    }
}

TEST_F(ServiceRunTest, RootIsToldAsWhomItWasTried) {
    if (::geteuid() != 0) GTEST_SKIP() << "only root can become somebody else";
    give_state_to_nobody();
    std::filesystem::permissions(dir / "file", std::filesystem::perms(0600));

    const test::Finished finished = test::run(words({"commit", "--repo", "lab/a", dir / "file"}));

    EXPECT_EQ(finished.ending.exit_code, 1);
    EXPECT_NE(finished.err.find("permission denied"), std::string::npos) << finished.err;
    EXPECT_NE(finished.err.find("as user 'nobody'"), std::string::npos) << finished.err;
}

}  // namespace
}  // namespace tributary::agent
