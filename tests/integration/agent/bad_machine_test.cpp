// The agent on a machine that is not as it should be: mounts and network of its own show it one.
#include <gmock/gmock.h>

#include "tests/integration/agent/agent_fixture.h"

namespace tributary::agent {
namespace {

using testing::HasSubstr;

class OnABadMachine : public AgentTest {
protected:
    OnABadMachine() {
        write_file_at(dir / "small", random_text(1, 1'000));
        write_file_at(dir / "large", random_text(2, 4'000'000));
    }
    void SetUp() override {
        if (test::run(alone({"true"})).ending.exit_code != 0) {
            GTEST_SKIP() << "namespaces cannot be made here";
        }
    }

    // A command as root of namespaces that end with it.
    static std::vector<std::string> alone(std::vector<std::string> command) {
        command.insert(command.begin(), {"unshare", "--map-root-user", "--mount", "--net"});
        return command;
    }
    // A script in which `agent VERB...` is ours, started in our folder.
    test::Finished script(const std::string& lines) const {
        return test::run(alone({"bash", "-ec",
                                "program=$0; cd \"$1\"; "
                                "agent() { \"$program\" --config \"$PWD/agent.toml\" \"$@\"; }\n" +
                                    lines,
                                test::program("tributary-agent"), dir.path()}));
    }
};

TEST_F(OnABadMachine, AReadOnlyStateFolderIsNamedByEveryVerbThatWrites) {
    commit(dir / "small");

    const test::Finished done = script(R"sh(
        mount --bind state state
        mount -o remount,ro,bind state
        for verb in "commit --repo models/cnn large" run doctor; do
            code=0
            agent $verb >said 2>&1 || code=$?
            grep -q "the file system is read-only" said && echo "$verb: $code"
        done
        umount state
        agent fsck --data >/dev/null)sh");

    EXPECT_EQ(done.out, "commit --repo models/cnn large: 1\nrun: 1\ndoctor: 1\n") << done.err;
    EXPECT_EQ(done.ending.exit_code, 0) << "nothing was harmed";
}

TEST_F(OnABadMachine, ATinyDiskRefusesWhatItCannotHoldAndKeepsTheRest) {
    const test::Finished done = script(R"sh(
        mkdir state
        mount -t tmpfs -o size=1536k tmpfs state
        agent commit --repo models/cnn small
        agent commit --repo models/cnn large || echo "refused: $?"
        agent commit --repo models/cnn agent.toml
        agent fsck --data)sh");

    EXPECT_EQ(done.ending.exit_code, 0) << done.err;
    EXPECT_THAT(done.out, HasSubstr("refused: 1\n"));
    EXPECT_THAT(done.err, HasSubstr("disk"));
}

TEST_F(OnABadMachine, AFullDiskIsNamedWithTheNextStep) {
    const test::Finished done = script(R"sh(
        mkdir state
        mount -t tmpfs -o size=4m tmpfs state
        agent commit --repo models/cnn small
        agent status
        head -c 5000000 /dev/zero >state/fill 2>/dev/null || true
        agent status | grep ^refused
        agent fsck --data 2>said && exit 9
        cat said
        rm state/fill
        agent status | grep ^refused && exit 9
        agent fsck --data)sh");

    EXPECT_EQ(done.ending.exit_code, 0) << done.out << done.err;
    EXPECT_THAT(done.out, HasSubstr("refused   recording: the disk of "));
    EXPECT_THAT(done.out, HasSubstr("more must be free; free some space, then try again\n"));
    EXPECT_THAT(done.out, HasSubstr("needs room for an index of its own; free some space"));
}

TEST_F(OnABadMachine, NothingNeedsAWritableTmp) {
    if (test::program("").starts_with("/tmp")) GTEST_SKIP() << "our programs are in /tmp";

    const test::Finished done = script(R"sh(
        mount --bind . /mnt
        mount -t tmpfs -o ro tmpfs /tmp
        mount -t tmpfs -o ro tmpfs /var/tmp
        cd /mnt
        sed -i 's|state_dir.*|state_dir = "/mnt/state"|' agent.toml
        agent commit --repo models/cnn small large
        agent restore models/cnn --to out
        cmp large out/large
        agent fsck --data)sh");

    EXPECT_EQ(done.ending.exit_code, 0) << done.err;
}

TEST_F(OnABadMachine, BeforeTheNetworkItRecordsAndTriesOn) {
    write_file_at(config(), "state_dir = \"" + dir / "state" +
                                "\"\n[hub]\nurl = \"http://hub.test:8460\"\n"
                                "[broker]\nurl = \"mqtt://hub.test:1883\"\n");
    test::Process daemon(alone(words({"run"})));  // not even the loopback is up
    ASSERT_TRUE(daemon.wait_for_output("trying on", test::milliseconds(20'000))) << daemon.err();

    commit(dir / "small");

    EXPECT_EQ(json_answer({"status"}).u64_at("pending_versions").value(), 1U);
    EXPECT_TRUE(daemon.running());
    EXPECT_EQ(daemon.stop().exit_code, 0) << daemon.err();
}

}  // namespace
}  // namespace tributary::agent
