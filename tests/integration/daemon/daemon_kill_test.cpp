// The daemon is killed at random moments under load, over and over, and the hub now and then. No
// version that was printed or receipted is lost; in the end the hub has everything.
#include <cstdlib>
#include <map>
#include <set>

#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kSeed = 20260201;

class DaemonKillLoop : public DaemonTest {
protected:
    void kill(test::Process& process) {
        process.send_signal(SIGKILL);
        ASSERT_TRUE(process.wait(kSoon));
        ++kills;
    }
    // One life of the daemon: files appear in its folder, verbs are asked, then it is killed. In
    // one of four the hub is killed on the way, and comes back.
    void live_and_die(int life) {
        start_daemon();
        const std::uint64_t span_ms = 50 + random.below(900u);
        const auto end = std::chrono::steady_clock::now() + std::chrono::milliseconds(span_ms);
        write_file_at(watched() + "/" + std::to_string(life % 4) + ".bin",
                      random_text(random.next(), 100'000 + random.below(900'000u)));
        const std::string content = random_text(random.next(), 50'000 + random.below(300'000u));
        write_file_at(dir / "file", content);
        test::Process asking(words({"commit", "--repo", "lab/asked", dir / "file"}));
        bool hub_lives = !random.one_in(4);
        const auto hub_end = end - std::chrono::milliseconds(random.below(span_ms));
        while (std::chrono::steady_clock::now() < end) {
            test::pause(test::milliseconds(5));
            if (hub_lives || std::chrono::steady_clock::now() < hub_end) continue;
            kill(*hub);
            start_hub();
            hub_lives = true;
        }
        kill(*daemon);
        ASSERT_TRUE(asking.wait(kSoon));
        if (std::string id = asking.out(); id.ends_with('\n')) {
            id.pop_back();
            printed[id] = content;
        }
    }
    // What the log and the receipts say must only grow.
    void look() {
        const test::Finished fsck = agent({"fsck"});
        EXPECT_EQ(fsck.ending.exit_code, 0) << fsck.out << fsck.err;
        std::set<std::string> ids;
        const Json log = json_answer({"log"});
        for (const Json& version : *log.array_at("versions").value())
            ids.insert(version.text_at("version").value());
        for (const auto& [id, _] : printed) EXPECT_TRUE(ids.contains(id)) << id;
        for (const std::string& id : seen) EXPECT_TRUE(ids.contains(id)) << id;
        seen = ids;
        const Json status = this->status();
        const Json* receipt = status.find("last_receipt");
        const std::uint64_t now = receipt->is_null() ? 0 : receipt->u64_at("sequence").value();
        EXPECT_GE(now, receipted);
        receipted = now;
    }

    test::Random random{kSeed};
    std::map<std::string, std::string> printed;  // id to content
    std::set<std::string> seen;
    std::uint64_t receipted = 0;
    int kills = 0;

    bool hub_gives(const std::string& id, const std::string& content) {
        std::filesystem::remove_all(dir / "fetched");
        const test::Finished fetched =
            test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "fetch", id,
                       "--to", dir / "fetched"});
        return fetched.ending.exit_code == 0 && file_at(dir / "fetched/file") == content;
    }

    void run(int count) {
        SCOPED_TRACE("seed " + std::to_string(kSeed));
        start_hub();
        for (int life = 0; life < count && !HasFailure(); ++life) {
            SCOPED_TRACE("life " + std::to_string(life));
            live_and_die(life);
            look();
        }
        EXPECT_GT(receipted, 1U);
        EXPECT_GT(printed.size(), 2U);

        start_daemon();
        wait_for_daemon();
        ASSERT_TRUE(synced(seen.size())) << daemon->err();
        for (const auto& [id, content] : printed) {
            EXPECT_TRUE(restored(id, "file") == content) << id;
            EXPECT_TRUE(hub_gives(id, content)) << id;
        }
        EXPECT_GE(kills, count);
        RecordProperty("kills", kills);
        RecordProperty("printed", static_cast<int>(printed.size()));
        daemon->stop();
        EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
    }
};

// How often: 20 for each push, more before a release.
int lives() {
    const char* const asked = std::getenv("TRIBUTARY_KILLS");
    return asked == nullptr ? 20 : std::atoi(asked);
}

TEST_F(DaemonKillLoop, LosesNothingThatWasPrintedOrReceipted) { run(lives()); }

}  // namespace
}  // namespace tributary::agent
