#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "common/record/eviction.h"
#include "common/store/closure.h"
#include "tests/support/must.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::Random;
using test::read_files;
using test::stage_file;
using test::StoreMachine;

const std::string kRepo = "lab/model";

// A file of `size` bytes of which each version changes a tenth.
Bytes content(std::size_t number, std::size_t size = 20'000) {
    Bytes plain = Random(3).bytes(size);
    for (std::size_t k = 0; k <= number; ++k)
        Random(50 + k).fill(ByteSpan(plain).subspan(k * 1777 % (size - size / 10), size / 10));
    return plain;
}

// Turns a bit of every copy of these bytes in the segments; how many there were.
std::size_t flip_in_segments(StoreMachine& machine, ByteView bytes, std::size_t at) {
    std::size_t flipped = 0;
    const auto names = must(machine.files.list("/data/store/segments"));
    for (const std::string& name : names) {
        const std::string path = "/data/store/segments/" + name;
        const Bytes all = must(read_file(machine.files, path, std::size_t{64} << 20));
        for (auto from = all.begin();;) {
            from = std::search(from, all.end(), bytes.begin(), bytes.end());
            if (from == all.end()) break;
            const auto offset = static_cast<std::uint64_t>(from - all.begin());
            machine.files.flip_bit(path, (offset + at) * 8);
            ++flipped;
            ++from;
        }
    }
    return flipped;
}

struct Recorded {
    explicit Recorded(StoreMachine& on, std::size_t versions) : machine(on) {
        store = must(machine.open());
        for (std::size_t number = 0; number < versions; ++number) record(content(number));
    }

    VersionId record(const Bytes& plain, std::size_t piece_bytes = 4096) {
        machine.clock.advance(1000);
        const Bytes before = ids.empty() ? Bytes() : plains.back();
        const TreeItem item = must(stage_file(*store, "w.bin", plain, before, piece_bytes));
        ids.push_back(must(commit_version(*store, kRepo, "main", {item}, {},
                                          "version " + std::to_string(ids.size()))));
        plains.push_back(plain);
        return ids.back();
    }

    // Compacts to the end.
    CompactionReport compact(CompactionPlan plan) {
        const auto compaction = must(store->compact(std::move(plan)));
        while (!must(compaction->step())) {
        }
        return compaction->report();
    }

    CompactionPlan all_but_last(std::size_t kept) const {
        CompactionPlan plan;
        plan.evict.assign(ids.begin(), ids.end() - static_cast<std::ptrdiff_t>(kept));
        plan.dead_percent_min = 1;
        return plan;
    }

    void reopen() {
        store.reset();
        store = must(machine.open());
    }

    // Turns a bit of this record wherever it stands, while the store is closed.
    void damage(const RecordKey& key, std::size_t at = 100) {
        const Bytes frame = must(store->read_record(key));
        store.reset();
        ASSERT_GE(flip_in_segments(machine, frame, at), 1u);
        store = must(machine.open());
    }
    void damage_tree_of(const VersionId& version) {
        damage({RecordKind::tree, must(read_version(*store, version)).tree.digest});
    }

    void expect_sound() {
        EXPECT_THAT(store->recovery().damage, testing::IsEmpty());
        EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
    }
    void expect_readable(std::size_t from) {
        for (std::size_t i = from; i < ids.size(); ++i)
            EXPECT_EQ(must(read_files(*store, ids[i])), plains[i]) << "version " << i;
    }

    StoreMachine& machine;
    std::unique_ptr<Store> store;
    std::vector<VersionId> ids;
    std::vector<Bytes> plains;
};

std::unique_ptr<StoreMachine> small_segments() {
    auto machine = std::make_unique<StoreMachine>();
    machine->options.segment_bytes = 16 * 1024;
    return machine;
}

TEST(Compaction, GivesBackWhatEvictedVersionsTookAndKeepsTheRest) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    const std::uint64_t before = recorded.store->counters().stored_bytes;
    const CompactionReport report = recorded.compact(recorded.all_but_last(3));
    EXPECT_GT(report.segments_removed, 3u);
    EXPECT_EQ(report.bytes_before, before);
    EXPECT_LT(recorded.store->counters().stored_bytes, before * 2 / 3);
    for (int i = 0; i < 2; ++i) {
        recorded.expect_readable(27);
        recorded.expect_sound();
        EXPECT_FALSE(read_files(*recorded.store, recorded.ids[2]));
        EXPECT_TRUE(must(recorded.store->evicted(recorded.ids[2])));
        EXPECT_FALSE(must(recorded.store->evicted(recorded.ids[28])));
        recorded.reopen();
    }
    recorded.record(content(30));
    recorded.expect_readable(27);
}

TEST(Compaction, KeepsEveryEntryAndWhatWasSaidOfEachVersion) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    const JournalHead head = recorded.store->head();
    recorded.compact(recorded.all_but_last(1));
    recorded.reopen();
    EXPECT_EQ(recorded.store->head().hash, head.hash);
    std::uint64_t next = 1;
    ASSERT_TRUE(recorded.store->read_entries(head.incarnation, 1, [&](ByteView plain) {
        EXPECT_EQ(parse_entry(plain)->header.sequence, next++);
        return true;
    }));
    EXPECT_EQ(next, head.sequence + 1);
    const auto rows = must(recorded.store->versions(kRepo, 100));
    ASSERT_EQ(rows.size(), 30u);
    for (std::size_t i = 0; i < 30; ++i) {
        EXPECT_EQ(rows[29 - i].id, recorded.ids[i]);
        const Version version = must(read_version(*recorded.store, recorded.ids[i]));
        EXPECT_EQ(must(read_notes(*recorded.store, version.notes)).message,
                  "version " + std::to_string(i));
    }
    EXPECT_EQ(must(recorded.store->branch_head(kRepo, "main", head.incarnation))->id,
              recorded.ids[29]);
}

TEST(Compaction, LeavesTheIndexAsARebuildMakesIt) {
    const test::TempDir directory;
    const auto machine = small_segments();
    machine->options.index_path = directory.path() + "/index.sqlite";
    Recorded recorded(*machine, 30);
    recorded.compact(recorded.all_but_last(3));
    recorded.expect_sound();  // fsck compares the index with one made from the log
    for (std::uint64_t i = 0; i < 30; ++i) recorded.record(Random(i).bytes(900));  // no recipes
    recorded.compact(recorded.all_but_last(3));
    recorded.expect_sound();
    recorded.record(content(30));
    recorded.reopen();
    EXPECT_FALSE(recorded.store->recovery().index_rebuilt);
    recorded.expect_sound();
}

TEST(Compaction, OfADryRunWritesNothingAndSaysWhatWouldGo) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    const std::uint64_t effects = machine->files.effects();
    CompactionPlan plan = recorded.all_but_last(3);
    plan.dry_run = true;
    const CompactionReport said = recorded.compact(plan);
    EXPECT_EQ(machine->files.effects(), effects);
    EXPECT_FALSE(must(recorded.store->evicted(recorded.ids[0])));
    plan.dry_run = false;
    const CompactionReport done = recorded.compact(plan);
    EXPECT_EQ(said.segments_removed, done.segments_removed);
    EXPECT_EQ(said.removed_bytes, done.removed_bytes);
    EXPECT_GE(said.copied_bytes, done.copied_bytes);
    recorded.expect_readable(27);
}

TEST(Compaction, StopsWhenTheStoreIsSmallEnough) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    CompactionPlan plan = recorded.all_but_last(1);
    plan.target_bytes = recorded.store->counters().stored_bytes - 20'000;
    recorded.compact(plan);
    const std::uint64_t stored = recorded.store->counters().stored_bytes;
    EXPECT_LE(stored, plan.target_bytes);
    EXPECT_GT(stored, plan.target_bytes / 2);
    recorded.expect_sound();
}

TEST(Compaction, NeverTakesMoreThanOneSegmentOfRoomAboveWhatItStartedWith) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 40);
    const std::uint64_t before = recorded.store->counters().stored_bytes;
    std::uint64_t most = before;
    const auto compaction = must(recorded.store->compact(recorded.all_but_last(20)));
    while (!must(compaction->step()))
        most = std::max(most, recorded.store->counters().stored_bytes);
    // What is coded anew, and one segment's copies with their footer.
    EXPECT_LE(most, before + content(0).size() + 2 * 16 * 1024);
    EXPECT_LT(recorded.store->counters().stored_bytes, before);
}

TEST(Compaction, CopiesNothingWhenNothingIsDead) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 10);
    const auto report = recorded.compact({});
    EXPECT_EQ(report.segments_removed, 0u);
    EXPECT_EQ(report.copied_bytes, 0u);
}

TEST(Compaction, KeepsWhatIsOnItsWayIn) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    CompactionPlan plan = recorded.all_but_last(1);
    plan.also_keep = {recorded.ids[4], {sha256(as_bytes("not here yet"))}};
    recorded.compact(plan);
    EXPECT_EQ(must(read_files(*recorded.store, recorded.ids[4])), recorded.plains[4]);
    EXPECT_FALSE(must(recorded.store->evicted(recorded.ids[4])));
    recorded.expect_readable(19);
}

TEST(Compaction, RefusesToGiveUpTheNewestOfABranch) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 10);
    CompactionPlan plan = recorded.all_but_last(0);
    const auto refused = recorded.store->compact(plan);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid);
    EXPECT_THAT(refused.error().what, testing::HasSubstr(recorded.ids.back().text()));
    EXPECT_FALSE(must(recorded.store->evicted(recorded.ids.front()))) << "all or nothing";
    // In a journal that goes on, the branch is where the new one left it; until then, where the old
    // one did.
    must(recorded.store->start_journal(test::start_body()));
    must(recorded.store->commit());
    EXPECT_FALSE(recorded.store->compact(plan));
    recorded.record(content(10));
    EXPECT_TRUE(recorded.store->compact(plan));
}

TEST(Compaction, HoldsAgainWhatCameAgain) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    recorded.compact(recorded.all_but_last(2));
    ASSERT_TRUE(must(recorded.store->evicted(recorded.ids[5])));

    const TreeItem item = must(stage_file(*recorded.store, "w.bin", recorded.plains[5], {}, 4096));
    EXPECT_TRUE(must(recorded.store->evicted(recorded.ids[5]))) << "not whole yet";
    for (const EncodedTreeNode& node : must(encode_tree({item})).nodes)
        must(recorded.store->stage_object(RecordKind::tree, node.bytes));
    must(recorded.store->commit());

    EXPECT_FALSE(must(recorded.store->evicted(recorded.ids[5])));
    CompactionPlan plan;
    plan.dead_percent_min = 1;
    recorded.compact(plan);
    recorded.reopen();
    EXPECT_FALSE(must(recorded.store->evicted(recorded.ids[5])));
    EXPECT_EQ(must(read_files(*recorded.store, recorded.ids[5])), recorded.plains[5]);
    recorded.expect_sound();
    plan.evict = {recorded.ids[5]};
    recorded.compact(plan);
    EXPECT_TRUE(must(recorded.store->evicted(recorded.ids[5])));
    EXPECT_FALSE(read_files(*recorded.store, recorded.ids[5]));
}

TEST(Compaction, IsNotHinderedByWhoAsksWhatIsGivenUp) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    const auto compaction = must(recorded.store->compact(recorded.all_but_last(2)));
    do {
        for (std::size_t i = 0; i < 18; ++i)
            ASSERT_TRUE(must(recorded.store->evicted(recorded.ids[i]))) << i;
    } while (!must(compaction->step()));
    EXPECT_GT(compaction->report().segments_removed, 3u);
    EXPECT_FALSE(read_files(*recorded.store, recorded.ids[3]));
}

TEST(Compaction, KeepsTheBaseOfWhatIsReceivedMeanwhile) {
    // A peer has two versions of a file, the second coded against the first.
    StoreMachine peer_machine(2);
    const auto peer = must(peer_machine.open());
    const Bytes first = content(0), second = content(1);
    must(stage_file(*peer, "w.bin", first, {}, 4096));
    const TreeItem item = must(stage_file(*peer, "w.bin", second, first, 4096));
    const VersionId pushed = must(commit_version(*peer, kRepo, "main", {item}));
    for (std::size_t steps = 0; steps < 40; ++steps) {
        SCOPED_TRACE(steps);
        const auto machine = small_segments();
        Recorded recorded(*machine, 20);  // the first of them is the peer's
        const auto compaction = must(recorded.store->compact(recorded.all_but_last(1)));
        bool done = false;
        for (std::size_t i = 0; i < steps && !done; ++i) done = must(compaction->step());

        // As a receiver does: what is asked for, with or without base, is what is not here.
        must(closure_of(*peer, pushed, {}, [&](const RecordKey& key) -> Status {
            if (recorded.store->has(key)) return {};
            const RecordHeader header = must(peer->read_header(key));
            for (const Digest& base : header.bases())
                if (const RecordKey below{key.kind, base}; !recorded.store->has(below))
                    must(recorded.store->stage_record(must(peer->read_record(below))));
            return recorded.store->stage_record(must(peer->read_record(key)));
        }));
        must(recorded.store->commit());
        while (!done) done = must(compaction->step());

        EXPECT_EQ(must(first_missing(*recorded.store, pushed, {})), std::nullopt);
        EXPECT_EQ(must(read_files(*recorded.store, pushed)), second);
    }
}

TEST(Compaction, KeepsTheLastReceiptAboutEachJournal) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 2);
    const Incarnation first{{1}}, second{{2}};
    const auto said = [&](const Incarnation& journal, std::uint64_t sequence) {
        const Bytes bytes = test::unsigned_receipt(journal, sequence);
        const Digest name = must(recorded.store->stage_object(RecordKind::receipt, bytes));
        must(recorded.store->commit());
        return name;
    };
    const Digest old = said(first, 1);
    const Digest last_of_first = said(first, 2);
    const Digest last_of_second = said(second, 1);
    for (std::size_t number = 2; number < 30; ++number) recorded.record(content(number));
    recorded.compact(recorded.all_but_last(1));
    for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(must(recorded.store->latest_receipt(first)), last_of_first);
        EXPECT_EQ(must(recorded.store->latest_receipt(second)), last_of_second);
        EXPECT_EQ(must(recorded.store->latest_receipt({{3}})), std::nullopt);
        EXPECT_TRUE(recorded.store->has({RecordKind::receipt, last_of_first}));
        EXPECT_FALSE(recorded.store->has({RecordKind::receipt, old}));
        recorded.expect_sound();
        recorded.reopen();
    }
}

TEST(Compaction, IsNotMisledByARecipeThatOutlivedItsPieces) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 0);
    const Bytes plain = content(0);
    recorded.record(plain, 4096);
    for (std::size_t number = 1; number < 20; ++number) recorded.record(content(number));
    recorded.compact(recorded.all_but_last(1));
    recorded.record(plain, 3000);  // the same file, cut otherwise
    recorded.reopen();
    recorded.expect_readable(19);
    recorded.expect_sound();
    recorded.record(plain, 20'000);  // and as one piece without a recipe
    recorded.expect_readable(19);
}

TEST(Compaction, RefusesWhileAVersionThatStaysIsDamagedAndNamesIt) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    recorded.damage_tree_of(recorded.ids[15]);
    const auto compaction = must(recorded.store->compact(recorded.all_but_last(10)));
    Result<bool> step = false;
    while (step && !*step) step = compaction->step();
    for (int i = 0; i < 2; ++i, step = compaction->step()) {
        ASSERT_FALSE(step);
        EXPECT_EQ(step.error().code, Errc::corrupt);
        EXPECT_THAT(step.error().what, testing::HasSubstr(recorded.ids[15].text()));
    }
    EXPECT_EQ(recorded.store->compact({}).error().code, Errc::conflict) << "two at a time";
}

TEST(Compaction, GoesOnWhenTheDamagedVersionIsGivenUpAndTakesTheDamageAway) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    recorded.damage_tree_of(recorded.ids[5]);
    EXPECT_FALSE(must(recorded.store->check(true)).empty());
    recorded.compact(recorded.all_but_last(3));
    recorded.expect_readable(17);
    recorded.reopen();
    recorded.expect_sound();
}

TEST(Compaction, LeavesASegmentWhoseStatementsAreDamaged) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 20);
    const RecordKey version{RecordKind::version, recorded.ids[2].digest};
    recorded.damage(version);
    EXPECT_FALSE(recorded.store->read_record(version));
    recorded.compact(recorded.all_but_last(3));
    recorded.expect_readable(17);
    recorded.reopen();
    EXPECT_FALSE(must(recorded.store->check(true)).empty()) << "what is lost stays named";
}

TEST(Compaction, LeavesNoDoubtWhereTheJournalEnds) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 12);
    // Much comes in after the last entry, so that its segment is worth winning back.
    for (std::uint64_t i = 0; i < 60; ++i)
        must(recorded.store->stage_piece({.plain = Random(900 + i).bytes(1500)}, std::nullopt,
                                         codec::Level::fast));
    must(recorded.store->commit());
    for (std::uint64_t i = 0; i < 60; ++i)
        must(recorded.store->stage_piece({.plain = Random(990 + i).bytes(1500)}, std::nullopt,
                                         codec::Level::fast));
    must(recorded.store->commit());
    CompactionPlan plan = recorded.all_but_last(1);
    recorded.compact(plan);
    const JournalHead head = recorded.store->head();
    recorded.damage({RecordKind::entry, head.hash.digest}, 80);
    EXPECT_TRUE(recorded.store->recovery().head_in_doubt ||
                recorded.store->head().sequence == head.sequence);
}

TEST(Compaction, KeepsAVersionThatNoEntryCommits) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 1);
    const TreeItem item = must(stage_file(*recorded.store, "m.bin", Random(77).bytes(9000)));
    const EncodedTree tree = must(encode_tree({item}));
    for (const EncodedTreeNode& node : tree.nodes)
        must(recorded.store->stage_object(RecordKind::tree, node.bytes));
    Version merge;
    merge.tree = tree.id;
    merge.parents = {recorded.ids[0]};
    const VersionId id{
        must(recorded.store->stage_object(RecordKind::version, must(encode_version(merge))))};
    must(recorded.store->commit());
    for (std::size_t number = 1; number < 30; ++number) recorded.record(content(number));
    recorded.compact(recorded.all_but_last(2));
    EXPECT_EQ(must(read_files(*recorded.store, id)), Random(77).bytes(9000));
}

TEST(Compaction, GivesNoNumberOfARemovedSegmentOutAgain) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    recorded.compact(recorded.all_but_last(1));
    recorded.store.reset();
    const auto names = must(machine->files.list("/data/store/segments"));
    const std::set<std::string> sorted(names.begin(), names.end());
    for (const std::string& name : sorted)
        must(machine->files.remove("/data/store/segments/" + name));
    for (int i = 0; i < 2; ++i) {
        recorded.reopen();
        EXPECT_FALSE(recorded.store->recovery().damage.empty());
        if (recorded.store->head().incarnation.is_none())
            must(recorded.store->start_journal(test::start_body()));
        recorded.plains.clear();
        recorded.ids.clear();
        recorded.record(Random(5).bytes(20'000));
        recorded.reopen();
        recorded.expect_readable(0);
    }
}

TEST(Compaction, SweepsSegmentsLargerThanOneStep) {
    StoreMachine machine;
    machine.options.segment_bytes = 6 * 1024 * 1024;
    Recorded recorded(machine, 0);
    for (std::size_t i = 0; i < 12; ++i) {
        recorded.record(Random(i).bytes(1'500'000), 400'000);
    }
    CompactionPlan plan;
    for (std::size_t i = 0; i < 11; i += 2) plan.evict.push_back(recorded.ids[i]);
    plan.dead_percent_min = 1;
    const auto compaction = must(recorded.store->compact(plan));
    int sweeps = 0;
    while (!must(compaction->step())) sweeps += compaction->report().copied_bytes > 0 ? 1 : 0;
    EXPECT_GT(sweeps, 3);
    EXPECT_GT(compaction->report().segments_removed, 1u);
    for (const std::size_t i : {1u, 3u, 5u, 7u, 9u, 11u})
        EXPECT_EQ(must(read_files(*recorded.store, recorded.ids[i])), recorded.plains[i]) << i;
    recorded.expect_sound();
}

TEST(Compaction, LosesNothingOnAFullDiskAndGoesOnWhenThereIsRoom) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 30);
    const auto compaction = must(recorded.store->compact(recorded.all_but_last(10)));
    machine->files.set_capacity(0);
    Result<bool> step = false;
    while (step && !*step) step = compaction->step();
    ASSERT_FALSE(step);
    EXPECT_EQ(step.error().code, Errc::exhausted);
    recorded.expect_readable(20);
    machine->files.set_capacity(std::uint64_t{1} << 40);
    while (!must(compaction->step())) {
    }
    recorded.expect_readable(20);
    recorded.expect_sound();
}

// What nothing names any more, such as the parts of a commit that a kill ended.
TEST(Compaction, TakesWhatIsDeadAwayFromADiskThatIsFull) {
    StoreMachine machine;
    machine.options.segment_bytes = 64 * 1024;
    constexpr std::uint64_t kPlenty = std::uint64_t{1} << 30;
    Recorded recorded(machine, 1);
    for (std::uint64_t i = 0; i < 4; ++i)
        must(stage_file(*recorded.store, "w", Random(70 + i).bytes(Store::kBatchBytes), {}, 65536));
    must(recorded.store->commit());
    recorded.record(content(1));
    const auto used = [&] {
        machine.files.set_capacity(kPlenty);
        return kPlenty - must(machine.files.free_bytes("/"));
    };
    const auto compact = [&](std::uint64_t free) {
        machine.files.set_capacity(used() + free);
        const auto compaction = must(recorded.store->compact({}));
        Result<bool> done = false;
        while (done && !*done) done = compaction->step();
        return done;
    };

    const Result<bool> full = compact(10'000);
    const Result<bool> almost_full = compact(20'000);

    ASSERT_FALSE(full);
    EXPECT_EQ(full.error().code, Errc::exhausted);
    EXPECT_THAT(full.error().what, testing::HasSubstr("at least 6.3 kB more must be free"));
    EXPECT_TRUE(almost_full) << almost_full.error().what;
    EXPECT_LT(recorded.store->counters().stored_bytes, 200'000U);
    used();
    recorded.expect_readable(0);
    recorded.expect_sound();
}

TEST(Compaction, OfAPeerIsNotBelieved) {
    const auto machine = small_segments();
    Recorded recorded(*machine, 1);
    const Bytes said = encode_eviction({recorded.ids[0]});
    RecordHeader header;
    header.kind = RecordKind::eviction;
    header.name = name_of_plain(RecordKind::eviction, said);
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(said.size());
    Bytes frame;
    append_record(frame, header, said);
    const auto staged = recorded.store->stage_record(frame);
    ASSERT_FALSE(staged);
    EXPECT_EQ(staged.error().code, Errc::denied);
}

// Versions are recorded, some like ones that were given up, others not, while a compaction is
// under way, dropped half-way or done; now and then the store is opened anew.
TEST(Compaction, KeepsEveryVersionThatWasNotGivenUpWhateverIsRecordedMeanwhile) {
    for (std::uint64_t seed = 1; seed <= 60; ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        Random random(seed);
        const auto machine = small_segments();
        Recorded recorded(*machine, 5);
        std::set<VersionId> given_up;
        std::unique_ptr<Compaction> compaction;
        const auto record = [&] {
            const bool again = random.below(3u) == 0;
            recorded.record(again ? recorded.plains[random.below(recorded.plains.size())]
                                  : content(recorded.ids.size() % 25, 8000 + random.below(9000u)),
                            random.below(2u) == 0 ? 4096 : 2500);
        };
        for (int round = 0; round < 80; ++round) {
            switch (random.below(8u)) {
                case 0: {
                    if (compaction) break;
                    CompactionPlan plan;
                    plan.dead_percent_min = static_cast<unsigned>(random.below(40u));
                    for (const VersionId& id : recorded.ids)
                        if (id != recorded.ids.back() && random.below(2u) == 0 &&
                            !given_up.contains(id))
                            plan.evict.push_back(id);
                    given_up.insert(plan.evict.begin(), plan.evict.end());
                    compaction = must(recorded.store->compact(plan));
                    break;
                }
                case 1:
                    if (random.below(4u) != 0) break;
                    compaction.reset();
                    recorded.reopen();
                    break;
                case 2: record(); break;
                case 3: {  // a disk that is full for one step
                    if (!compaction) break;
                    machine->files.set_capacity(0);
                    const auto done = compaction->step();
                    machine->files.set_capacity(std::uint64_t{1} << 40);
                    EXPECT_TRUE(done || done.error().code == Errc::exhausted);
                    if (done && *done) compaction.reset();
                    break;
                }
                default:
                    if (compaction && must(compaction->step())) compaction.reset();
            }
        }
        compaction.reset();
        for (int i = 0; i < 2; ++i) {
            for (std::size_t v = 0; v < recorded.ids.size(); ++v) {
                if (given_up.contains(recorded.ids[v])) continue;
                const auto read = read_files(*recorded.store, recorded.ids[v]);
                ASSERT_TRUE(read) << "version " << v << ": " << read.error().what;
                ASSERT_EQ(*read, recorded.plains[v]);
            }
            recorded.expect_sound();
            recorded.reopen();
        }
        if (HasFailure()) return;
    }
}

}  // namespace
}  // namespace tributary
