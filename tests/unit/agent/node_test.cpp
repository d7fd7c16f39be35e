#include "agent/app/node.h"

#include "agent/app/verbs.h"
#include "agent/sync/new_journal.h"
#include "agent/update/slot.h"
#include "agent/update/state.h"
#include "common/hash/hash.h"
#include "common/store/state_file.h"
#include "common/trust/trust.h"
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

    void write_config() {
        ASSERT_TRUE(replace_file(files, "/agent.toml", as_bytes("state_dir = \"/state\"\n")));
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

TEST_F(OpenNode, StatusSaysHowAnInstallEndedThatDoesNotRun) {
    config.models.resize(2);
    config.models[0].name = "digits";
    config.models[1].name = "faces";
    auto node = open(StoreUse::record);
    InstallBody failed;
    failed.number = 1;
    failed.model = "digits";
    failed.version = VersionId{sha256(as_bytes("1"))};
    failed.state = "failed";
    failed.detail = "space";
    InstallBody runs = failed;
    runs.model = "faces";
    runs.state = "committed";
    runs.detail.clear();
    runs.running = runs.version;
    ASSERT_TRUE(node->store->stage_entry(failed));
    ASSERT_TRUE(node->store->stage_entry(runs));
    ASSERT_TRUE(node->store->commit());

    EXPECT_EQ(run_status(*node, {}, {}, console), ExitCode::ok);

    EXPECT_NE(console.said.find("model     digits runs nothing yet; the last install, of " +
                                failed.version.text() + ", ended as failed: space\n"),
              std::string::npos)
        << console.said;
    EXPECT_NE(console.said.find("model     faces runs nothing yet\n"), std::string::npos);
}

TEST_F(OpenNode, StatusNamesEachModelAndWhatRunsAndComes) {
    config.models.resize(2);
    config.models[0].name = "digits";
    config.models[1].name = "faces";
    auto node = open(StoreUse::record);
    const VersionId one{sha256(as_bytes("1"))}, two{sha256(as_bytes("2"))};
    InstallerState state;
    state.marks = {{"digits", "a", one, TreeId{sha256(as_bytes("t"))}}};
    state.installs.resize(1);
    state.installs[0].model = "digits";
    state.installs[0].version = two;
    state.installs[0].state = rollout::InstallState::downloading;
    ASSERT_TRUE(StateFile::open(files, config.install_path())->save(encode_installer_state(state)));
    ASSERT_TRUE(files.make_directories("/state/models/digits/a"));
    ASSERT_TRUE(switch_to(files, "/state/models/digits", "a"));

    EXPECT_EQ(run_status(*node, {}, {}, console), ExitCode::ok);

    EXPECT_NE(console.said.find("model     digits runs " + one.text() + "; " + two.text() +
                                " is in state downloading\n"),
              std::string::npos)
        << console.said;
    EXPECT_NE(console.said.find("model     faces runs nothing yet\n"), std::string::npos);
}

TEST_F(OpenNode, StatusAndDoctorSayThatAJournalIsAheadOfTheClock) {
    write_config();
    const auto now = clock.wall();
    clock.set_wall(WallTime{now.ms + 1000ull * 86'400'000});
    ASSERT_TRUE(open(StoreUse::record));
    clock.set_wall(now);

    auto node = open(StoreUse::record);
    EXPECT_EQ(run_status(*node, {}, {}, console), ExitCode::ok);
    EXPECT_NE(console.said.find("time is 1000 d ahead of the clock"), std::string::npos)
        << console.said;
    node = fail(Errc::cancelled, "closed");
    console.said.clear();
    (void)run_doctor(world, "/agent.toml", {}, console, {});
    EXPECT_NE(console.said.find("warn  journal   its time is 1000 d ahead"), std::string::npos)
        << console.said;
}

TEST_F(OpenNode, DoctorAsksTheDaemonThatHasTheStore) {
    write_config();
    ASSERT_TRUE(open(StoreUse::record));
    const auto lock = files.lock("/state/store/lock", "tributary-agent run");
    std::string trouble = "null";
    const auto ask = [&](const std::string&, const StoreVerb&, OutputStyle, Console& to) {
        to.out(R"({"daemon":{"broker_connected":true,"hub_connected":true,"trouble":)" + trouble +
               "}}");
        return std::optional(ExitCode::ok);
    };
    EXPECT_EQ(run_doctor(world, "/agent.toml", {}, console, ask), ExitCode::ok) << console.said;
    EXPECT_NE(console.said.find("ok    sync"), std::string::npos) << console.said;

    trouble = "null,\"link_closed\":\"content rests\"";
    EXPECT_EQ(run_doctor(world, "/agent.toml", {}, console, ask), ExitCode::ok);
    EXPECT_NE(console.said.find("warn  link      content rests"), std::string::npos)
        << console.said;
    trouble = "\"this board was revoked\",\"denied\":true";
    EXPECT_EQ(run_doctor(world, "/agent.toml", {}, console, ask), ExitCode::refused);

    trouble = "\"this board was revoked\"";
    EXPECT_EQ(run_doctor(world, "/agent.toml", {}, console, ask), ExitCode::error);
    EXPECT_NE(console.said.find("fail  sync      this board was revoked"), std::string::npos)
        << console.said;
    ASSERT_TRUE(files.remove("/state/key.pem"));
    EXPECT_EQ(run_doctor(world, "/agent.toml", {}, console, ask), ExitCode::error);
    EXPECT_NE(console.said.find("fail  key"), std::string::npos) << console.said;
}

TEST_F(OpenNode, DoctorSaysWhichModelRunsAndWhichDoesNotYet) {
    ASSERT_TRUE(open(StoreUse::record));
    ASSERT_TRUE(replace_file(files, "/agent.toml", as_bytes(R"(state_dir = "/state"
[[model]]
name = "digits"
[[model]]
name = "faces"
)")));
    ASSERT_TRUE(files.make_directories("/state/models/digits/a"));
    ASSERT_TRUE(switch_to(files, "/state/models/digits", "a"));
    (void)run_doctor(world, "/agent.toml", {}, console, {});
    EXPECT_NE(console.said.find("digits runs in /state/models/digits/a\n"), std::string::npos)
        << console.said;
    EXPECT_NE(console.said.find("faces will be installed in /state/models/faces; nothing is yet\n"),
              std::string::npos);
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
    EXPECT_LT(clock.mono(), began + 1000);
    EXPECT_TRUE(is_store_in_use(node.error()));
    EXPECT_NE(node.error().what.find("stop that one"), std::string::npos) << node.error().what;
}

TEST_F(OpenNode, WaitsForAHolderThatHasNotYetWrittenWhoItIs) {
    ASSERT_TRUE(open(StoreUse::record));
    auto lock = files.lock("/state/store/lock", "tributary-agent run");  // of the one before
    world.sleep_ms = [&](std::uint64_t ms) {
        clock.advance(ms);
        lock->reset();
        if (clock.mono() < MonoTime{5'000})
            lock = files.lock("/state/store/lock", "tributary-agent commit");
    };
    EXPECT_TRUE(open_node(world, config, StoreUse::record, "tributary-agent run", console,
                          StoreWait{kStoreWaitMs, {}, "tributary-agent run"}));
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

// ---- a store that cannot go on in its journal ----

class WokenStore : public OpenNode {
protected:
    WokenStore() {
        world.hardware = [this] { return Hardware{{{"serial", {serial}}}}; };
        first = open(StoreUse::record)->store->head().incarnation;
    }
    // Says that version `number` was committed.
    static void say(const Node& node, std::uint64_t number) {
        Bytes name(8);
        store_le(name.data(), number);
        ASSERT_TRUE(node.store->stage_entry(CommitBody{"a/b", "main", VersionId{sha256(name)}}));
        ASSERT_TRUE(node.store->commit());
    }
    static std::vector<EntryBody> bodies(const Node& node) {
        std::vector<EntryBody> all;
        EXPECT_TRUE(
            node.store->read_entries(node.store->head().incarnation, 1, [&](ByteView plain) {
                const EntryView entry = parse_entry(plain).value();
                all.push_back(parse_body(entry.header.kind, entry.body).value());
                return true;
            }));
        return all;
    }
    std::string serial = "one";
    Incarnation first;
};

TEST_F(WokenStore, GoesOnInANewJournalOnAnotherMachineAndSaysThereWhatNoReceiptCovers) {
    JournalHead before;
    {
        const auto node = open(StoreUse::record);
        for (std::uint64_t i = 0; i < 600; ++i) say(*node, i);
        before = node->store->head();
    }
    serial = "two";

    auto node = open(StoreUse::record);

    ASSERT_TRUE(node) << node.error().what;
    EXPECT_NE(node->store->head().incarnation, first);
    const std::vector<EntryBody> said = bodies(*node);
    ASSERT_EQ(said.size(), 601u);
    const auto& start = std::get<StartBody>(said[0]);
    EXPECT_EQ(start.continues, first);
    EXPECT_EQ(start.continues_sequence, before.sequence);
    EXPECT_EQ(start.continues_hash, before.hash);
    EXPECT_EQ(node->store->branch_head("a/b", "main", node->store->head().incarnation).value()->id,
              node->store->branch_head("a/b", "main", first).value()->id);
    const Incarnation second = node->store->head().incarnation;
    node->store.reset();
    EXPECT_EQ(open(StoreUse::record)->store->head().incarnation, second);
}

TEST_F(WokenStore, IsAnotherDeviceOnAnotherMachine) {
    const Bytes key = trust::load_key(files, config.key_path()).value()->public_key();
    ASSERT_TRUE(replace_file(files, config.pins_path(), as_bytes("pins")));
    serial = "two";
    ASSERT_TRUE(open(StoreUse::record));

    EXPECT_NE(trust::load_key(files, config.key_path()).value()->public_key(), key);
    EXPECT_FALSE(files.stat(config.pins_path()));
    EXPECT_TRUE(files.stat(config.former_pins_path()));
}

TEST_F(WokenStore, IsAnotherDeviceWhenItsKeyWasRemoved) {
    ASSERT_TRUE(replace_file(files, config.pins_path(), as_bytes("pins")));
    ASSERT_TRUE(files.remove(config.key_path()));
    EXPECT_NE(open(StoreUse::record)->store->head().incarnation, first);
    EXPECT_TRUE(files.stat(config.key_path()));
    EXPECT_FALSE(files.stat(config.pins_path()));
}

TEST_F(WokenStore, RecordsOnWhenItsKeyCannotBeRead) {
    ASSERT_TRUE(replace_file(files, config.key_path(), as_bytes("no key")));
    EXPECT_EQ(open(StoreUse::record)->store->head().incarnation, first);
}

TEST_F(WokenStore, GoesOnAsItWasOnTheSameMachine) {
    EXPECT_EQ(open(StoreUse::record)->store->head().incarnation, first);
}

// A store of before it was noted.
TEST_F(WokenStore, GoesOnAsItWasWhereNothingIsNoted) {
    ASSERT_TRUE(files.remove(config.hardware_path()));
    serial = "two";
    EXPECT_EQ(open(StoreUse::record)->store->head().incarnation, first);
    serial = "three";
    EXPECT_NE(open(StoreUse::record)->store->head().incarnation, first);
}

// Whatever comes between, the journal it ends in is its key's, and says each thing once.
TEST_F(WokenStore, SaysAllAgainWhateverPowerCutComesBetween) {
    {
        const auto node = open(StoreUse::record);
        for (std::uint64_t i = 0; i < 300; ++i) say(*node, i);
    }
    const auto wake = [this](std::uint64_t effect) {
        // Of the two ways to become another device in turn.
        if (effect % 2 == 0)
            serial = "of cut " + std::to_string(effect);
        else
            ASSERT_TRUE(files.remove(config.key_path()));
    };
    for (std::uint64_t effect = 0;; ++effect) {
        SCOPED_TRACE("cut before effect " + std::to_string(effect));
        const Incarnation before = open(StoreUse::record)->store->head().incarnation;
        wake(effect);
        ASSERT_TRUE(files.sync_directory("/state"));
        files.crash_before_effect(files.effects() + effect, effect);
        const bool done = open(StoreUse::record).has_value();
        files.crash(effect);
        files.restart();
        files.set_hook({});
        const auto node = open(StoreUse::record);
        ASSERT_TRUE(node) << node.error().what;
        ASSERT_NE(node->store->head().incarnation, before);
        ASSERT_EQ(bodies(*node).size(), 301u);
        ASSERT_EQ(start_of_journal(*node->store)->public_key,
                  trust::load_key(files, config.key_path()).value()->public_key());
        if (done) break;
        ASSERT_LT(effect, 200u);
    }
}

}  // namespace
}  // namespace tributary::agent
