// A broker that refuses something.
#include "tests/integration/daemon/daemon_fixture.h"

namespace tributary::agent {
namespace {

class DeniedTopic : public DaemonTest {
protected:
    // Named b4, of a state and a configuration of its own.
    void start_other() {
        write_file_at(dir / "b4.toml",
                      "state_dir = \"" + dir / "b4" + "\"\n[hub]\nurl = \"http://" + hub_address() +
                          "\"\nname = \"b4\"\n[broker]\nurl = \"" + broker.url() + "\"\n");
        other = std::make_unique<test::Process>(std::vector<std::string>{
            test::program("tributary-agent"), "--config", dir / "b4.toml", "run"});
    }
    std::string tributary(std::vector<std::string> words) const {
        words.insert(words.begin(),
                     {test::program("tributary"), "--hub", "http://" + hub_address()});
        return test::run(std::move(words)).out;
    }
    std::string trouble_of(const std::string& device) const {
        const std::string shown = tributary({"device", "show", device});
        const auto at = shown.find("trouble    ");
        return at == shown.npos ? "" : shown.substr(at, shown.find('\n', at) - at);
    }

    std::unique_ptr<test::Process> other;
};

TEST_F(DeniedTopic, IsSetAsideAndTheOtherBoardGetsItsReceipts) {
    broker.start_with(test::with_acl(
        "topic readwrite tributary/#\ntopic deny tributary/1/+/b4/down\n", dir / "acl"));
    start_hub();
    start_other();
    ASSERT_TRUE(test::eventually(
        [&] { return trouble_of("b4").find("/b4/down' of 'hub-") != std::string::npos; }, kSoon))
        << hub->err();
    EXPECT_NE(trouble_of("b4").find("not authorised; check its ACL; nothing is sent there for 1 "),
              std::string::npos)
        << trouble_of("b4");
    const std::string list = tributary({"device", "list"});
    EXPECT_NE(list.find(", trouble"), std::string::npos) << list;
    EXPECT_NE(list.find("/b4/down' of 'hub-"), std::string::npos) << list;

    start_daemon();
    write_file_at(dir / "a.txt", "a");
    answer({"commit", "--repo", "lab/files", dir / "a.txt"});
    EXPECT_TRUE(test::eventually([&] { return nothing_pending(); }, kSoon)) << daemon->err();
    EXPECT_EQ(trouble_of("board"), "trouble    -");

    const std::string log = hub->err();
    EXPECT_EQ(log.find("no broker"), log.npos) << log;
    const auto first = log.find("the broker refuses something code=denied");
    ASSERT_NE(first, log.npos) << log;
    EXPECT_EQ(log.find("the broker refuses something", first + 1), log.npos)
        << "once in a pause: " << log;

    broker.start_with("allow_anonymous true\n");
    EXPECT_TRUE(test::eventually([&] { return trouble_of("b4") == "trouble    -"; }, kSoon));
    const std::string healed = tributary({"device", "list"});
    EXPECT_EQ(healed.find("refuses a message"), healed.npos) << healed;
}

TEST_F(DeniedTopic, OfABoardThatIsRetiredIsForgotten) {
    broker.start_with(test::with_acl(
        "topic readwrite tributary/#\ntopic deny tributary/1/+/b4/down\n", dir / "acl"));
    start_hub();
    start_other();
    const auto listed = [&] { return tributary({"device", "list"}); };
    ASSERT_TRUE(test::eventually(
        [&] { return listed().find("/b4/down' of 'hub-") != std::string::npos; }, kSoon));
    other->stop();
    tributary({"device", "retire", "b4"});
    EXPECT_EQ(listed().find("/b4/down' of 'hub-"), std::string::npos) << listed();
}

TEST_F(DeniedTopic, OfABoardIsNamedByTheBoard) {
    broker.start_with(test::with_acl(
        "topic readwrite tributary/#\ntopic deny tributary/1/+/b4/up\n", dir / "acl"));
    start_hub();
    start_other();
    EXPECT_TRUE(test::eventually(
        [&] { return other->err().find("/b4/up' of 'b4': not authorised") != std::string::npos; },
        kSoon))
        << other->err();
}

TEST_F(DeniedTopic, OfABoardIsSeenByDoctorWhileNoDaemonRuns) {
    const std::string all = "topic readwrite tributary/#\n";
    broker.start_with(test::with_acl(all, dir / "acl"));
    start_hub();
    start_other();
    ASSERT_TRUE(
        test::eventually([&] { return std::filesystem::exists(dir / "b4/pins.json"); }, kSoon));
    other->stop();
    const auto doctor = [&] {
        return test::run({test::program("tributary-agent"), "--config", dir / "b4.toml", "doctor"});
    };
    const test::Finished well = doctor();
    EXPECT_EQ(well.ending.exit_code, 0) << well.out;

    broker.start_with(test::with_acl(all + "topic deny tributary/1/+/b4/up\n", dir / "acl"));
    const test::Finished ill = doctor();
    EXPECT_EQ(ill.ending.exit_code, 5) << ill.out;
    EXPECT_NE(ill.out.find("/b4/up' of 'b4': not authorised; check its ACL"), std::string::npos)
        << ill.out;
}

TEST_F(DaemonTest, DoctorSeesABrokerThatTakesNoMessagesOfOurSize) {
    const std::string rights = test::with_acl("topic readwrite tributary/1/+/+/up\n", dir / "acl");
    broker.start_with(rights);
    const std::string well = agent({"doctor"}).out;
    EXPECT_NE(well.find("ok    broker"), std::string::npos) << well;
    broker.start_with(rights + "message_size_limit 100000\n");
    const std::string ill = agent({"doctor"}).out;
    EXPECT_NE(ill.find("its message_size_limit is below that; raise it"), std::string::npos) << ill;
}

TEST_F(DaemonTest, AHubWithoutABrokerSaysWhyAndWhenItTriesAgain) {
    broker.start_with("allow_anonymous false\n");
    start_hub();
    const auto list = [&] {
        return test::run({test::program("tributary"), "--hub", "http://" + hub_address(), "device",
                          "list"})
            .out;
    };
    EXPECT_TRUE(test::eventually(
        [&] { return list().find("does not authorise 'hub-") != std::string::npos; }, kSoon));
    EXPECT_NE(list().find("; next attempt in "), std::string::npos) << list();

    broker.start_with("allow_anonymous true\n");
    EXPECT_TRUE(
        test::eventually([&] { return list().find("no broker") == std::string::npos; }, kSoon))
        << list();
}

}  // namespace
}  // namespace tributary::agent
