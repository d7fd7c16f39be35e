// Cards that were cloned, moved to other machines, or put back from an image: with a real hub,
// broker and agents. Nothing that any board recorded is lost, and people are told.
#include "agent/app/hardware.h"
#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

namespace fs = std::filesystem;

class ClonedCard : public DaemonTest {
protected:
    std::string commit(std::uint64_t number) {
        write_file_at(dir / "file", random_text(number, 40'000));
        return answer({"commit", "--repo", "lab/models", dir / "file"});
    }
    test::Finished tributary(std::vector<std::string> words) const {
        words.insert(words.begin(),
                     {test::program("tributary"), "--hub", "http://" + hub_address()});
        return test::run(std::move(words));
    }
    bool hub_gets(const std::string& version) const {
        return test::eventually(
            [&] {
                fs::remove_all(dir / "fetched");
                return tributary({"fetch", version, "--to", dir / "fetched"}).ending.exit_code == 0;
            },
            test::milliseconds(60'000));
    }
    void stop_daemon() {
        daemon->stop();
        daemon.reset();
    }
    void run_daemon_until_synced() {
        start_daemon();
        wait_for_daemon();
        EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, test::milliseconds(60'000)))
            << daemon->err();
    }
};

TEST_F(ClonedCard, AnImageThatIsPutBackLosesNothingOfBothHistories) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    std::vector<std::string> versions{commit(1), commit(2)};
    ASSERT_TRUE(hub_gets(versions.back()));
    stop_daemon();
    fs::copy(dir / "state", dir / "image", fs::copy_options::recursive);
    start_daemon();
    wait_for_daemon();
    versions.push_back(commit(3));
    versions.push_back(commit(4));
    ASSERT_TRUE(hub_gets(versions.back()));
    stop_daemon();

    fs::remove_all(dir / "state");
    fs::rename(dir / "image", dir / "state");
    versions.push_back(commit(5));  // offline, in the journal that the hub holds otherwise
    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(hub_gets(versions.back())) << daemon->err();
    versions.push_back(commit(6));
    for (const std::string& version : versions) EXPECT_TRUE(hub_gets(version)) << version;

    EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon));
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
    const test::Finished shown = tributary({"device", "show", "board"});
    EXPECT_NE(shown.out.find("which went on, too"), std::string::npos) << shown.out;
    EXPECT_TRUE(hub->wait_for_output("goes on in a new journal", kSoon));
}

TEST_F(ClonedCard, AStoreThatWakesOnAnotherMachineIsAnotherDevice) {
    if (read_hardware(system_files()).facts.empty())
        GTEST_SKIP() << "this machine says nothing of itself: no /sys, no /etc/machine-id";
    start_hub();
    start_daemon();
    wait_for_daemon();
    std::vector<std::string> versions{commit(1)};
    ASSERT_TRUE(hub_gets(versions.back()));
    stop_daemon();
    versions.push_back(commit(2));  // not sent yet
    ASSERT_TRUE(save_hardware(system_files(), dir / "state/hardware.json",
                              {{{"serial", {"00"}}, {"network", {"00"}}, {"machine", {"00"}}}}));

    start_daemon();
    wait_for_daemon();
    ASSERT_TRUE(hub_gets(versions.back())) << daemon->err();

    EXPECT_TRUE(daemon->wait_for_output("another machine", kSoon));
    EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon));
    const Json devices = parse_json(tributary({"device", "list", "--json"}).out).value();
    const Json::Array& all = *devices.array_at("devices").value();
    ASSERT_EQ(all.size(), 2U);
    const std::string id = all[1].text_at("id").value();
    EXPECT_TRUE(id.starts_with("board-"));
    const test::Finished shown = tributary({"device", "show", id});
    EXPECT_NE(shown.out.find("of device board"), std::string::npos) << shown.out;
    EXPECT_EQ(json_answer({"log"}).array_at("versions").value()->size(), 2U) << "each once";
}

}  // namespace
}  // namespace tributary::agent
