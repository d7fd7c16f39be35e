// Backup and restore with the power cut before every call that changes the disk, several times over
// with different damage. The backup before is whole at any instant, and a folder is a hub's or it
// is none.
#include "hub/store/backup.h"

#include <functional>

#include "tests/support/full_counts.h"
#include "tests/support/random.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::Random;

const std::uint64_t kDamages = test::damage_seeds(4);

// A hub with a backup, and more since.
struct Story {
    Story() : entropy(2) {
        options.index_path = ":memory:";
        options.segment_bytes = 16 * 1024;
        grow(0);
        EXPECT_TRUE(run_backup());
        in_backup = recorded;
        grow(1);
        EXPECT_TRUE(files.sync_directory("."));
    }

    void grow(std::uint64_t from) {
        auto ledger = Ledger::open(files, clock, entropy, "hub", options).value();
        for (std::uint64_t i = 0; i < 4; ++i) {
            const Bytes noise = Random(from * 100 + i).bytes(6000);
            recorded.push_back(board.commit("fleet/data", {{"x", std::string(as_text(noise))}}));
            board.bring_to(*ledger);
        }
    }
    Result<BackupReport> run_backup() { return back_up(files, clock, "hub", "backup"); }
    Result<RestoreReport> run_restore(const std::string& to) {
        RestoreOptions with;
        with.store = options;
        return restore(files, clock, entropy, "backup", to, with);
    }
    // What a hub in `dir` holds of `versions`, and nothing is damaged.
    void expect_held(const std::string& dir, const std::vector<VersionId>& versions) {
        const auto ledger = Ledger::open(files, clock, entropy, dir, options);
        ASSERT_TRUE(ledger) << ledger.error().what;
        for (const VersionId& version : versions)
            EXPECT_NE((*ledger)->catalog().version(version), nullptr);
        EXPECT_EQ((*ledger)->store().check(true).value(), std::vector<std::string>());
    }

    test::SimFiles files;
    test::SimClock clock;
    test::SimEntropy entropy;
    StoreOptions options;
    Board board{"a", 1};
    std::vector<VersionId> recorded, in_backup;
};

// Cuts the power before every effect of `work`, which says whether it came to its end, and lets
// `look` judge what is left.
void cut_everywhere(const std::function<bool(Story&)>& work,
                    const std::function<void(Story&)>& look) {
    std::uint64_t cuts = 0;
    bool finished = false;
    for (std::uint64_t effect = 0; !finished; ++effect) {
        for (std::uint64_t damage = 0; damage < kDamages; ++damage) {
            SCOPED_TRACE("cut before effect " + std::to_string(effect) + ", damage " +
                         std::to_string(damage));
            Story story;
            story.files.crash_before_effect(story.files.effects() + effect, 50 * effect + damage);
            finished = work(story);
            if (finished) break;
            ++cuts;
            story.files.restart();
            story.files.set_hook({});
            look(story);
            if (testing::Test::HasFatalFailure()) return;
        }
    }
    EXPECT_GT(cuts, 30u);
}

TEST(BackupUnderPowerCuts, TheOneBeforeHoldsUntilTheNewOneDoes) {
    cut_everywhere([](Story& story) { return story.run_backup().has_value(); },
                   [](Story& story) {
                       const auto restored = story.run_restore("again");
                       ASSERT_TRUE(restored) << restored.error().what;
                       story.expect_held("again", story.in_backup);
                       const auto next = story.run_backup();
                       ASSERT_TRUE(next) << next.error().what;
                       ASSERT_TRUE(story.run_restore("last"));
                       story.expect_held("last", story.recorded);
                   });
}

TEST(RestoreUnderPowerCuts, AFolderIsAHubsOrNone) {
    cut_everywhere([](Story& story) { return story.run_restore("again").has_value(); },
                   [](Story& story) {
                       const bool any = story.files.stat("again/store/format").has_value() ||
                                        story.files.stat("again/key.pem").has_value();
                       if (any && story.files.stat("again/restoring")) {
                           const auto opened = Ledger::open(story.files, story.clock, story.entropy,
                                                            "again", story.options);
                           ASSERT_FALSE(opened);
                           EXPECT_EQ(opened.error().code, Errc::conflict);
                       } else if (any) {
                           story.expect_held("again", story.in_backup);
                       }
                       ASSERT_TRUE(story.run_restore("other"));
                       story.expect_held("other", story.in_backup);
                   });
}

}  // namespace
}  // namespace tributary::hub
