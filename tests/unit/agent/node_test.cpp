#include "agent/app/node.h"

#include "agent/app/verbs.h"
#include "tests/unit/agent/node_fixture.h"

namespace tributary::agent {
namespace {

class SilentConsole final : public Console {
public:
    void out(std::string_view text) override { said += text; }
    void err(std::string_view text) override { said += text; }
    void progress(std::string_view) override {}
    std::string said;
};

class OpenNode : public testing::Test {
protected:
    OpenNode() { config.state_dir = "/state"; }

    Result<Node> open(StoreUse use, std::uint64_t wait_ms = kStoreWaitMs) {
        return open_node(world, config, use, "tributary-agent test", console,
                         StoreWait{wait_ms, {}});
    }

    test::SimFiles files;
    test::SimClock clock;
    test::SimEntropy entropy{1};
    World world{files, clock, entropy, [this](std::uint64_t ms) { clock.advance(ms); }};
    Config config;
    SilentConsole console;
};

TEST_F(OpenNode, MakesStoreKeyAndJournalOnlyToRecord) {
    ASSERT_TRUE(open(StoreUse::read));
    EXPECT_FALSE(files.stat("/state"));

    const auto node = open(StoreUse::record);
    ASSERT_TRUE(node) << node.error().what;
    EXPECT_EQ(node->store->head().sequence, 1u);
    EXPECT_TRUE(files.stat("/state/key.pem"));
}

TEST_F(OpenNode, KeepsTheJournalItFinds) {
    const Incarnation first = open(StoreUse::record)->store->head().incarnation;
    const auto again = open(StoreUse::record);
    EXPECT_EQ(again->store->head().incarnation, first);
    EXPECT_EQ(again->store->head().sequence, 1u);
}

TEST_F(OpenNode, GivesUpAfterItsWaitAndNamesTheHolder) {
    ASSERT_TRUE(open(StoreUse::record));
    const auto lock = files.lock("/state/store/lock", "tributary-agent run");
    ASSERT_TRUE(lock);
    const MonoTime began = clock.mono();

    const auto node = open(StoreUse::record);

    ASSERT_FALSE(node);
    EXPECT_TRUE(is_store_in_use(node.error()));
    EXPECT_NE(node.error().what.find("tributary-agent run"), std::string::npos)
        << node.error().what;
    EXPECT_EQ(exit_code_of(node.error()), ExitCode::error);
    EXPECT_GE(clock.mono(), began + kStoreWaitMs);
    EXPECT_LT(clock.mono(), began + kStoreWaitMs + 1000);
}

TEST_F(OpenNode, DoesNotWaitForAHolderThatStays) {
    ASSERT_TRUE(open(StoreUse::record));
    const auto lock = files.lock("/state/store/lock", "tributary-agent run");
    const MonoTime began = clock.mono();
    const auto node = open_node(world, config, StoreUse::record, "tributary-agent run", console,
                                StoreWait{kStoreWaitMs, {}, "tributary-agent run"});
    ASSERT_FALSE(node);
    EXPECT_EQ(clock.mono(), began);
    EXPECT_TRUE(is_store_in_use(node.error()));
    EXPECT_NE(node.error().what.find("stop that one"), std::string::npos) << node.error().what;
}

TEST_F(OpenNode, SaysThatTheStateDirIsAFile) {
    ASSERT_TRUE(replace_file(files, "/state", as_bytes("x")));
    const auto node = open(StoreUse::record);
    ASSERT_FALSE(node);
    EXPECT_NE(node.error().what.find("/state is a file"), std::string::npos) << node.error().what;
}

TEST_F(OpenNode, GetsAStoreThatIsLetGoInTime) {
    ASSERT_TRUE(open(StoreUse::record));
    auto lock = files.lock("/state/store/lock", "another");
    ASSERT_TRUE(lock);
    world.sleep_ms = [&](std::uint64_t ms) {
        clock.advance(ms);
        if (clock.mono() >= MonoTime{5'000}) lock->reset();
    };
    EXPECT_TRUE(open(StoreUse::record));
}

}  // namespace
}  // namespace tributary::agent
