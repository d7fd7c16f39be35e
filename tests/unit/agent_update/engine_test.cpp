#include "agent/update/engine.h"

#include <gtest/gtest.h>

#include "agent/update/install_room.h"
#include "common/store/closure.h"
#include "tests/support/install_board.h"

namespace tributary::agent {
namespace {

using test::Model;

class InstallEngineTest : public testing::Test {
protected:
    void SetUp() override {
        const Status booted = board.boot();
        ASSERT_TRUE(booted) << booted.error().what;
    }
    Model install(std::uint64_t seed, std::uint64_t number) {
        const Model model = board.make_model(seed);
        board.engine->on_assign(*board.store, board.assign(model, number));
        board.run();
        return model;
    }
    // The one report there is, as "state detail".
    std::string result() {
        EXPECT_EQ(board.reports.size(), 1u);
        if (board.reports.empty()) return "";
        return board.reports.back().state + " " + board.reports.back().detail;
    }
    void health(int exit_code, std::uint64_t takes_ms = 0) {
        board.commands.behave = [=](const Command&) {
            return test::SimCommands::Behaviour{exit_code, takes_ms};
        };
    }

    test::InstallBoard board;
};

TEST_F(InstallEngineTest, InstallsAnApprovedVersionAndReportsWhatRuns) {
    const Model model = install(1, 1);
    EXPECT_EQ(result(), "committed ");
    EXPECT_EQ(board.current(), model.files);
    const InstallBody& report = board.reports.back();
    EXPECT_EQ(report.number, 1u);
    EXPECT_EQ(report.model, "defects");
    EXPECT_EQ(report.version, model.version);
    EXPECT_EQ(report.running, model.version);
    EXPECT_EQ(report.running_content, model.content.digest);
}

TEST_F(InstallEngineTest, KeepsTheExecutableBit) {
    install(1, 1);
    const std::string dir = join_path(test::InstallBoard::kDir, "current");
    EXPECT_TRUE(board.machine.files.stat(join_path(dir, "run.sh"))->executable);
    EXPECT_FALSE(board.machine.files.stat(join_path(dir, "model.bin"))->executable);
}

TEST_F(InstallEngineTest, InstallsOneFileOfAVersion) {
    const Model model = board.make_model(1);
    Assignment assignment = board.assignment_of(model, 1);
    assignment.path = "notes/labels.txt";
    board.engine->on_assign(
        *board.store, board.seal(assignment, board.approval_of(model), board.hub, board.alice));
    board.run();
    EXPECT_EQ(result(), "committed ");
    const std::map<std::string, Bytes> expected = {
        {"labels.txt", model.files.at("notes/labels.txt")}};
    EXPECT_EQ(board.current(), expected);
}

TEST_F(InstallEngineTest, SwitchesBetweenTheSlotsAndKeepsTheOldOne) {
    install(1, 1);
    const Model second = install(2, 2);
    EXPECT_EQ(board.current(), second.files);
    EXPECT_EQ(*board.machine.files.read_link(join_path(test::InstallBoard::kDir, "current")), "b");
    EXPECT_TRUE(board.exists("a"));
    const Model third = install(3, 3);
    EXPECT_EQ(board.current(), third.files);
    EXPECT_EQ(*board.machine.files.read_link(join_path(test::InstallBoard::kDir, "current")), "a");
}

TEST_F(InstallEngineTest, WaitsUntilTheVersionIsWhole) {
    // Another board's store makes the version, so that this one lacks it.
    test::InstallBoard elsewhere;
    ASSERT_TRUE(elsewhere.boot());
    const Model model = elsewhere.make_model(7);
    board.engine->on_assign(*board.store, board.assign(model, 1));
    board.run();
    EXPECT_TRUE(board.reports.empty());
    EXPECT_EQ(board.engine->expected(), std::vector<VersionId>{model.version});

    ASSERT_TRUE(closure_of(*elsewhere.store, model.version, {}, [&](const RecordKey& key) {
        return board.store->stage_record(*elsewhere.store->read_record(key));
    }));
    ASSERT_TRUE(board.store->commit());
    board.engine->on_version_whole(model.version);
    board.run();
    EXPECT_EQ(result(), "committed ");
    EXPECT_EQ(board.current(), model.files);
    EXPECT_TRUE(board.engine->expected().empty());
}

// What is admitted, and of which nothing is here.
class AwaitedVersion : public InstallEngineTest {
protected:
    void SetUp() override {
        InstallEngineTest::SetUp();
        ASSERT_TRUE(elsewhere.boot());
        model = elsewhere.make_model(7);
        board.engine->on_assign(*board.store, board.assign(model, 1));
        board.run();
        ASSERT_EQ(board.engine->expected(), std::vector<VersionId>{model.version});
        auto& files = board.machine.files;
        files.set_capacity(kLarge);
        files.set_capacity(kLarge - *files.free_bytes("/data") + kFree);
    }
    static constexpr std::uint64_t kLarge = 1'000'000'000;
    static constexpr std::uint64_t kFree = 12'000'000;
    static constexpr std::uint64_t kReserve = kSpaceReserveBytes;
    test::InstallBoard elsewhere;
    Model model;
};

TEST_F(AwaitedVersion, ThatDoesNotFitIntoStoreAndSlotFailsBeforeItComes) {
    board.engine->on_push_offered({.stored_bytes = 4'000'000, .plain_bytes = 4'000'000});
    board.run();
    EXPECT_EQ(result(), "failed space");
    EXPECT_TRUE(board.engine->expected().empty());
}

TEST_F(AwaitedVersion, MayBeOfferedBeforeItsAssignmentIsChecked) {
    board.engine->on_assign(*board.store, board.assign(model, 2));
    board.engine->on_push_offered({.stored_bytes = 4'000'000, .plain_bytes = 4'000'000});
    board.run();
    ASSERT_EQ(board.reports.size(), 2u);
    EXPECT_EQ(board.reports.front().state, "cancelled");
    EXPECT_EQ(board.reports.back().state + " " + board.reports.back().detail, "failed space");
}

TEST_F(AwaitedVersion, ThatFitsIntoStoreAndSlotIsWaitedFor) {
    board.engine->on_push_offered(
        {.stored_bytes = 1'000'000, .plain_bytes = kFree - kReserve - 1'000'000});
    board.run();
    EXPECT_TRUE(board.reports.empty());
    EXPECT_FALSE(board.engine->expected().empty());
}

// ---- probation

TEST_F(InstallEngineTest, AsksTheHealthCommandUntilTheEndOfProbation) {
    install(1, 1);
    // At 0, 4 and 8 s, and at the end, 10 s; each look takes a moment.
    ASSERT_EQ(board.commands.started.size(), 4u);
    const Command& command = board.commands.started.front();
    EXPECT_EQ(command.shell, "check");
    EXPECT_EQ(command.timeout_ms, 2'000u);
    const std::map<std::string, std::string> environment(command.environment.begin(),
                                                         command.environment.end());
    EXPECT_EQ(environment.at("TRIBUTARY_MODEL"), "defects");
    EXPECT_EQ(environment.at("TRIBUTARY_MODEL_DIR"), "/data/models/defects/current");
    EXPECT_EQ(environment.at("TRIBUTARY_VERSION"), board.reports.back().version.text());
}

TEST_F(InstallEngineTest, GoesBackWhenTheHealthCommandFails) {
    const Model old = install(1, 1);
    board.reports.clear();
    health(1);
    install(2, 2);
    EXPECT_EQ(result(), "rolled_back health");
    EXPECT_EQ(board.reports.back().running, old.version);
    EXPECT_EQ(board.reports.back().running_content, old.content.digest);
    EXPECT_EQ(board.current(), old.files);
    EXPECT_FALSE(board.exists("b")) << "the slot of what failed is given back";
}

TEST_F(InstallEngineTest, GoesBackWhenTheHealthCommandFailsLateInProbation) {
    const Model old = install(1, 1);
    board.reports.clear();
    board.commands.started.clear();
    board.commands.behave = [&](const Command&) {
        return test::SimCommands::Behaviour{board.commands.started.size() < 4 ? 0 : 3, 10};
    };
    install(2, 2);
    EXPECT_EQ(board.commands.started.size(), 4u);
    EXPECT_EQ(result(), "rolled_back health");
    EXPECT_EQ(board.current(), old.files);
}

TEST_F(InstallEngineTest, GoesBackWhenTheHealthCommandHangs) {
    const Model old = install(1, 1);
    board.reports.clear();
    health(0, test::SimCommands::kForever);
    install(2, 2);
    EXPECT_EQ(result(), "rolled_back timeout");
    EXPECT_EQ(board.current(), old.files);
    EXPECT_EQ(board.commands.running, 0u);
}

TEST_F(InstallEngineTest, LeavesNoModelWhenTheFirstOneFails) {
    health(1);
    install(1, 1);
    EXPECT_EQ(result(), "rolled_back health");
    EXPECT_TRUE(board.reports.back().running.is_none());
    EXPECT_EQ(board.current(), std::nullopt);
    EXPECT_FALSE(board.exists("a"));
}

TEST_F(InstallEngineTest, SaysUnprovenWhenNoHealthCommandIsConfigured) {
    board.config.models[0].health.clear();
    install(1, 1);
    EXPECT_EQ(result(), "committed unproven");
    EXPECT_TRUE(board.commands.started.empty());
}

TEST_F(InstallEngineTest, TakesBackAModelThatKeepsRestartingTheBoard) {
    const Model old = install(1, 1);
    board.reports.clear();
    health(0, 1'000);
    const Model bad = board.make_model(2);
    board.engine->on_assign(*board.store, board.assign(bad, 2));
    for (std::uint32_t start = 1; start <= rollout::kProbationStartsMax; ++start) {
        while (board.commands.running == 0) ASSERT_TRUE(board.run_one());
        EXPECT_EQ(board.current(), bad.files);
        board.machine.files.crash(start);
        board.machine.files.restart();
        ASSERT_TRUE(board.boot());
    }
    board.run();
    EXPECT_EQ(result(), "rolled_back restarts");
    EXPECT_EQ(board.current(), old.files);
}

TEST_F(InstallEngineTest, AHigherNumberTakesTheModelOver) {
    health(0, 1'000);
    const Model first = board.make_model(1);
    const Model second = board.make_model(2);
    board.engine->on_assign(*board.store, board.assign(first, 1));
    while (board.commands.running == 0) ASSERT_TRUE(board.run_one());
    board.engine->on_assign(*board.store, board.assign(second, 2));
    EXPECT_EQ(board.commands.running, 0u);
    board.run();
    ASSERT_EQ(board.reports.size(), 2u);
    EXPECT_EQ(board.reports[0].state + " " + board.reports[0].detail, "rolled_back superseded");
    EXPECT_EQ(board.reports[1].state, "committed");
    EXPECT_EQ(board.current(), second.files);
}

TEST_F(InstallEngineTest, ModelsAreInstalledSideBySide) {
    ModelConfig other = board.config.models[0];
    other.name = "sounds";
    board.config.models.push_back(other);
    const Model model = board.make_model(1);
    Assignment assignment = board.assignment_of(model, 2);
    assignment.model = "sounds";
    board.engine->on_assign(*board.store, board.assign(model, 1));
    board.engine->on_assign(
        *board.store, board.seal(assignment, board.approval_of(model), board.hub, board.alice));
    board.run();
    ASSERT_EQ(board.reports.size(), 2u);
    EXPECT_EQ(board.reports[0].state, "committed");
    EXPECT_EQ(board.reports[1].state, "committed");
    EXPECT_TRUE(board.machine.files.stat_target("/data/models/sounds/current/model.bin"));
}

// ---- trouble

TEST_F(InstallEngineTest, AReportThatCouldNotBeMadeIsAskedForAgain) {
    const Model model = board.make_model(1);
    board.engine->on_assign(*board.store, board.assign(model, 1));
    std::optional<InstallBody> report;
    while (!report) {
        const auto step = board.engine->step(*board.store);
        report = step.report;
        ASSERT_TRUE(report || step.next);
        if (step.next && *step.next > board.machine.clock.mono())
            board.machine.clock.advance(step.next->ms - board.machine.clock.mono().ms);
    }
    board.engine->reported(fail(Errc::exhausted, "full"));
    board.run();
    EXPECT_EQ(result(), "committed ");
}

TEST_F(InstallEngineTest, AnswersAnAssignmentOnce) {
    const Model model = board.make_model(1);
    const sync::Assign documents = board.assign(model, 1);
    for (int i = 0; i < 3; ++i) {
        board.engine->on_assign(*board.store, documents);
        board.run();
        ASSERT_TRUE(board.boot());
    }
    EXPECT_EQ(result(), "committed ");
}

TEST_F(InstallEngineTest, RefusesToReplaceWhatIsNotItsLink) {
    ASSERT_TRUE(
        board.machine.files.make_directories(join_path(test::InstallBoard::kDir, "current")));
    install(1, 1);
    EXPECT_EQ(result(), "failed link");
}

TEST_F(InstallEngineTest, FailsWhenTheVersionIsNotTheApprovedContent) {
    const Model good = board.make_model(1);
    Model lie = board.make_model(2);
    lie.content = good.content;
    board.engine->on_assign(*board.store, board.assign(lie, 1));
    board.run();
    EXPECT_EQ(result(), "failed content");
    EXPECT_EQ(board.current(), std::nullopt);
}

TEST_F(InstallEngineTest, FailsWhenTheSlotDoesNotReadBackAsItShould) {
    const Model model = board.make_model(1);
    board.engine->on_assign(*board.store, board.assign(model, 1));
    bool damaged = false;
    board.machine.files.set_hook([&](test::SimFiles::Effect effect, const std::string& path) {
        if (damaged || effect != test::SimFiles::Effect::sync_directory) return;
        if (path != join_path(test::InstallBoard::kDir, "a")) return;
        if (!board.machine.files.stat(path + "/run.sh")) return;
        damaged = true;
        board.machine.files.flip_bit(path + "/model.bin", 8 * 30'000);
    });
    board.run();
    EXPECT_TRUE(damaged);
    EXPECT_EQ(result(), "failed digest");
    EXPECT_EQ(board.current(), std::nullopt);
}

TEST_F(InstallEngineTest, FailsWhenThereIsNoRoomForTheVersion) {
    const Model model = board.make_model(1);
    board.engine->on_assign(*board.store, board.assign(model, 1));
    bool full = false;
    board.machine.files.set_hook([&](test::SimFiles::Effect, const std::string& path) {
        if (full || path != join_path(test::InstallBoard::kDir, "a")) return;
        full = true;
        const auto free = *board.machine.files.free_bytes("/");
        board.machine.files.set_capacity((std::uint64_t{1} << 40) - free + kSpaceReserveBytes +
                                         20'000);
    });
    board.run();
    EXPECT_EQ(result(), "failed space");
}

TEST(InstallEngine, GoesOnWhenItsStateCanBeStoredAgain) {
    for (std::uint64_t nth = 1; nth < 10; ++nth) {
        SCOPED_TRACE(nth);
        test::InstallBoard board;
        ASSERT_TRUE(board.boot());
        const Model model = board.make_model(1);
        board.engine->on_assign(*board.store, board.assign(model, 1));
        board.machine.files.fail_call(test::SimFiles::Effect::rename, nth, 5);
        board.run();
        ASSERT_EQ(board.reports.size(), 1u);
        EXPECT_EQ(board.reports[0].state, "committed");
        EXPECT_EQ(board.current(), model.files);
    }
}

}  // namespace
}  // namespace tributary::agent
