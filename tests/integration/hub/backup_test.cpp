// A hub that is lost and comes back from its backup, with real boards and a real broker.
#include <algorithm>
#include <csignal>

#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

namespace fs = std::filesystem;

class HubBackup : public DaemonTest {
protected:
    test::Finished hub_verb(std::vector<std::string> words) const {
        words.insert(words.begin(), {test::program("tributary-hub"), "--config", dir / "hub.toml"});
        return test::run(std::move(words));
    }
    Json back_up() {
        const test::Finished done = hub_verb({"backup", dir / "backup", "--json"});
        EXPECT_EQ(done.ending.exit_code, 0) << done.out << done.err;
        return parse_json(done.out).value_or(Json());
    }
    void lose_hub() {
        hub->send_signal(SIGKILL);
        ASSERT_TRUE(hub->wait(kSoon));
        fs::remove_all(dir / "hub");
    }
    // A second board beside the fixture's.
    void start_second() {
        write_file_at(dir / "second.toml", "state_dir = \"" + dir / "second" +
                                               "\"\n[hub]\nurl = \"http://" + hub_address() +
                                               "\"\nname = \"second\"\n[broker]\nurl = \"" +
                                               broker.url() + "\"\n");
        second = std::make_unique<test::Process>(std::vector<std::string>{
            test::program("tributary-agent"), "--config", dir / "second.toml", "run"});
        ASSERT_TRUE(test::eventually([&] { return fs::exists(dir / "second/agent.sock"); }, kSoon));
    }
    std::string commit_by(const std::string& board, std::uint64_t number) {
        write_file_at(dir / "file", random_text(number, 60'000));
        const test::Finished done =
            test::run({test::program("tributary-agent"), "--config", dir / board, "commit",
                       "--repo", "lab/models", dir / "file"});
        EXPECT_EQ(done.ending.exit_code, 0) << done.err;
        return done.out.substr(0, done.out.find('\n'));
    }
    // Asked of the hub through its own command line.
    test::Finished tributary(std::vector<std::string> words) const {
        words.insert(words.begin(),
                     {test::program("tributary"), "--hub", "http://" + hub_address()});
        return test::run(std::move(words));
    }
    bool hub_holds(const std::string& version) const {
        const std::string to = dir / "fetched";
        fs::remove_all(to);
        return tributary({"fetch", version, "--to", to}).ending.exit_code == 0;
    }
    bool hub_gets(const std::string& version) const {
        return test::eventually([&] { return hub_holds(version); }, test::milliseconds(40'000));
    }

    std::unique_ptr<test::Process> second;
};

TEST_F(HubBackup, EverythingThatTheBoardsHoldReturnsToAHubThatWasRestored) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    start_second();
    std::vector<std::string> before, since;
    for (std::uint64_t i = 0; i < 3; ++i) {
        before.push_back(commit_by("agent.toml", 10 + i));
        before.push_back(commit_by("second.toml", 20 + i));
    }
    for (const std::string& version : before) ASSERT_TRUE(hub_gets(version));
    const Json first = back_up();
    EXPECT_GT(first.u64_at("copied_bytes").value_or(0), 6U * 60'000);
    EXPECT_EQ(fs::status(dir / "backup").permissions(), fs::perms::owner_all);

    for (std::uint64_t i = 0; i < 2; ++i) {
        since.push_back(commit_by("agent.toml", 30 + i));
        since.push_back(commit_by("second.toml", 40 + i));
    }
    for (const std::string& version : since) ASSERT_TRUE(hub_gets(version));
    lose_hub();
    const test::Finished restored = hub_verb({"restore", dir / "backup", "--json"});
    ASSERT_EQ(restored.ending.exit_code, 0) << restored.err;
    const Json report = parse_json(restored.out).value();
    EXPECT_EQ(report.u64_at("epoch"), 2U);
    EXPECT_EQ(report.u64_at("devices"), 2U);
    start_hub();

    for (const std::string& version : before) EXPECT_TRUE(hub_gets(version)) << version;
    for (const std::string& version : since) EXPECT_TRUE(hub_gets(version)) << version;
    EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon));
    const test::Finished devices = tributary({"device", "list", "--json"});
    EXPECT_EQ(devices.ending.exit_code, 0) << devices.err;
    EXPECT_NE(devices.out.find("\"not_whole\":0"), std::string::npos) << devices.out;
}

TEST_F(HubBackup, ABackupThatIsKilledLeavesTheOneBefore) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    std::vector<std::string> versions{commit_by("agent.toml", 1)};
    ASSERT_TRUE(hub_gets(versions[0]));
    back_up();

    // The hub takes in more all the while.
    test::Random random(7);
    for (int kill = 0; kill < 12; ++kill) {
        versions.push_back(commit_by("agent.toml", 100 + static_cast<std::uint64_t>(kill)));
        test::Process doomed({test::program("tributary-hub"), "--config", dir / "hub.toml",
                              "backup", dir / "backup"});
        test::pause(test::milliseconds(random.below(30u)));
        doomed.send_signal(SIGKILL);
        ASSERT_TRUE(doomed.wait(kSoon));
        const test::Finished checked = hub_verb({"restore", dir / "backup", "--check"});
        ASSERT_EQ(checked.ending.exit_code, 0) << "kill " << kill << ": " << checked.err;
    }
    ASSERT_TRUE(hub_gets(versions.back()));
    back_up();
    lose_hub();
    daemon->stop();
    fs::remove_all(dir / "state");  // the board is lost, too
    ASSERT_EQ(hub_verb({"restore", dir / "backup"}).ending.exit_code, 0);
    start_hub();
    for (const std::string& version : versions) EXPECT_TRUE(hub_gets(version)) << version;
}

TEST_F(HubBackup, SaysByItsExitCodeWhyItDidNothing) {
    EXPECT_EQ(hub_verb({"backup", dir / "backup"}).ending.exit_code, 1);  // no hub yet
    start_hub();
    ASSERT_TRUE(test::eventually([&] { return fs::exists(dir / "hub/key.pem"); }, kSoon));
    ASSERT_TRUE(test::eventually(
        [&] {
            return tributary({"device", "list"}).ending.exit_code == 0;
        },
        kSoon));
    back_up();
    EXPECT_EQ(hub_verb({"restore", dir / "backup"}).ending.exit_code, 3);  // not empty
    EXPECT_EQ(hub_verb({"restore", dir / "none"}).ending.exit_code, 1);
    EXPECT_EQ(hub_verb({"restore"}).ending.exit_code, 2);
    const std::string segment = dir / "backup/segments/000001.seg";
    std::string bytes = file_at(segment);
    bytes[bytes.size() / 2] ^= 1;
    write_file_at(segment, bytes);
    const test::Finished damaged = hub_verb({"restore", dir / "backup", "--check"});
    EXPECT_EQ(damaged.ending.exit_code, 1);
    EXPECT_NE(damaged.err.find("segments/000001.seg is damaged"), std::string::npos) << damaged.err;
}

}  // namespace
}  // namespace tributary::agent
