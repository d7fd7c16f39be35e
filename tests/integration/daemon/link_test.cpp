// Real programs over a link that is slow and breaks, a broker, a hub and an agent that are killed:
// nothing is lost, and each break costs at most one window, a killed hub a batch more.
#include <csignal>
#include <cstdlib>
#include <functional>

#include "common/base/limits.h"
#include "tests/integration/daemon/daemon_fixture.h"
#include "tests/support/flaky_link.h"

namespace tributary::agent {
namespace {

// How often: 10 for each push, more before a release.
int cuts() {
    const char* const asked = std::getenv("TRIBUTARY_CUTS");
    return asked == nullptr ? 10 : std::atoi(asked);
}

class LinkThatBreaks : public DaemonTest {
protected:
    static constexpr std::uint64_t kWindow =
        std::uint64_t{limits::kFramesInFlightMax} * limits::kDataFrameBytes;
    // What a hub gathers before it writes it, kBatchBytes of common/store.
    static constexpr std::uint64_t kGathered = 1024 * 1024;

    LinkThatBreaks() { configure("", link.url()); }

    void start() {
        start_hub();
        start_daemon();
        wait_for_daemon();
        ASSERT_TRUE(test::eventually([&] { return hub_connected(); }, kSoon)) << daemon->err();
    }
    bool hub_connected() {
        const Json status = this->status();
        const Json* live = status.find("daemon");
        return live && live->find("hub_connected") && *live->find("hub_connected")->as_bool();
    }
    std::uint64_t sent() {
        return counts_at_link ? link.passed_bytes() : status().u64_at("sent_bytes").value();
    }
    // Of random bytes, which no coding makes fewer.
    void record(std::size_t bytes) {
        content = random_text(7, bytes);
        write_file_at(dir / "w.bin", content);
        id = answer({"commit", "--repo", "lab/model", dir / "w.bin"});
    }
    // Breaks it again and again, each time when a part of what is left was sent.
    void break_while_sending(int times, std::uint64_t cost, const std::function<void()>& break_it) {
        const std::uint64_t before = sent();
        const std::uint64_t part = 2 * cost;  // more than a break may cost
        record((static_cast<std::size_t>(times) + 1) * part);
        for (int i = 1; i <= times && !HasFatalFailure(); ++i) {
            const std::uint64_t enough = before + static_cast<std::uint64_t>(i) * part;
            ASSERT_TRUE(test::eventually([&] { return sent() >= enough; }, 3 * kSoon))
                << "break " << i << "\n"
                << daemon->err();
            break_it();
        }
        ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, 3 * kSoon))
            << daemon->err();
        const std::uint64_t breaks = static_cast<std::uint64_t>(times);
        const std::uint64_t overhead = content.size() / 20 + 20'000 * (breaks + 1);
        EXPECT_LE(sent() - before, content.size() + breaks * cost + overhead);
        EXPECT_TRUE(hub_gives());
    }
    bool hub_gives() {
        const test::Finished fetched =
            test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "fetch", id,
                       "--to", dir / "fetched"});
        return fetched.ending.exit_code == 0 && file_at(dir / "fetched/w.bin") == content;
    }

    test::FlakyLink link{broker.port()};
    bool counts_at_link = false;  // which outlives the agent
    std::string content;
    std::string id;
};

TEST_F(LinkThatBreaks, CostsAtMostAWindowEachTimeItBreaks) {
    start();
    link.limit(5'000'000);
    break_while_sending(cuts(), kWindow, [&] { link.cut(); });
}

TEST_F(LinkThatBreaks, ABrokerThatIsKilledCostsAtMostAWindow) {
    start();
    link.limit(5'000'000);
    break_while_sending(cuts(), kWindow, [&] {
        broker.kill();
        broker.start();
    });
}

TEST_F(LinkThatBreaks, AHubThatIsKilledCostsAtMostAWindowAndWhatItGathered) {
    start();
    link.limit(5'000'000);
    break_while_sending(cuts(), kWindow + kGathered, [&] {
        hub->send_signal(SIGKILL);
        ASSERT_TRUE(hub->wait(kSoon));
        start_hub();
    });
}

TEST_F(LinkThatBreaks, AnAgentThatIsKilledCostsAtMostAWindow) {
    counts_at_link = true;
    start();
    link.limit(5'000'000);
    break_while_sending(cuts(), kWindow, [&] {
        daemon->send_signal(SIGKILL);
        ASSERT_TRUE(daemon->wait(kSoon));
        start_daemon();
    });
}

// An upgrade: what it gathered it writes, and how far it came with a record.
TEST_F(LinkThatBreaks, AHubThatIsStoppedCostsAtMostAWindow) {
    start();
    link.limit(5'000'000);
    break_while_sending(cuts(), kWindow, [&] {
        hub->send_signal(SIGTERM);
        ASSERT_TRUE(hub->wait(kSoon));
        start_hub();
    });
}

TEST_F(LinkThatBreaks, ALinkThatGoesSilentIsMissedAndUsedAgain) {
    start();
    link.limit(2'000'000);
    const std::uint64_t before = sent();
    record(3'000'000);
    ASSERT_TRUE(test::eventually([&] { return sent() >= before + 1'000'000; }, kSoon));
    link.be_silent(true);
    const std::uint64_t stalled = sent();
    test::pause(test::milliseconds(3'000));
    EXPECT_LE(sent(), stalled + 2 * kWindow) << "what is not credited holds the rest back";
    link.be_silent(false);
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, 3 * kSoon)) << daemon->err();
    EXPECT_TRUE(hub_gives());
}

TEST_F(LinkThatBreaks, ALimitInTheConfigurationIsKept) {
    configure("[link]\nbytes_per_second = \"256KiB\"\n", link.url());
    start();
    const std::uint64_t before = link.passed_bytes();
    const auto began = std::chrono::steady_clock::now();
    record(1'000'000);
    ASSERT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon)) << daemon->err();
    const double seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
    const double passed = static_cast<double>(link.passed_bytes() - before);
    EXPECT_GE(seconds, (passed / 1.1 - 600'000) / (256 * 1024)) << "but for what was saved up";
    EXPECT_TRUE(hub_gives());
}

}  // namespace
}  // namespace tributary::agent
