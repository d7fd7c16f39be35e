// The agent is killed at random moments of a commit, over and over. What it had printed is never
// lost, what was never asked for never shows up, and the store is sound each time.
#include <chrono>
#include <map>
#include <set>
#include <thread>

#include "tests/integration/agent/agent_fixture.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kSeed = 20260131;

class KillLoop : public AgentTest {
protected:
    test::Random random{kSeed};

    // What the file holds in this round: mostly an edit of the round before, at times all new.
    std::string next_content(const std::string& before, int round) {
        if (round % 4 == 0) return random_text(random.next(), 200'000 + random.below(1'500'000u));
        std::string content = before;
        for (int edit = 0; edit < 20; ++edit) {
            content[random.below(content.size())] = static_cast<char>(random.next());
        }
        return content + "round " + std::to_string(round);
    }

    // Commits, and kills the agent after up to `window_us`. The id it had printed, or nothing. The
    // window follows the machine: wider after a kill that came first, else narrower.
    std::string commit_and_kill(std::uint64_t& window_us) {
        test::Process process(words({"commit", "--repo", "models/cnn", dir / "file"}));
        std::this_thread::sleep_for(std::chrono::microseconds(random.below(window_us)));
        process.send_signal(SIGKILL);
        EXPECT_TRUE(process.wait(test::milliseconds(10'000)));
        const std::string out = process.out();
        const bool printed = out.ends_with('\n');
        window_us = printed ? window_us * 7 / 8 + 1 : window_us * 8 / 7;
        return printed ? out.substr(0, out.size() - 1) : "";
    }

    std::string restored(const std::string& id) {
        const std::string to = dir / "out";
        std::filesystem::remove_all(to);
        answer({"restore", id, "--to", to});
        return file_at(to + "/file");
    }

    std::set<std::string> logged() {
        std::set<std::string> ids;
        const Json log = json_answer({"log"});
        for (const Json& version : *log.array_at("versions").value()) {
            ids.insert(version.text_at("version").value());
        }
        return ids;
    }

    std::uint64_t time_of_a_commit_us() {
        const auto begin = std::chrono::steady_clock::now();
        write_file_at(dir / "file", random_text(1, 1'000'000));
        test::TempDir other;
        write_file_at(other / "agent.toml", "state_dir = \"" + other / "state" + "\"\n");
        test::run({test::program("tributary-agent"), "--config", other / "agent.toml", "commit",
                   "--repo", "a/b", dir / "file"});
        const auto took = std::chrono::steady_clock::now() - begin;
        return static_cast<std::uint64_t>(
            std::chrono::duration_cast<std::chrono::microseconds>(took).count());
    }
};

TEST_F(KillLoop, LosesNothingThatWasPrinted) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::uint64_t window_us = time_of_a_commit_us() * 3 / 2;
    std::map<std::string, std::string> printed;  // id to content
    std::set<std::string> offered;               // every content that was to be committed
    std::string content(1000, 'x');

    // Until both have been met often, in a hundred rounds at least: the agent was killed before it
    // printed, and after that.
    int rounds_cut_short = 0;
    const auto met_both = [&] { return printed.size() > 10 && rounds_cut_short > 10; };
    for (int round = 0; (round < 100 || !met_both()) && round < 200 && !HasFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        content = next_content(content, round);
        write_file_at(dir / "file", content);
        offered.insert(content);

        const std::string id = commit_and_kill(window_us);
        if (id.empty())
            ++rounds_cut_short;
        else
            printed[id] = content;

        const bool thorough = round % 10 == 9;
        const test::Finished fsck = agent(thorough ? std::vector<std::string>{"fsck", "--data"}
                                                   : std::vector<std::string>{"fsck"});
        if (printed.empty() && fsck.err.find("no store") != std::string::npos) continue;
        EXPECT_EQ(fsck.ending.exit_code, 0) << fsck.out << fsck.err;
        const std::set<std::string> ids = logged();
        for (const auto& [known, _] : printed) EXPECT_TRUE(ids.contains(known)) << known;
    }

    EXPECT_TRUE(met_both()) << printed.size() << " versions printed, " << rounds_cut_short
                            << " rounds cut short";
    for (const std::string& id : logged()) {
        const std::string came_back = restored(id);
        EXPECT_TRUE(offered.contains(came_back)) << id;
        if (printed.contains(id)) {
            EXPECT_TRUE(came_back == printed[id]) << id;
        }
    }
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
}

TEST_F(KillLoop, MakesAStoreInSpiteOfKillsWhileItIsMade) {
    SCOPED_TRACE("seed " + std::to_string(kSeed));
    std::uint64_t window_us = time_of_a_commit_us();
    for (int round = 0; round < 20 && !HasFailure(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        std::filesystem::remove_all(dir / "state");
        const std::string content = random_text(random.next(), 50'000);
        write_file_at(dir / "file", content);

        commit_and_kill(window_us);

        EXPECT_TRUE(restored(commit(dir / "file")) == content);
        EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
        EXPECT_EQ(agent({"doctor"}).ending.exit_code, 0);
    }
}

}  // namespace
}  // namespace tributary::agent
