// One version for three boards at once, over a real broker: published once, and brought to all
// whoever is killed meanwhile.
#include <algorithm>
#include <csignal>
#include <cstdlib>

#include "common/base/limits.h"
#include "tests/integration/daemon/daemon_fixture.h"
#include "tests/support/flaky_link.h"

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
    void start_board(const std::string& name, const std::string& broker_url) {
        write_file_at(dir / (name + ".toml"),
                      "state_dir = \"" + dir / name + "\"\n[hub]\nurl = \"http://" + hub_address() +
                          "\"\nname = \"" + name + "\"\n[broker]\nurl = \"" + broker_url +
                          "\"\n[[model]]\nname = \"m\"\nhealth = \"true\"\nprobation = \"1s\"\n"
                          "health_interval = \"200ms\"\n");
        boards.push_back(run_board(name));
    }
    std::unique_ptr<test::Process> run_board(const std::string& name) const {
        return std::make_unique<test::Process>(std::vector<std::string>{
            test::program("tributary-agent"), "--config", dir / (name + ".toml"), "run"});
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
    for (const char* name : {"b1", "b2", "b3"}) start_board(name, broker.url());
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

// ---- a broker that forbids broadcasts ----

class BroadcastThatTheBrokerForbids : public BroadcastTest {
protected:
    // To two boards, in the end; a model of so many files.
    void roll_out(std::size_t files = 1) {
        start_hub_with_approver();
        start_daemon();  // records the model
        std::filesystem::create_directory(dir / "model");
        for (std::size_t i = 0; i < files; ++i)
            write_file_at(dir / "model/" + std::to_string(i), random_text(i, kModelBytes / files));
        const std::string version =
            answer({"commit", "--repo", "lab/models", dir / "model"}).substr(0, 71);
        for (const char* name : {"b1", "b2"}) start_board(name, broker.url());
        ASSERT_TRUE(test::eventually([&] { return devices() == 3 && nothing_pending(); }, kSoon));
        tributary({"approve", version, "--key", key()});
        tributary({"rollout", "start", version, "--model", "m"});
        ASSERT_TRUE(
            test::eventually([&] { return count("committed") == 2; }, test::milliseconds(60'000)))
            << hub->err() << boards[0]->err();
    }
    static std::size_t times(std::string_view what, const std::string& text) {
        std::size_t count = 0;
        for (auto at = text.find(what); at != text.npos; at = text.find(what, at + 1)) ++count;
        return count;
    }
};

TEST_F(BroadcastThatTheBrokerForbids, IsAnAlarmAtTheBoardsOnceAndTheyGetPushes) {
    broker.start_with(test::subscriptions_to_nothing_but(
        {"tributary/1/+/+/up", "tributary/1/+/+/down"}, dir / "rights.json"));
    roll_out();
    for (const char* name : {"b1", "b2"}) {
        const test::Finished shown = test::run({test::program("tributary-agent"), "--config",
                                                dir / (std::string(name) + ".toml"), "status"});
        EXPECT_NE(shown.out.find("refuses the subscription to 'tributary/1/cast/"),
                  std::string::npos)
            << shown.out;
    }
    for (const auto& board : boards)
        EXPECT_EQ(times("the broker refuses something code=denied", board->err()), 1u)
            << board->err();
}

TEST_F(BroadcastThatTheBrokerForbids, IsAnAlarmAtTheHubOnceAndTheBoardsGetPushes) {
    broker.start_with(
        test::with_acl("topic readwrite tributary/1/+/+/up\ntopic readwrite tributary/1/+/+/down\n"
                       "topic read tributary/1/cast/#\n",
                       dir / "acl"));
    roll_out();
    EXPECT_NE(tributary({"device", "list"}).find("refuses a message to 'tributary/1/cast/"),
              std::string::npos);
    EXPECT_GT(metric("broker_refusals_total"), 0u);
    EXPECT_EQ(metric("broker_connected"), 1u);
    EXPECT_EQ(times("the broker refuses something code=denied", hub->err()), 1u) << hub->err();
    EXPECT_EQ(times("no broker", hub->err()), 0u) << hub->err();
}

// A page of an Offer would name as many files as fill 112 KiB.
TEST_F(BroadcastThatTheBrokerForbids, GoesByPushesAsSmallAsTheBrokersPackets) {
    broker.start_with(test::subscriptions_to_nothing_but(
                          {"tributary/1/+/+/up", "tributary/1/+/+/down"}, dir / "rights.json") +
                      "max_packet_size 65536\n");
    roll_out(2'000);
    EXPECT_EQ(times("no broker", hub->err() + daemon->err() + boards[0]->err()), 0u);
    EXPECT_EQ(times("code=denied", hub->err()), 0u) << hub->err();
    EXPECT_NE(daemon->err().find("message_bytes_max=65280"), std::string::npos) << daemon->err();
}

// How often each of a board, the broker and the hub: once for each push, more before a release.
int rounds() {
    const char* const asked = std::getenv("TRIBUTARY_CAST_ROUNDS");
    return asked == nullptr ? 1 : std::atoi(asked);
}

class BroadcastThatBreaks : public BroadcastTest {
protected:
    static constexpr std::size_t kBytes = 9'000'000;

    void start(const std::vector<std::string>& names) {
        start_hub_with_approver();
        start_daemon();  // records the models
        for (const std::string& name : names) start_board(name, link.url());
        ASSERT_TRUE(test::eventually([&] { return devices() == names.size() + 1; }, kSoon));
        link.limit(6'000'000);
    }
    // `to`: none: all boards.
    void roll_out(std::uint64_t seed, std::size_t bytes, const std::vector<std::string>& to) {
        write_file_at(dir / "model.bin", random_text(seed, bytes));
        const std::string version =
            answer({"commit", "--repo", "lab/models", dir / "model.bin"}).substr(0, 71);
        ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, 8 * kSoon));
        tributary({"approve", version, "--key", key()});
        std::vector<std::string> start{"rollout", "start", version, "--model", "m"};
        for (const std::string& device : to) start.insert(start.end(), {"--device", device});
        tributary(start);
    }
    bool all_run_it() { return count("committed") == 3; }
    // In the midst of what the boards are being sent; on a busy machine it may be over by then.
    void await_traffic() {
        const std::uint64_t enough = link.passed_bytes() + kBytes / 2;
        int asked = 0;
        ASSERT_TRUE(test::eventually(
            [&] { return link.passed_bytes() >= enough || (++asked % 500 == 0 && all_run_it()); },
            4 * kSoon))
            << hub->err();
    }
    void kill(test::Process& process) {
        process.send_signal(SIGKILL);
        ASSERT_TRUE(process.wait(kSoon));
    }
    void kill_a_board(std::size_t which) {
        kill(*boards[which]);
        boards[which] = run_board("b" + std::to_string(which + 1));
    }
    void kill_the_broker() {
        broker.kill();
        broker.start();
    }
    void kill_the_hub() {
        count_egress();
        kill(*hub);
        start_hub();
        ASSERT_TRUE(test::eventually([&] { return !metrics().empty(); }, kSoon));
    }
    // Of this life of the hub.
    void count_egress() { egress += metric("broadcast_bytes_total") + metric("sent_bytes_total"); }

    test::FlakyLink link{broker.port()};
    std::uint64_t egress = 0;
};

TEST_F(BroadcastThatBreaks, EndsWithAllBoardsWholeWhoeverWasKilled) {
    start({"b1", "b2", "b3"});
    for (int round = 0; round < rounds() && !HasFatalFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        roll_out(static_cast<std::uint64_t>(round) + 1, kBytes, {});
        await_traffic();
        kill_a_board(static_cast<std::size_t>(round) % 3);
        await_traffic();
        kill_the_broker();
        await_traffic();
        kill_the_hub();
        ASSERT_TRUE(test::eventually([&] { return all_run_it(); }, test::milliseconds(90'000)))
            << hub->err() << boards[0]->err();
    }
    count_egress();
    RecordProperty("egress_bytes", std::to_string(egress));
    // A hub that is killed begins anew; a board that is killed may miss all of it once.
    EXPECT_LT(egress, 3 * kBytes * static_cast<std::size_t>(rounds()) * 13 / 10);

    EXPECT_TRUE(nothing_pending());
    for (const char* name : {"b1", "b2", "b3"}) {
        boards.erase(boards.begin());  // it is killed
        const test::Finished fsck =
            test::run({test::program("tributary-agent"), "--config",
                       dir / (std::string(name) + ".toml"), "fsck", "--data"});
        EXPECT_EQ(fsck.ending.exit_code, 0) << name << fsck.out << fsck.err;
    }
}

// ---- one board alone ----

class PushThatBreaks : public BroadcastThatBreaks {
protected:
    static constexpr std::uint64_t kBytesPerBreak = 4'000'000;
    static constexpr std::uint64_t kWindow =
        std::uint64_t{limits::kFramesInFlightMax} * limits::kDataFrameBytes;
    // What a board gathers before it writes it, kBatchBytes of common/store.
    static constexpr std::uint64_t kGathered = 1024 * 1024;
};

TEST_F(PushThatBreaks, CostsAtMostAWindowWhenItsLinkBreaksAndABatchMoreWhenItIsKilled) {
    start({"b1"});
    const auto breaks = static_cast<std::uint64_t>(std::max(10, rounds()));
    const std::uint64_t bytes = (breaks + 1) * kBytesPerBreak;
    const std::uint64_t before = link.passed_bytes();
    roll_out(1, bytes, {"b1"});
    for (std::uint64_t i = 1; i <= breaks && !HasFatalFailure(); ++i) {
        ASSERT_TRUE(test::eventually(
            [&] { return link.passed_bytes() - before >= i * kBytesPerBreak; }, 4 * kSoon))
            << "break " << i << "\n"
            << boards[0]->err();
        if (i % 2 == 0)
            link.cut();
        else
            kill_a_board(0);
    }
    ASSERT_TRUE(test::eventually([&] { return count("committed") == 1; }, 4 * kSoon))
        << hub->err() << boards[0]->err();
    const std::uint64_t overhead = bytes / 20 + 20'000 * (breaks + 1);
    EXPECT_LE(link.passed_bytes() - before,
              bytes + breaks * kWindow + breaks / 2 * kGathered + overhead);
    EXPECT_EQ(metric("broadcasts_total"), 0u);
}

}  // namespace
}  // namespace tributary::agent
