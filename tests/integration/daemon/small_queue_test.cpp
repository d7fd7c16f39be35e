// A broker that keeps so little for the hub that it drops, in silence, some of what boards send at
// once.
#include <csignal>
#include <thread>

#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

class SmallQueueTest : public DaemonTest {
protected:
    static constexpr std::size_t kBoards = 5;
    static constexpr std::size_t kBytes = 8'000'000;

    std::vector<std::string> of(std::size_t board, std::vector<std::string> verb) const {
        verb.insert(verb.begin(), {test::program("tributary-agent"), "--config", config_of(board)});
        return verb;
    }
    std::string config_of(std::size_t board) const {
        return dir / ("board-" + std::to_string(board) + ".toml");
    }
    // While it is offline.
    void record(std::size_t board) {
        const std::string name = "board-" + std::to_string(board);
        write_file_at(config_of(board), "state_dir = \"" + dir / name +
                                            "\"\n[hub]\nurl = \"http://" + hub_address() +
                                            "\"\nname = \"" + name + "\"\n[broker]\nurl = \"" +
                                            broker.url() + "\"\n");
        write_file_at(dir / "m.bin", random_text(board + 1, kBytes));
        const test::Finished done =
            test::run(of(board, {"commit", "--repo", "lab/" + name, dir / "m.bin"}));
        ASSERT_EQ(done.ending.exit_code, 0) << done.err;
    }
    Json status_of(std::size_t board) const {
        return parse_json(test::run(of(board, {"status", "--json"})).out).value_or(Json());
    }
    std::uint64_t sent_bytes() const {
        std::uint64_t sent = 0;
        for (std::size_t board = 0; board < kBoards; ++board)
            sent += status_of(board).u64_at("sent_bytes").value_or(0);
        return sent;
    }
    bool all_receipted() const {
        for (std::size_t board = 0; board < kBoards; ++board)
            if (status_of(board).u64_at("pending_versions") != 0U) return false;
        return true;
    }
};

TEST_F(SmallQueueTest, LosesNothingAndLittleIsSentTwice) {
    broker.start_with("allow_anonymous true\nmax_inflight_messages 1\nmax_queued_messages 4\n");
    for (std::size_t board = 0; board < kBoards; ++board) record(board);
    start_hub();
    std::vector<std::unique_ptr<test::Process>> boards;
    for (std::size_t board = 0; board < kBoards; ++board)
        boards.push_back(std::make_unique<test::Process>(of(board, {"run"})));

    ASSERT_TRUE(hub->wait_for_output("connected to the broker", kSoon));
    // The hub stands still now and then while they send what they may.
    for (int i = 0; i < 12; ++i) {
        std::this_thread::sleep_for(test::milliseconds(150));
        ::kill(hub->pid(), SIGSTOP);
        std::this_thread::sleep_for(test::milliseconds(400));
        ::kill(hub->pid(), SIGCONT);
    }

    ASSERT_TRUE(test::eventually([&] { return all_receipted(); }, 3 * kSoon));

    const std::uint64_t sent = sent_bytes();
    RecordProperty("sent", std::to_string(sent));
    EXPECT_GT(sent, kBoards * kBytes + 256 * 1024) << "the broker dropped some";
    EXPECT_LT(sent, 2 * kBoards * kBytes);
}

}  // namespace
}  // namespace tributary::agent
