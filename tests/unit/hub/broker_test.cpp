// The broker's acl_file, who tells the broker, and the broker as a child of the hub.
#include <cerrno>

#include <csignal>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "hub/broker/acl.h"
#include "hub/broker/broker_keeper.h"
#include "hub/broker/broker_process.h"
#include "tests/support/manual_loop.h"
#include "tests/support/sim_commands.h"
#include "tests/support/sim_files.h"

namespace tributary::hub {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(BrokerAcl, DeniesTheRevokedAndReadsThemBack) {
    const std::string text = acl_text({"b1", "b2"});
    EXPECT_THAT(text, HasSubstr("\nuser b1\ntopic deny #\n"));
    EXPECT_EQ(denied_in(text), (std::set<std::string>{"b1", "b2"}));
    EXPECT_TRUE(denied_in(acl_text({})).empty());
}

TEST(BrokerVersion, IsRefusedWhenTooOldOrUnknown) {
    EXPECT_TRUE(check_broker_version("mosquitto version 2.0.11\n\nmosquitto is"));
    EXPECT_TRUE(check_broker_version("mosquitto version 2.1.0\n"));
    EXPECT_TRUE(check_broker_version("mosquitto version 10.0\n"));
    EXPECT_EQ(check_broker_version("mosquitto version 2.0.9\n").error().code, Errc::unsupported);
    EXPECT_EQ(check_broker_version("mosquitto version 1.6.12 (build)\n").error().code,
              Errc::unsupported);
    EXPECT_EQ(check_broker_version("sh: not found").error().code, Errc::unavailable);
}

// Answers as it is told, at once.
struct FakeCutter final : SessionCutter {
    struct Heard {
        std::vector<std::string> clients;
        unsigned failures = 0;  // of the next
    };
    FakeCutter(Loop& on, Heard& in) : loop(on), heard(in) {}
    void cut(const std::string& client, std::function<void(Status)> done) override {
        heard.clients.push_back(client);
        const bool fails = heard.failures > 0 && heard.failures-- > 0;
        loop.post([fails, done = std::move(done)] {
            done(fails ? Status(fail(Errc::unavailable, "no")) : Status());
        });
    }
    Loop& loop;
    Heard& heard;
};

struct BrokerAccessTest : ::testing::Test {
    static constexpr const char* kAcl = "/acl";

    void make(BrokerKeeperOptions options) {
        options.acl_path = kAcl;
        keeper = std::make_unique<BrokerKeeper>(
            loop, files, commands, std::make_unique<FakeCutter>(loop, heard), std::move(options));
    }
    void make_own() {
        BrokerKeeperOptions options;
        options.reload = [this] {
            reloads += 1;
            return reload_ms;
        };
        make(std::move(options));
    }
    void settle() {
        ASSERT_TRUE(loop.run_until([&] { return keeper->idle() && loop.idle(); }));
    }
    std::set<std::string> in_file() {
        const auto acl = read_file(files, kAcl, 1 << 20);
        return acl ? denied_in(as_text(*acl)) : std::set<std::string>{"no file"};
    }

    test::ManualLoop loop;
    test::SimFiles files;
    test::SimClock clock;
    test::SimCommands commands{clock};
    FakeCutter::Heard heard;
    unsigned reloads = 0;
    std::uint64_t reload_ms = 0;
    std::unique_ptr<BrokerKeeper> keeper;
};

TEST_F(BrokerAccessTest, WritesReloadsAndThenCutsWhoIsNew) {
    make_own();
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    settle();
    EXPECT_EQ(in_file(), std::set<std::string>{"b1"});
    EXPECT_EQ(reloads, 1u);
    EXPECT_THAT(heard.clients, ElementsAre("b1"));

    ASSERT_TRUE(keeper->deny({{"b1", "b2"}, {}}));
    settle();
    EXPECT_EQ(reloads, 2u);
    EXPECT_THAT(heard.clients, ElementsAre("b1", "b2"));
}

TEST_F(BrokerAccessTest, DoesNothingAboutWhatIsInForce) {
    ASSERT_TRUE(replace_file(files, kAcl, as_bytes(acl_text({"b1"}))));
    make_own();
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    settle();
    EXPECT_EQ(reloads, 0u);
    EXPECT_TRUE(heard.clients.empty());
}

TEST_F(BrokerAccessTest, WritesAgainWhatADiskDidNotTake) {
    make_own();
    files.fail_call(test::SimFiles::Effect::append, 1, ENOSPC);
    EXPECT_FALSE(keeper->deny({{"b1"}, {}}));
    EXPECT_FALSE(keeper->idle());
    EXPECT_EQ(reloads, 0u);

    settle();

    EXPECT_EQ(in_file(), std::set<std::string>{"b1"});
    EXPECT_EQ(reloads, 1u);
    EXPECT_THAT(heard.clients, ElementsAre("b1"));
}

TEST_F(BrokerAccessTest, LetsADeviceInAgain) {
    make_own();
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    settle();
    ASSERT_TRUE(keeper->deny({{}, {}}));
    settle();
    EXPECT_TRUE(in_file().empty());
    EXPECT_EQ(reloads, 2u);
    EXPECT_THAT(heard.clients, ElementsAre("b1"));
}

TEST_F(BrokerAccessTest, TriesToCutAgainAndGivesUpAfterSome) {
    make_own();
    heard.failures = 2;
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    settle();
    EXPECT_THAT(heard.clients, ElementsAre("b1", "b1", "b1"));

    heard = {{}, 1000};
    ASSERT_TRUE(keeper->deny({{"b1", "b2"}, {}}));
    settle();
    EXPECT_EQ(heard.clients.size(), 5u);
}

TEST_F(BrokerAccessTest, TellsABrokerOfOthersByTheCommandUntilItSucceeds) {
    unsigned failures = 2;
    commands.behave = [&](const Command&) {
        return test::SimCommands::Behaviour{failures > 0 && failures-- > 0 ? 1 : 0, 0};
    };
    BrokerKeeperOptions options;
    options.reload_command = "systemctl reload mosquitto";
    make(std::move(options));
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    EXPECT_TRUE(heard.clients.empty()) << "cut before the broker was told";
    settle();
    ASSERT_EQ(commands.started.size(), 3u);
    EXPECT_EQ(commands.started.back().shell, "systemctl reload mosquitto");
    EXPECT_THAT(heard.clients, ElementsAre("b1"));
}

TEST_F(BrokerAccessTest, ListsRevokedCertificatesBeforeTheBrokerReads) {
    BrokerKeeperOptions options;
    std::string read_by_broker;
    options.reload = [&] {
        reloads += 1;
        read_by_broker = as_text(read_file(files, "/list", 1 << 20).value());
        return 0;
    };
    options.list_path = "/list";
    options.sign_list = [](std::span<const Bytes> serials) -> Result<std::string> {
        return "list of " + std::to_string(serials.size());
    };
    make(std::move(options));
    ASSERT_TRUE(keeper->deny({{}, {{1}}}));
    settle();
    EXPECT_EQ(read_by_broker, "list of 1");
    ASSERT_TRUE(keeper->deny({{}, {{1}}}));
    settle();
    EXPECT_EQ(reloads, 1u) << "it is in force";
    ASSERT_TRUE(keeper->deny({{}, {{1}, {2}}}));
    keeper->cut("b1");
    settle();
    EXPECT_EQ(read_by_broker, "list of 2");
    EXPECT_THAT(heard.clients, ElementsAre("b1"));
}

// The store was put back from a backup, the broker's folder was not.
TEST_F(BrokerAccessTest, TrustKeepsDenyingWhomAnEarlierLifeDenied) {
    ASSERT_TRUE(replace_file(files, kAcl, as_bytes(acl_text({"b1", "b2"}))));
    ASSERT_TRUE(replace_file(files, "/list", as_bytes("1")));
    BrokerKeeperOptions options;
    options.reload = [] { return 0; };
    options.list_path = "/list";
    options.read_list = [](std::string_view) -> Result<std::vector<Bytes>> {
        return std::vector<Bytes>{{1}};
    };
    std::vector<Bytes> listed;
    options.sign_list = [&](std::span<const Bytes> serials) -> Result<std::string> {
        listed.assign(serials.begin(), serials.end());
        return std::string("list");
    };
    make(std::move(options));
    ASSERT_TRUE(keeper->deny({{"b2"}, {{2}}}));
    settle();
    EXPECT_EQ(in_file(), (std::set<std::string>{"b1", "b2"}));
    EXPECT_EQ(keeper->unexplained(), std::set<std::string>{"b1"});
    EXPECT_EQ(listed, (std::vector<Bytes>{{1}, {2}}));

    keeper->settle("b1");
    ASSERT_TRUE(keeper->deny({{"b2"}, {{2}}}));
    settle();
    EXPECT_EQ(in_file(), std::set<std::string>{"b2"});
    EXPECT_TRUE(keeper->unexplained().empty());
    EXPECT_EQ(listed, (std::vector<Bytes>{{1}, {2}})) << "a certificate never comes back";
}

TEST_F(BrokerAccessTest, SaysWhenTheFileCannotBeWritten) {
    BrokerKeeperOptions options;
    options.reload = [this] { return reloads += 1, 0; };
    options.acl_path = "/missing/acl";
    BrokerKeeper elsewhere(loop, files, commands, nullptr, std::move(options));
    EXPECT_FALSE(elsewhere.deny({{"b1"}, {}}));
    EXPECT_EQ(reloads, 0u);
}

TEST_F(BrokerAccessTest, CutsNobodyBeforeTheBrokerHasReadWhomToDeny) {
    reload_ms = 900;
    make_own();
    const MonoTime began = loop.now();
    ASSERT_TRUE(keeper->deny({{"b1"}, {}}));
    EXPECT_FALSE(keeper->idle());
    ASSERT_TRUE(loop.run_until([&] { return !heard.clients.empty(); }));
    EXPECT_EQ(loop.now().ms - began.ms, 900u);
    settle();
    EXPECT_EQ(reloads, 1u);
}

TEST_F(BrokerAccessTest, TrustHasTheBrokerReadTheListAlsoWhenTheAclCannotBeWritten) {
    BrokerKeeperOptions options;
    options.reload = [this] { return reloads += 1, 0; };
    options.list_path = "/list";
    options.sign_list = [](std::span<const Bytes>) -> Result<std::string> {
        return std::string("list");
    };
    options.acl_path = "/missing/acl";
    BrokerKeeper elsewhere(loop, files, commands, nullptr, std::move(options));
    EXPECT_FALSE(elsewhere.deny({{"b1"}, {{1}}}));
    EXPECT_TRUE(files.stat("/list"));
    EXPECT_EQ(reloads, 1u);
}

TEST_F(BrokerAccessTest, TrustWritesNothingOverWhatItCouldNotRead) {
    ASSERT_TRUE(replace_file(files, "/list", as_bytes("damaged")));
    BrokerKeeperOptions options;
    options.reload = [] { return 0; };
    options.list_path = "/list";
    options.read_list = [](std::string_view text) -> Result<std::vector<Bytes>> {
        if (text == "damaged") return fail(Errc::corrupt, "no list");
        return std::vector<Bytes>{{1}};
    };
    std::vector<Bytes> listed;
    options.sign_list = [&](std::span<const Bytes> serials) -> Result<std::string> {
        listed.assign(serials.begin(), serials.end());
        return std::string("list");
    };
    make(std::move(options));
    const Status told = keeper->deny({{"b1"}, {{2}}});
    ASSERT_FALSE(told);
    EXPECT_THAT(told.error().what, HasSubstr("remove it"));
    EXPECT_EQ(in_file(), std::set<std::string>{"b1"}) << "that one is written";
    EXPECT_EQ(as_text(read_file(files, "/list", 1 << 20).value()), "damaged");

    ASSERT_TRUE(replace_file(files, "/list", as_bytes("mended")));
    settle();
    EXPECT_EQ(listed, (std::vector<Bytes>{{1}, {2}}));
}

struct BrokerProcessTest : ::testing::Test {
    test::ManualLoop loop;
    test::SimClock clock;
    test::SimCommands commands{clock};
    std::uint64_t runs_ms = test::SimCommands::kForever - 1;

    void SetUp() override {
        commands.behave = [this](const Command& command) {
            const bool asked = command.shell.ends_with("mosquitto -h");
            return test::SimCommands::Behaviour{3, asked ? 0 : runs_ms,
                                                "mosquitto version 2.0.11\n"};
        };
    }
    // How often it was started, the question for its version aside.
    std::size_t starts() const { return commands.started.size() - 1; }
};

TEST_F(BrokerProcessTest, StartsItAgainWithGrowingPauses) {
    runs_ms = 0;
    const auto broker = BrokerProcess::start(loop, commands, "/b'/mosquitto.conf");
    ASSERT_TRUE(broker) << broker.error().what;
    EXPECT_THAT(commands.started[1].shell, HasSubstr("cd '/b'\\''' && "));
    EXPECT_THAT(commands.started[1].shell, HasSubstr("exec mosquitto -c 'mosquitto.conf'"));
    const MonoTime began = loop.now();
    ASSERT_TRUE(loop.run_until([&] { return starts() == 5; }));
    EXPECT_EQ(loop.now().ms - began.ms, 1'000u + 2'000 + 4'000 + 8'000);
}

TEST_F(BrokerProcessTest, DoesNotReloadItBeforeItTakesSignals) {
    const auto broker = BrokerProcess::start(loop, commands, "/mosquitto.conf");
    ASSERT_TRUE(broker) << broker.error().what;
    const MonoTime began = loop.now();
    EXPECT_GE((*broker)->reload(), 1'000u) << "it is told no sooner";
    EXPECT_TRUE(commands.signals.empty());
    ASSERT_TRUE(loop.run_until([&] { return !commands.signals.empty(); }, 5'000));
    EXPECT_THAT(commands.signals, ElementsAre(SIGHUP));
    EXPECT_EQ(loop.now().ms - began.ms, 1'000u);
}

TEST_F(BrokerProcessTest, AsksItToEnd) {
    { const auto broker = BrokerProcess::start(loop, commands, "/mosquitto.conf"); }
    EXPECT_THAT(commands.signals, ElementsAre(SIGTERM));
    EXPECT_EQ(commands.running, 0u);
}

}  // namespace
}  // namespace tributary::hub
