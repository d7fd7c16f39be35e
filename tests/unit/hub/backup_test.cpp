#include "hub/store/backup.h"

#include <cerrno>

#include "common/hash/hash.h"
#include "hub/registry/registry.h"
#include "hub/store/manifest.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::Random;

std::string noise(std::uint64_t seed, std::size_t bytes) {
    return std::string(as_text(Random(seed).bytes(bytes)));
}

StoreOptions small_segments() {
    StoreOptions options = test::in_memory_index();
    options.segment_bytes = 32 * 1024;
    return options;
}

// A hub on one disk and its backup on it too, with segments that are soon full.
class BackupTest : public testing::Test {
protected:
    BackupTest() : entropy(2) { open("hub"); }

    void open(const std::string& dir) {
        ledger.reset();
        state_dir = dir;
        ledger = Ledger::open(files, clock, entropy, state_dir, options).value();
    }
    Result<BackupReport> back_up(const BackupOptions& with = {}) {
        return hub::back_up(files, clock, state_dir, "backup", with);
    }
    Result<RestoreReport> restore(const std::string& to, RestoreOptions with = {}) {
        with.store = options;
        return hub::restore(files, clock, entropy, "backup", to, with);
    }
    // The hub's disk is lost; it goes on from the backup.
    void fall_back_to_backup() {
        ledger.reset();
        clock.advance(60'000);
        const std::string to = state_dir + "-again";
        const auto restored = restore(to);
        ASSERT_TRUE(restored) << restored.error().what;
        open(to);
    }
    VersionId commit(std::uint64_t number, std::vector<VersionId> parents = {}) {
        clock.advance(1000);
        return board.commit("fleet/data", {{"x", noise(number, 9000)}}, std::move(parents));
    }
    // Recorded, and receipted by the hub: a batch of its own there.
    VersionId deliver(std::uint64_t number) {
        const VersionId version = commit(number);
        EXPECT_EQ(meet(board).receipts.size(), 1u);
        return version;
    }
    AgentEnd& meet(Board& of) {
        ends.push_back(
            std::make_unique<AgentEnd>(of, of.device(), *ledger, clock, 100 + ends.size()));
        ends.back()->connect();
        return *ends.back();
    }
    static void give_up(Store& store, std::vector<VersionId> versions) {
        CompactionPlan plan;
        plan.evict = std::move(versions);
        plan.dead_percent_min = 0;
        const auto compaction = store.compact(std::move(plan)).value();
        while (!compaction->step().value()) {
        }
    }
    std::vector<std::string> files_of_backup() {
        std::vector<std::string> all{"backup/manifest.json"};
        for (const char* folder : {"backup/segments", "backup/files"}) {
            const std::vector<std::string> names = files.list(folder).value();
            for (const std::string& name : names) all.push_back(join_path(folder, name));
        }
        return all;
    }

    test::SimFiles files;
    test::SimClock clock;
    test::SimEntropy entropy;
    StoreOptions options = small_segments();
    std::string state_dir;
    Board board{"a", 1, small_segments()};
    std::unique_ptr<Ledger> ledger;
    std::vector<std::unique_ptr<AgentEnd>> ends;
};

TEST_F(BackupTest, BringsBackAllThatTheHubHeldWhenItWasMade) {
    board.bind_at(*ledger);
    std::vector<VersionId> versions;
    for (std::uint64_t i = 0; i < 8; ++i) versions.push_back(deliver(i));
    const auto made = back_up();
    ASSERT_TRUE(made) << made.error().what;
    EXPECT_GT(made->segments, 2u);
    EXPECT_TRUE(made->damage.empty());

    fall_back_to_backup();

    for (const VersionId& version : versions)
        EXPECT_NE(ledger->catalog().version(version), nullptr);
    EXPECT_EQ(ledger->catalog().ref("fleet/data", "device/a/main"), versions.back());
    EXPECT_EQ(ledger->store().check(true).value(), std::vector<std::string>());
}

TEST_F(BackupTest, GoesOnInANewJournalThatContinuesTheOneBefore) {
    ASSERT_TRUE(back_up());
    const JournalHead before = ledger->store().head();
    ledger.reset();
    clock.advance(1000);

    const auto restored = restore("again");

    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_EQ(restored->epoch, 2u);
    EXPECT_EQ(restored->continues_sequence, before.sequence);
    open("again");
    EXPECT_EQ(ledger->epoch(), 2u);
    EXPECT_NE(ledger->store().head().incarnation, before.incarnation);
}

TEST_F(BackupTest, CopiesOnlyWhatIsNew) {
    board.bind_at(*ledger);
    for (std::uint64_t i = 0; i < 10; ++i) deliver(i);
    const BackupReport first = back_up().value();
    EXPECT_EQ(back_up().value().copied_bytes, 0u);
    const std::uint64_t before = ledger->store().counters().stored_bytes;
    deliver(21);
    const std::uint64_t grown = ledger->store().counters().stored_bytes - before;
    ASSERT_GT(grown, 9000u);

    const BackupReport second = back_up().value();

    // What was acknowledged, and the footer of a segment that was sealed meanwhile.
    EXPECT_LE(second.copied_bytes, grown);
    EXPECT_GE(second.copied_bytes, 9000u);
    EXPECT_EQ(second.bytes, first.bytes + second.copied_bytes);
}

TEST_F(BackupTest, TakesNothingThatIsStillBeingWritten) {
    board.bind_at(*ledger);
    commit(1);
    meet(board);
    const std::vector<std::string> names = files.list("hub/store/segments").value();
    const std::string newest = "hub/store/segments/" + names.back();
    const BackupReport before = back_up().value();
    {
        const auto file = files.open_append(newest).value();
        ASSERT_TRUE(file->append(Bytes(300, 0x54)));  // half a batch
    }

    const BackupReport after = back_up().value();

    EXPECT_EQ(after.copied_bytes, 0u);
    EXPECT_EQ(after.bytes, before.bytes);
    EXPECT_TRUE(restore("again", {.check = true}));
}

TEST_F(BackupTest, GetsBackFromABoardWhatItRecordedSince) {
    board.bind_at(*ledger);
    commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    const VersionId since = deliver(2);

    fall_back_to_backup();
    EXPECT_EQ(ledger->catalog().version(since), nullptr);
    AgentEnd& end = meet(board);

    EXPECT_NE(ledger->catalog().version(since), nullptr);
    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(end.receipts[0].epoch, 2u);
    EXPECT_TRUE(end.troubles.empty());
}

// Both count epoch 2, but they are not the same hub.
TEST_F(BackupTest, ABoardAsksForANewReceiptAfterASecondRestoreOfTheSameBackup) {
    board.bind_at(*ledger);
    commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    fall_back_to_backup();
    meet(board);

    fall_back_to_backup();
    AgentEnd& end = meet(board);

    EXPECT_EQ(ledger->epoch(), 2u);
    EXPECT_EQ(end.receipts.size(), 1u);
}

TEST_F(BackupTest, NamesWhatABoardGaveUpSince) {
    board.bind_at(*ledger);
    commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    const VersionId gone = deliver(2);
    VersionId kept;
    for (std::uint64_t i = 3; i < 9; ++i) kept = deliver(i);
    give_up(board.store(), {gone});
    ASSERT_FALSE(first_missing(board.store(), kept, {}).value());

    fall_back_to_backup();
    const AgentEnd& end = meet(board);

    EXPECT_TRUE(end.troubles.empty());
    EXPECT_NE(ledger->catalog().version(kept), nullptr);
    const Device& device = *ledger->catalog().device("a");
    EXPECT_EQ(ledger->catalog().not_whole(device), 1u);
    const auto named = ledger->catalog().refused(board.store().head().incarnation);
    ASSERT_EQ(named.count(gone.digest), 1u);
}

TEST_F(BackupTest, GivesNumbersToAssignmentsThatNoBoardHasSeen) {
    board.bind_at(*ledger);
    const VersionId version = commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    ASSERT_TRUE(ledger->append(
        {AssignedBody{"a", 7, "m", "fleet/data", version, sha256(as_bytes("lost"))}}));

    fall_back_to_backup();
    EXPECT_GT(ledger->catalog().last_assignment_number(), 7u);
}

TEST_F(BackupTest, NamesEachFileInWhichABitFlipped) {
    board.bind_at(*ledger);
    for (std::uint64_t i = 0; i < 5; ++i) deliver(i);
    ASSERT_TRUE(back_up());
    Random random(5);
    for (const std::string& path : files_of_backup()) {
        const std::uint64_t bits = files.stat(path)->size * 8;
        if (bits == 0) continue;
        const std::uint64_t bit = random.below(bits);
        files.flip_bit(path, bit);

        const auto checked = restore("again", {.check = true});

        ASSERT_FALSE(checked) << path << " bit " << bit;
        EXPECT_EQ(checked.error().code, Errc::corrupt) << checked.error().what;
        EXPECT_NE(checked.error().what.find(path), std::string::npos) << checked.error().what;
        EXPECT_FALSE(restore("again"));
        EXPECT_FALSE(files.stat("again")) << "nothing is made of a damaged backup";
        files.flip_bit(path, bit);
    }
    EXPECT_TRUE(restore("again"));
}

TEST_F(BackupTest, TakesWhatIsSoundFromADamagedBackupWhenAsked) {
    board.bind_at(*ledger);
    std::vector<VersionId> versions;
    for (std::uint64_t i = 0; i < 8; ++i) versions.push_back(deliver(i));
    ASSERT_TRUE(back_up());
    files.flip_bit("backup/segments/000002.seg", 8 * 5000);

    const auto restored = restore("again", {.salvage = true});

    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_FALSE(restored->damage.empty());
    open("again");
    std::size_t readable = 0;
    for (const VersionId& version : versions)
        readable += ledger->catalog().version(version) ? 1u : 0u;
    EXPECT_GE(readable, versions.size() - 2);
}

TEST_F(BackupTest, CopiesADamagedLogAndSaysWhatIsDamaged) {
    board.bind_at(*ledger);
    for (std::uint64_t i = 0; i < 8; ++i) deliver(i);
    files.flip_bit("hub/store/segments/000001.seg", 8 * 4000);

    const auto made = back_up();

    ASSERT_TRUE(made) << made.error().what;
    ASSERT_FALSE(made->damage.empty());
    EXPECT_NE(made->damage[0].find("segments/000001.seg at byte"), std::string::npos);
    EXPECT_EQ(back_up()->damage, made->damage) << "it stays damaged";
    const auto restored = restore("again");
    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_FALSE(restored->damage.empty());
}

TEST_F(BackupTest, KeepsTheSoundCopyOfASegmentThatTheHubLost) {
    board.bind_at(*ledger);
    const VersionId version = deliver(1);
    for (std::uint64_t i = 2; i < 9; ++i) deliver(i);
    ASSERT_TRUE(back_up());
    ASSERT_TRUE(files.remove("hub/store/segments/000001.seg"));

    const auto made = back_up();

    ASSERT_TRUE(made) << made.error().what;
    ASSERT_EQ(made->damage.size(), 1u);
    EXPECT_NE(made->damage[0].find("earlier copy is kept"), std::string::npos);
    fall_back_to_backup();
    EXPECT_NE(ledger->catalog().version(version), nullptr);
}

TEST_F(BackupTest, KeepsTheOneBeforeWhenTheDiskFills) {
    board.bind_at(*ledger);
    const VersionId version = commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    for (std::uint64_t i = 2; i < 9; ++i) deliver(i);
    for (std::uint64_t nth = 1;; ++nth) {
        files.fail_call(test::SimFiles::Effect::append, nth, ENOSPC);
        const auto made = back_up();
        if (made) break;
        EXPECT_EQ(made.error().code, Errc::exhausted);
        EXPECT_NE(made.error().what.find("stays as it was"), std::string::npos);
        const auto checked = restore("none", {.check = true});
        ASSERT_TRUE(checked) << checked.error().what;
        ASSERT_LT(nth, 100u);
    }
    while (replace_file(files, "scratch", as_bytes("the failure that was not met"))) {
    }
    fall_back_to_backup();
    EXPECT_NE(ledger->catalog().version(version), nullptr);
}

TEST_F(BackupTest, RefusesTheFolderOfAnotherHub) {
    board.bind_at(*ledger);
    commit(1);
    meet(board);
    ASSERT_TRUE(back_up());
    open("other");
    for (std::uint64_t i = 0; i < 3; ++i)
        ASSERT_TRUE(ledger->append({RefMovedBody{
            "fleet/data", "gone", VersionId{sha256(as_bytes("x"))}, {}, "cli", "me"}}));

    const auto made = back_up();

    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::conflict);
    EXPECT_TRUE(restore("none", {.check = true}));
}

TEST_F(BackupTest, RefusesAFolderOfOtherFiles) {
    ASSERT_TRUE(files.make_directories("backup"));
    ASSERT_TRUE(replace_file(files, "backup/letter.txt", as_bytes("dear")));
    const auto made = back_up();
    ASSERT_FALSE(made);
    EXPECT_NE(made.error().what.find("letter.txt"), std::string::npos);
}

TEST_F(BackupTest, RestoresIntoAnEmptyFolderOnly) {
    ASSERT_TRUE(back_up());
    const auto restored = restore("hub");
    ASSERT_FALSE(restored);
    EXPECT_EQ(restored.error().code, Errc::conflict);
    EXPECT_EQ(ledger->epoch(), 1u);
}

TEST_F(BackupTest, NeedsTheKeyOfTheHubAndNoOther) {
    ASSERT_TRUE(back_up({.with_key = false}));
    for (const std::string& path : files_of_backup())
        EXPECT_EQ(as_text(read_file(files, path, 1 << 20).value()).find("PRIVATE"),
                  std::string::npos);
    ASSERT_TRUE(trust::create_key(files, entropy, "other.pem"));

    const auto without = restore("one");
    const auto with_another = restore("two", {.key_path = "other.pem"});
    const auto with_it = restore("three", {.key_path = "hub/key.pem"});

    ASSERT_FALSE(without);
    EXPECT_EQ(without.error().code, Errc::invalid);
    ASSERT_FALSE(with_another);
    EXPECT_EQ(with_another.error().code, Errc::denied);
    EXPECT_TRUE(with_it);
}

TEST_F(BackupTest, NoHubRunsOnARestoreThatWasCutShort) {
    ASSERT_TRUE(back_up());
    files.fail_call(test::SimFiles::Effect::remove, 1, EIO);  // of the mark that it is unfinished
    ASSERT_FALSE(restore("again"));

    const auto opened = Ledger::open(files, clock, entropy, "again", options);

    ASSERT_FALSE(opened);
    EXPECT_NE(opened.error().what.find("cut short"), std::string::npos);
}

TEST_F(BackupTest, FollowsCompaction) {
    board.bind_at(*ledger);
    std::vector<VersionId> versions;
    for (std::uint64_t i = 0; i < 12; ++i) versions.push_back(deliver(i));
    ASSERT_TRUE(back_up());
    give_up(ledger->store(), {versions.begin(), versions.begin() + 8});
    ASSERT_FALSE(files.stat("hub/store/segments/000001.seg"));

    const auto made = back_up();

    ASSERT_TRUE(made) << made.error().what;
    EXPECT_TRUE(made->damage.empty());
    EXPECT_FALSE(files.stat("backup/segments/000001.seg"));
    const auto restored = restore("again");
    ASSERT_TRUE(restored) << restored.error().what;
    EXPECT_TRUE(restored->damage.empty());
    open("again");
    EXPECT_NE(ledger->catalog().version(versions.back()), nullptr);
}

}  // namespace
}  // namespace tributary::hub
