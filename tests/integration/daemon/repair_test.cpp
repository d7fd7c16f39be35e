// What is damaged on a board is had from the hub again.
#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

class RepairTest : public DaemonTest {
protected:
    // Turns a bit in each of `count` places, spread over the store's first segment.
    void damage(int count) {
        const std::string path = store() + "/segments/000001.seg";
        std::string bytes = file_at(path);
        for (int i = 0; i < count; ++i) {
            const std::size_t at = bytes.size() * static_cast<std::size_t>(2 * i + 1) /
                                   static_cast<std::size_t>(2 * count);
            bytes[at] = static_cast<char>(bytes[at] ^ 0x10);
        }
        write_file_at(path, bytes);
    }
    bool restores(const std::string& id, const std::string& content) {
        std::filesystem::remove_all(dir / "out");
        return agent({"restore", id, "--to", dir / "out"}).ending.exit_code == 0 &&
               file_at(dir / "out/in/w.bin") == content;
    }
};

TEST_F(RepairTest, WhatFsckFindsDamagedComesFromTheHubAgain) {
    start_hub();
    start_daemon();
    wait_for_daemon();
    const std::string first = random_text(1, 3'000'000);
    std::string second = first;
    second.replace(1'000'000, 500'000, random_text(2, 500'000));
    std::vector<std::string> ids;
    for (const std::string& content : {first, second}) {
        write_file_at(dir / "in/w.bin", content);
        ids.push_back(commit(dir / "in"));
    }
    ASSERT_TRUE(synced(2));
    daemon->stop();
    damage(5);

    const test::Finished fsck = agent({"fsck", "--data"});
    EXPECT_EQ(fsck.ending.exit_code, 1);
    EXPECT_NE(fsck.out.find("damaged: version " + ids[0]), std::string::npos) << fsck.out;
    EXPECT_FALSE(restores(ids[0], first));

    hub->stop();  // so that nothing is had again before it is asked
    start_daemon();
    wait_for_daemon();
    // Reading is what finds damage; the daemon does the rest.
    const test::Finished found = agent({"fsck", "--data"});
    EXPECT_EQ(found.ending.exit_code, 1);
    EXPECT_NE(found.err.find("the hub"), std::string::npos) << found.err;
    start_hub();
    ASSERT_TRUE(test::eventually(
        [&] { return restores(ids[0], first) && restores(ids[1], second); }, kSoon))
        << daemon->err();
    EXPECT_NE(daemon->err().find("damaged objects were had from the hub again"), std::string::npos)
        << daemon->err();
    daemon->stop();
    const test::Finished after = agent({"fsck", "--data"});
    EXPECT_EQ(after.out.find("damaged: version"), std::string::npos) << after.out;
}

}  // namespace
}  // namespace tributary::agent
