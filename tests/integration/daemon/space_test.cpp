// A board whose store reaches its quota, with a real hub, and without one.
#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kQuota = 8'388'608;
constexpr const char* kSmall = "[store]\nquota = \"8MiB\"\nkeep_versions = 2\n";

class SpaceTest : public DaemonTest {
protected:
    std::string content(int number) {
        return random_text(1000 + static_cast<std::uint64_t>(number), 1'000'000);
    }
    std::string commit_number(int number) {
        write_file_at(dir / "in/w.bin", content(number));
        return commit(dir / "in");
    }
    std::uint64_t stored() { return status().u64_at("stored_bytes").value(); }
    void start_synced(int versions) {
        start_hub();
        start_daemon();
        wait_for_daemon();
        for (int i = 0; i < versions; ++i) ids.push_back(commit_number(i));
        ASSERT_TRUE(synced(static_cast<std::uint64_t>(versions)));
    }
    std::vector<std::string> ids;
};

TEST_F(SpaceTest, TheDaemonKeepsWithinItsQuotaAndTheHubHasWhatItGaveUp) {
    configure(kSmall);
    start_hub();
    start_daemon();
    wait_for_daemon();
    for (int i = 0; i < 20; ++i) {
        ids.push_back(commit_number(i));
        ASSERT_TRUE(synced(ids.size()));
        EXPECT_LE(stored(), kQuota) << i;
    }

    const test::Finished gone = agent({"restore", ids[0], "--to", dir / "gone"});
    EXPECT_EQ(gone.ending.exit_code, 1);
    EXPECT_NE(gone.err.find("tributary fetch " + ids[0]), std::string::npos) << gone.err;
    EXPECT_FALSE(std::filesystem::exists(dir / "gone"));
    EXPECT_NE(answer({"log"}).find("not kept here"), std::string::npos);
    EXPECT_EQ(restored(ids.back(), "in/w.bin"), content(19));
    const test::Finished fetched =
        test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "fetch", ids[0],
                   "--to", dir / "fetched"});
    EXPECT_EQ(fetched.ending.exit_code, 0) << fetched.err;
    EXPECT_EQ(file_at(dir / "fetched/in/w.bin"), content(0));
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
}

TEST_F(SpaceTest, GcKilledAtAnyMomentLosesNothing) {
    start_synced(12);
    daemon->stop();
    configure(kSmall);
    // Opened once: a store in large segments from before the quota.
    const Json before = json_answer({"gc", "--dry-run"});
    EXPECT_GT(before.u64_at("freed_bytes").value(), 2'000'000U);
    EXPECT_EQ(stored(), before.u64_at("stored_bytes_before").value());

    test::Random random(1);
    for (int life = 0; life < 12; ++life) {
        test::Process gc(words({"gc", "--all"}));
        test::pause(test::milliseconds(1 + random.below(60u)));
        gc.send_signal(SIGKILL);
        ASSERT_TRUE(gc.wait(kSoon));
        const test::Finished fsck = agent({"fsck", "--data"});
        EXPECT_EQ(fsck.ending.exit_code, 0) << fsck.out << fsck.err;
    }
    answer({"gc", "--all"});

    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
    EXPECT_EQ(restored(ids[11], "in/w.bin"), content(11));
    EXPECT_EQ(restored(ids[10], "in/w.bin"), content(10));
    EXPECT_EQ(agent({"restore", ids[0], "--to", dir / "gone"}).ending.exit_code, 1);
}

TEST_F(SpaceTest, WithoutAHubAFullStoreRefusesReadsAndSaysWhy) {
    write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n" + kSmall);
    test::Finished last;
    int recorded = 0;
    for (; recorded < 20; ++recorded) {
        write_file_at(dir / "in/w.bin", content(recorded));
        last = agent({"commit", "--repo", "lab/model", dir / "in"});
        if (last.ending.exit_code != 0) break;
    }

    EXPECT_EQ(last.ending.exit_code, 1);
    EXPECT_GE(recorded, 6);
    EXPECT_LE(recorded, 8);
    EXPECT_NE(last.err.find("wait for the hub's receipt: " + std::to_string(recorded)),
              std::string::npos)
        << last.err;
    const Json status = json_answer({"status"});
    EXPECT_EQ(status.u64_at("quota_bytes").value(), kQuota);
    EXPECT_FALSE(status.find("recording_refused")->is_null());
    EXPECT_EQ(restored("main", "in/w.bin"), content(recorded - 1));

    write_file_at(config(), "state_dir = \"" + dir / "state" + "\"\n[store]\nquota = \"0B\"\n");
    EXPECT_EQ(agent({"commit", "--repo", "lab/model", dir / "in"}).ending.exit_code, 0);
}

TEST_F(SpaceTest, ThinnedOutVersionsAreToldAsSuchHereAndAtTheHub) {
    configure(std::string(kSmall) + "when_full = \"thin\"\n");
    start_daemon();
    wait_for_daemon();
    for (int i = 0; i < 16; ++i) ids.push_back(commit_number(i));
    EXPECT_LE(stored(), kQuota);
    const test::Finished gone = agent({"restore", ids[1], "--to", dir / "gone"});
    EXPECT_EQ(gone.ending.exit_code, 1);
    EXPECT_NE(gone.err.find("before the hub had it"), std::string::npos) << gone.err;
    EXPECT_NE(answer({"log"}).find("dropped to make room"), std::string::npos);
    EXPECT_EQ(restored(ids[0], "in/w.bin"), content(0));

    start_hub();
    ASSERT_TRUE(
        test::eventually([&] { return status().u64_at("pending_versions").value() == 0; }, kSoon));

    const test::Finished fetched =
        test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "fetch",
                   ids.back(), "--to", dir / "fetched"});
    EXPECT_EQ(fetched.ending.exit_code, 0) << fetched.err;
    EXPECT_EQ(file_at(dir / "fetched/in/w.bin"), content(15));
    const test::Finished shown = test::run({test::program("tributary"), "--hub",
                                            "http://" + hub_address(), "device", "show", "board"});
    EXPECT_NE(shown.out.find("dropped"), std::string::npos) << shown.out << shown.err;
    EXPECT_EQ(agent({"fsck", "--data"}).ending.exit_code, 0);
}

TEST_F(SpaceTest, PastTheWritesOfADayACommitWantsForce) {
    write_file_at(config(),
                  "state_dir = \"" + dir / "state" + "\"\n[store]\nwritten_per_day = \"1500kB\"\n");
    commit_number(0);
    commit_number(1);
    write_file_at(dir / "in/w.bin", content(2));

    const test::Finished refused = agent({"commit", "--repo", "models/cnn", dir / "in"});

    EXPECT_EQ(refused.ending.exit_code, 4);
    EXPECT_NE(refused.err.find("written_per_day"), std::string::npos) << refused.err;
    const Json status = json_answer({"status"});
    EXPECT_GT(status.u64_at("written_last_day_bytes").value(), 2'000'000U);
    EXPECT_GT(status.double_at("write_amplification").value(), 1.0);
    EXPECT_FALSE(status.find("recording_refused")->is_null());
    answer({"commit", "--force", "--repo", "models/cnn", dir / "in"});
    EXPECT_EQ(restored("main", "in/w.bin"), content(2));
}

TEST_F(SpaceTest, AFullStoreRecordsAgainWhenTheHubHasComeBack) {
    configure(kSmall);
    start_daemon();
    wait_for_daemon();
    int recorded = 0;
    while (recorded < 20) {
        write_file_at(dir / "in/w.bin", content(recorded));
        if (agent({"commit", "--repo", "models/cnn", dir / "in"}).ending.exit_code != 0) break;
        ++recorded;
    }
    ASSERT_LT(recorded, 20);

    start_hub();

    ASSERT_TRUE(test::eventually(
        [&] {
            return agent({"commit", "--repo", "models/cnn", dir / "in"}).ending.exit_code == 0;
        },
        kSoon))
        << daemon->err();
    ASSERT_TRUE(synced(static_cast<std::uint64_t>(recorded) + 1));
    EXPECT_LE(stored(), kQuota);
}

}  // namespace
}  // namespace tributary::agent
