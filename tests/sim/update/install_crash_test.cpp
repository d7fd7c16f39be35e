// Wherever the power is cut during an install or a rollback: `current` names a whole model at every
// start, and the assignment ends, reported.
#include <gtest/gtest.h>

#include "tests/support/full_counts.h"
#include "tests/support/install_board.h"

namespace tributary::agent {
namespace {

using test::InstallBoard;
using test::Model;

struct Case {
    bool has_old = false;  // a model runs already
    bool healthy = true;
};

// A board with what the case needs, and the assignment that is to be tried.
struct Story {
    explicit Story(const Case& c) : which(c) {
        EXPECT_TRUE(board.boot());
        board.config.models[0].probation_ms = 1'000;
        board.config.models[0].health_interval_ms = 1'000;
        if (which.has_old) {
            old = board.make_model(1);
            board.engine->on_assign(*board.store, board.assign(*old, 1));
            board.run();
        }
        fresh = board.make_model(2);
        documents = board.assign(fresh, 2);
        const int exit_code = which.healthy ? 0 : 1;
        board.commands.behave = [exit_code](const Command&) {
            return test::SimCommands::Behaviour{exit_code, 10};
        };
        board.reports.clear();
    }

    // The hub repeats an assignment until the journal answers it.
    void play() {
        board.engine->on_assign(*board.store, documents);
        board.run();
    }
    // After a cut.
    Status power_on() {
        board.machine.files.set_hook({});
        board.machine.files.restart();
        return board.boot();
    }
    std::uint64_t effects() { return board.machine.files.effects(); }

    void expect_whole_model() {
        const auto current = board.current();
        if (!current)
            EXPECT_FALSE(old) << "the old model is gone";
        else
            EXPECT_TRUE(*current == fresh.files || (old && *current == old->files));
    }
    void expect_ended() {
        const auto states = board.journal(2);
        ASSERT_FALSE(states.empty());
        for (const std::string& state : states)
            EXPECT_EQ(state, which.healthy ? "committed" : "rolled_back");
        std::optional<std::map<std::string, Bytes>> expected;
        if (which.healthy)
            expected = fresh.files;
        else if (old)
            expected = old->files;
        EXPECT_EQ(board.current(), expected);
    }

    const Case which;
    InstallBoard board;
    std::optional<Model> old;
    Model fresh;
    sync::Assign documents;
};

void cut_everywhere(const Case& which, std::uint64_t seeds) {
    Story dry(which);
    const std::uint64_t begin = dry.effects();
    dry.play();
    dry.expect_ended();
    const std::uint64_t end = dry.effects();
    ASSERT_GT(end, begin + 50);
    for (std::uint64_t at = begin; at <= end; ++at) {
        for (std::uint64_t seed = 0; seed < seeds; ++seed) {
            SCOPED_TRACE("cut before effect " + std::to_string(at) + ", seed " +
                         std::to_string(seed));
            Story story(which);
            story.board.machine.files.crash_before_effect(at, seed);
            story.play();
            if (at == end) story.board.machine.files.crash(seed);
            ASSERT_TRUE(story.power_on());
            story.expect_whole_model();
            // Once more, somewhere on the way after it.
            const std::uint64_t again = story.effects() + (at * 7 + seed * 13) % (end - begin);
            story.board.machine.files.crash_before_effect(again, seed + 1);
            story.play();
            ASSERT_TRUE(story.power_on());
            story.expect_whole_model();
            story.play();
            story.expect_ended();
            if (testing::Test::HasFailure()) return;
        }
    }
}

TEST(InstallCrash, AnUpdateEndsCommitted) {
    cut_everywhere({.has_old = true, .healthy = true}, test::damage_seeds(4));
}

TEST(InstallCrash, AFirstInstallEndsCommitted) {
    cut_everywhere({.has_old = false, .healthy = true}, test::damage_seeds(2));
}

TEST(InstallCrash, AnUpdateThatFailsEndsOnTheModelBefore) {
    cut_everywhere({.has_old = true, .healthy = false}, test::damage_seeds(4));
}

TEST(InstallCrash, AFirstInstallThatFailsEndsWithNoModel) {
    cut_everywhere({.has_old = false, .healthy = false}, test::damage_seeds(2));
}

// Every call of a kind fails once, and the process goes on.
TEST(InstallCrash, AFailingDiskNeverLeavesHalfAModel) {
    using Effect = test::SimFiles::Effect;
    for (const Effect effect :
         {Effect::create, Effect::append, Effect::sync, Effect::rename, Effect::remove,
          Effect::make_directory, Effect::sync_directory, Effect::replace_link}) {
        for (std::uint64_t nth = 1; nth < 60; ++nth) {
            SCOPED_TRACE("effect " + std::to_string(int(effect)) + ", call " + std::to_string(nth));
            Story story({.has_old = true, .healthy = true});
            story.board.machine.files.fail_call(effect, nth, 5);
            story.play();
            story.expect_whole_model();
            story.board.machine.files.crash(nth);
            // A call that was never made before may be made, and fail, now.
            if (!story.power_on()) {
                ASSERT_TRUE(story.power_on());
            }
            story.expect_whole_model();
            story.play();
            story.expect_whole_model();
            EXPECT_FALSE(story.board.journal(2).empty());
            if (testing::Test::HasFailure()) return;
        }
    }
}

}  // namespace
}  // namespace tributary::agent
