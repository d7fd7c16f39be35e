// One version for three boards at once, over a real broker: published once.
#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

constexpr std::size_t kModelBytes = 5'000'000;

class BroadcastTest : public DaemonTest {
protected:
    std::string key() const { return dir / "approver.pem"; }

    std::string tributary(std::vector<std::string> words) const {
        words.insert(words.begin(),
                     {test::program("tributary"), "--hub", "http://" + hub_address()});
        const test::Finished done = test::run(std::move(words));
        EXPECT_EQ(done.ending.exit_code, 0) << done.out << done.err;
        return done.out;
    }
    void start_hub_with_approver() {
        tributary({"key", key()});
        write_file_at(dir / "hub.toml", "state_dir = \"" + dir / "hub" + "\"\n[broker]\nurl = \"" +
                                            broker.url() + "\"\n[api]\nlisten = \"" +
                                            hub_address() + "\"\n[approval]\nkeys = [\"" + key() +
                                            ".pub\"]\n");
        start_hub();
        ASSERT_TRUE(test::eventually([&] { return !metrics().empty(); }, kSoon));
    }
    void start_board(const std::string& name) {
        write_file_at(dir / (name + ".toml"),
                      "state_dir = \"" + dir / name + "\"\n[hub]\nurl = \"http://" + hub_address() +
                          "\"\nname = \"" + name + "\"\n[broker]\nurl = \"" + broker.url() +
                          "\"\n[[model]]\nname = \"m\"\nhealth = \"true\"\nprobation = \"1s\"\n"
                          "health_interval = \"200ms\"\n");
        boards.push_back(std::make_unique<test::Process>(std::vector<std::string>{
            test::program("tributary-agent"), "--config", dir / (name + ".toml"), "run"}));
    }
    std::string metrics() const {
        const test::Finished done =
            test::run({"/usr/bin/env", "python3", "-c",
                       "import sys,urllib.request;"
                       "print(urllib.request.urlopen(sys.argv[1]).read().decode())",
                       "http://" + hub_address() + "/metrics"});
        return done.ending.exit_code == 0 ? done.out : std::string();
    }
    std::uint64_t metric(const std::string& name) const {
        const std::string text = metrics();
        const auto at = text.find("\ntributary_hub_" + name + " ");
        return at == text.npos ? 0 : std::stoull(text.substr(text.find(' ', at + 1)));
    }
    std::size_t count(const std::string& state) const {
        const Json answer = parse_json(tributary({"--json", "rollout", "show"})).value();
        std::size_t found = 0;
        for (const Json& row : *answer.array_at("deployments").value())
            found += row.text_at("state") == state;
        return found;
    }
    std::size_t devices() const {
        return parse_json(tributary({"--json", "device", "list"}))
            .value()
            .array_at("devices")
            .value()
            ->size();
    }

    std::vector<std::unique_ptr<test::Process>> boards;
};

TEST_F(BroadcastTest, IsPublishedOnceAndInstalledByAll) {
    start_hub_with_approver();
    start_daemon();  // records the model
    write_file_at(dir / "model.bin", random_text(1, kModelBytes));
    const std::string version =
        answer({"commit", "--repo", "lab/models", dir / "model.bin"}).substr(0, 71);
    for (const char* name : {"b1", "b2", "b3"}) start_board(name);
    ASSERT_TRUE(test::eventually([&] { return devices() == 4 && nothing_pending(); }, kSoon));

    tributary({"approve", version, "--key", key()});
    tributary({"rollout", "start", version, "--model", "m"});

    ASSERT_TRUE(
        test::eventually([&] { return count("committed") == 3; }, test::milliseconds(60'000)))
        << hub->err() << boards[0]->err();
    EXPECT_EQ(metric("broadcasts_total"), 1u);
    EXPECT_GT(metric("broadcast_bytes_total"), kModelBytes);
    EXPECT_LT(metric("broadcast_bytes_total"), kModelBytes * 13 / 10);
    EXPECT_LT(metric("sent_bytes_total"), kModelBytes / 10);  // no push of it
    for (const auto& board : boards)
        EXPECT_NE(board->err().find("a broadcast brought a version"), std::string::npos)
            << board->err();
}

}  // namespace
}  // namespace tributary::agent
