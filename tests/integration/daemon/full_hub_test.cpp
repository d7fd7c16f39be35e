// A hub whose disk is full, as a preloaded library has it believe.
#include "tests/integration/daemon/daemon_fixture.h"
#include "tests/support/places.h"

namespace tributary::agent {
namespace {

class FullHub : public DaemonTest {
protected:
    const std::string shim = test::in_build("tests/integration/disk_shim.so");

    void SetUp() override {
        if (!std::filesystem::exists(shim))
            GTEST_SKIP() << "nothing is preloaded under a sanitizer or an emulator";
    }
    // In its own folder, of which its configuration says no more.
    void start_hub_with_free(std::uint64_t bytes) {
        write_file_at(dir / "free", std::to_string(bytes));
        write_file_at(dir / "hub.toml", "state_dir = \"hub\"\n[broker]\nurl = \"" + broker.url() +
                                            "\"\n[api]\nlisten = \"" + hub_address() + "\"\n");
        hub = std::make_unique<test::Process>(
            std::vector<std::string>{"/bin/sh", "-c",
                                     "cd '" + dir.path() + "' && exec '" +
                                         test::program("tributary-hub") +
                                         "' --config hub.toml run"},
            std::map<std::string, std::string>{{"LD_PRELOAD", shim},
                                               {"TRIBUTARY_FREE_BYTES", dir / "free"}});
    }
    std::string device_list() {
        return test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "device",
                          "list"})
            .out;
    }
};

TEST_F(FullHub, TakesNoContentSaysWhyAndIsSentAllOfItWhenItHasRoom) {
    start_hub_with_free(40'000'000);
    start_daemon();
    wait_for_daemon();
    const std::string content = random_text(1, 3'000'000);
    write_file_at(watched() + "/model.bin", content);

    ASSERT_TRUE(daemon->wait_for_output("the hub's disk has no room", kSoon)) << daemon->err();
    ASSERT_TRUE(test::eventually(
        [&] {
            return device_list().find("ALARM: the hub's disk is full; boards that wait: 1.") !=
                   std::string::npos;
        },
        kSoon))
        << device_list();
    EXPECT_NE(device_list().find("the disk of " + (dir / "hub") + " has "), std::string::npos)
        << device_list();
    EXPECT_NE(answer({"status"}).find("nothing is lost"), std::string::npos);
    EXPECT_NE(hub->err().find("no room for what boards recorded"), std::string::npos) << hub->err();
    EXPECT_NE(hub->err().find("state_dir=" + (dir / "hub") + " "), std::string::npos) << hub->err();
    EXPECT_LT(status().u64_at("sent_bytes").value(), 100'000U);
    EXPECT_EQ(status().u64_at("pending_versions"), 1U);

    std::filesystem::remove(dir / "free");

    ASSERT_TRUE(synced(1)) << daemon->err();
    const std::uint64_t sent = status().u64_at("sent_bytes").value();
    EXPECT_GT(sent, 1'000'000U);
    EXPECT_LT(sent, 4'000'000U);
    EXPECT_EQ(device_list().find("ALARM"), std::string::npos);
}

}  // namespace
}  // namespace tributary::agent
