// Records that stand on two bases: where they are made, what keeps them readable, and what a lost
// base costs.
#include "tests/unit/store/two_bases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <map>
#include <set>

#include "common/store/closure.h"
#include "tests/support/must.h"
#include "tests/support/store_builder.h"

namespace tributary {
namespace {

using test::commit_version;
using test::must;
using test::piece_key;
using test::Random;
using test::read_files;
using test::stage_weights;
using test::StoreMachine;
using test::Trending;

const std::string kRepo = "lab/model";

std::vector<Digest> bases_of(Store& store, ByteView plain) {
    const RecordHeader header = must(store.read_header(piece_key(plain)));
    return {header.bases().begin(), header.bases().end()};
}

// So many versions in a store, each against the one before.
struct Staged {
    Staged(StoreMachine& on, std::size_t versions, codec::Level level = codec::Level::standard)
        : machine(on), store(must(machine.open())) {
        for (std::size_t i = 0; i < versions; ++i) {
            plains.push_back(trending.next());
            must(stage_weights(*store, plains[i], i == 0 ? ByteView{} : plains[i - 1], level));
            must(store->commit());
        }
    }
    void reopen() {
        store.reset();
        store = must(machine.open());
    }
    void expect_readable() {
        for (const Bytes& plain : plains)
            EXPECT_EQ(must(store->read_plain(piece_key(plain))), plain);
        EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
    }
    // Turns a bit of this version's record.
    void damage(std::size_t version) {
        const RecordKey key = piece_key(plains[version]);
        const Bytes frame = must(store->read_record(key));
        store.reset();
        const std::string path = "/data/store/segments/000001.seg";
        const Bytes all = must(read_file(machine.files, path, std::size_t{64} << 20));
        const auto at = std::search(all.begin(), all.end(), frame.begin(), frame.end());
        ASSERT_NE(at, all.end());
        const auto offset = static_cast<std::uint64_t>(at - all.begin());
        machine.files.flip_bit(path, (offset + frame.size() / 2) * 8);
        store = must(machine.open());
    }

    StoreMachine& machine;
    std::unique_ptr<Store> store;
    Trending trending{7};
    std::vector<Bytes> plains;
};

TEST(TwoBases, AreThePieceBeforeAndWhatThatStandsOn) {
    StoreMachine machine;
    Staged staged(machine, 5);
    const auto name = [&](std::size_t version) { return piece_key(staged.plains[version]).name; };
    using Names = std::vector<Digest>;
    EXPECT_EQ(bases_of(*staged.store, staged.plains[0]), Names());
    EXPECT_EQ(bases_of(*staged.store, staged.plains[1]), Names{name(0)});
    for (std::size_t i = 2; i < 5; ++i)
        EXPECT_EQ(bases_of(*staged.store, staged.plains[i]), (Names{name(i - 1), name(i - 2)}));

    staged.reopen();
    staged.expect_readable();
}

TEST(TwoBases, MakeChainsNoLonger) {
    for (const codec::Level level : {codec::Level::standard, codec::Level::max}) {
        StoreMachine machine;
        Staged staged(machine, 40, level);
        std::size_t length = 0, twos = 0;
        for (const Bytes& plain : staged.plains) {
            const auto bases = bases_of(*staged.store, plain);
            length = bases.empty() ? 0 : length + 1;
            if (bases.size() == 2) ++twos;
            EXPECT_LE(length, limits::kChainDepthMaxDevice);
        }
        EXPECT_GT(twos, 20u);
        staged.reopen();
        staged.expect_readable();
    }
}

// To try them, what is given would have to be decoded after all.
TEST(TwoBases, AreNotTriedAgainOnceTheyDidNotPayWhereTheBaseIsGiven) {
    StoreMachine machine;
    Staged staged(machine, 3);
    Random random(5);
    const auto stage_given = [&](const Bytes& plain, const Bytes& base) {
        must(staged.store->stage_piece({plain, codec::ElementType::f32},
                                       Store::PieceBase{PieceId{sha256(base)}, base},
                                       codec::Level::standard));
        return bases_of(*staged.store, plain).size();
    };
    const Bytes jump = codec::train(random, staged.plains[2]);  // not where these led
    const Bytes on = codec::go_on(random, jump, staged.plains[2]);
    EXPECT_EQ(stage_given(jump, staged.plains[2]), 1u);
    EXPECT_EQ(stage_given(on, jump), 1u);

    const Bytes further = codec::go_on(random, on, jump);
    must(stage_weights(*staged.store, further, on));
    EXPECT_EQ(bases_of(*staged.store, further).size(), 2u);
}

TEST(TwoBases, AreTheSameForAnyNumberOfWorkersAndForBasesThatAreGiven) {
    Trending a(1), b(2), c(3);
    std::map<std::size_t, std::vector<Bytes>> frames;  // by the way they came about
    for (const std::size_t way : {0u, 1u, 2u}) {
        StoreMachine machine;
        const auto store = must(machine.open());
        Trending of[] = {a, b, c};
        std::vector<Bytes> before(3);
        for (int version = 0; version < 6; ++version) {
            std::vector<Bytes> now;
            for (Trending& each : of) now.push_back(each.next());
            std::vector<Store::PieceToStage> wanted;
            for (std::size_t i = 0; i < 3; ++i) {
                std::optional<Store::PieceBase> base;
                if (version > 0)
                    base = Store::PieceBase{PieceId{sha256(before[i])},
                                            way == 2 ? ByteView(before[i]) : ByteView{}};
                const codec::Piece piece{now[i], codec::ElementType::f32};
                if (way == 0)
                    must(store->stage_piece(piece, base, codec::Level::standard));
                else
                    wanted.push_back({PieceId{sha256(now[i])}, piece, base});
            }
            must(store->stage_pieces(wanted, codec::Level::standard));
            for (const Bytes& plain : now)
                frames[way].push_back(must(store->read_record(piece_key(plain))));
            before = now;
        }
        EXPECT_EQ(bases_of(*store, before[0]).size(), 2u);
    }
    EXPECT_EQ(frames[0], frames[1]);
    EXPECT_EQ(frames[0], frames[2]);
}

TEST(TwoBases, AreNotStoodOnWhenOneIsDamaged) {
    StoreMachine machine;
    Staged staged(machine, 5);
    staged.damage(2);

    for (std::size_t i = 2; i < 5; ++i) {
        const auto read = staged.store->read_plain(piece_key(staged.plains[i]));
        ASSERT_FALSE(read);
        EXPECT_EQ(read.error().code, Errc::corrupt);
        EXPECT_THAT(read.error().what, testing::HasSubstr(piece_key(staged.plains[2]).name.text()));
    }
    EXPECT_EQ(must(staged.store->read_plain(piece_key(staged.plains[1]))), staged.plains[1]);

    // What is recorded next stands alone, and what was damaged may come again.
    const Bytes next = staged.trending.next();
    must(stage_weights(*staged.store, next, staged.plains[4]));
    EXPECT_TRUE(bases_of(*staged.store, next).empty());
    must(stage_weights(*staged.store, staged.plains[2], staged.plains[1]));
    must(staged.store->commit());
    staged.plains.push_back(next);
    for (const Bytes& plain : staged.plains)
        EXPECT_EQ(must(staged.store->read_plain(piece_key(plain))), plain);
}

// ---- on their way from a peer ----

struct FromAPeer : testing::Test {
    FromAPeer() {
        for (std::size_t i = 0; i < 4; ++i)
            frames.push_back(must(peer.store->read_record(piece_key(peer.plains[i]))));
    }
    StoreMachine peer_machine, machine{2};
    Staged peer{peer_machine, 4};
    std::vector<Bytes> frames;
    std::unique_ptr<Store> store = must(machine.open());
};

TEST_F(FromAPeer, RecordsOnTwoBasesAreKeptAsTheyAre) {
    for (const Bytes& frame : frames) must(store->stage_record(frame));
    must(store->commit());
    for (std::size_t i = 0; i < 4; ++i) {
        EXPECT_EQ(must(store->read_record(piece_key(peer.plains[i]))), frames[i]);
        EXPECT_EQ(must(store->read_plain(piece_key(peer.plains[i]))), peer.plains[i]);
    }
}

TEST_F(FromAPeer, RecordsOfWhichOneBaseIsNotHereAreNotTaken) {
    must(store->stage_record(frames[0]));
    EXPECT_EQ(store->stage_record(frames[2]).error().code, Errc::not_found);
    must(stage_weights(*store, peer.plains[2]));
    EXPECT_EQ(store->stage_record(frames[3]).error().code, Errc::not_found);
}

TEST_F(FromAPeer, RecordsWhoseBasesDoNotStandOnEachOtherHereAreCodedAnew) {
    must(store->stage_record(frames[0]));
    must(stage_weights(*store, peer.plains[1]));  // alone
    must(store->stage_record(frames[2]));

    EXPECT_TRUE(bases_of(*store, peer.plains[2]).empty());
    EXPECT_EQ(must(store->read_plain(piece_key(peer.plains[2]))), peer.plains[2]);
}

class TwistedHeader : public FromAPeer {
protected:
    Errc refusal(const std::function<void(RecordHeader&)>& twist) {
        for (std::size_t i = 0; i < 2; ++i) must(store->stage_record(frames[i]));
        const RecordView record = must(parse_record(frames[2]));
        RecordHeader header = record.header;
        twist(header);
        Bytes frame;
        append_record(frame, header, record.payload);
        const Status staged = store->stage_record(frame);
        return staged ? Errc::invalid : staged.error().code;
    }
};

TEST_F(TwistedHeader, WithOneBaseWhereTwoAreNeededIsRefused) {
    EXPECT_EQ(refusal([](RecordHeader& header) { header.base_count = 1; }), Errc::corrupt);
}
TEST_F(TwistedHeader, WithTheBasesTheOtherWayRoundIsRefused) {
    EXPECT_EQ(refusal([](RecordHeader& h) { std::swap(h.base[0], h.base[1]); }), Errc::corrupt);
}
TEST_F(TwistedHeader, ThatNamesTheSameBaseTwiceIsRefused) {
    EXPECT_EQ(refusal([](RecordHeader& header) { header.base[1] = header.base[0]; }),
              Errc::corrupt);
}
TEST_F(TwistedHeader, WithTwoBasesForACodingThatHasUseForOneAsksForANewerProgram) {
    EXPECT_EQ(refusal([](RecordHeader& header) { header.encoding = 6; }), Errc::unsupported);
}
TEST_F(TwistedHeader, WithThreeBasesAsksForANewerProgram) {
    EXPECT_EQ(refusal([](RecordHeader& header) {
                  header.base[2] = sha256(as_bytes("a third"));
                  header.base_count = 3;
              }),
              Errc::unsupported);
}

// ---- giving up what others stand on ----

// A file of three pieces, each of which goes on at random, and versions that are given up at
// random.
class Thinned {
public:
    explicit Thinned(std::uint64_t seed) : random_(seed) {
        machine.options.segment_bytes = 16 * limits::KiB;
        store = must(machine.open());
        for (std::uint64_t i = 0; i < 3; ++i) files_.emplace_back(Trending(10 * seed + i), Bytes());
    }

    void record() {
        machine.clock.advance(1000);
        std::vector<TreeItem> items;
        std::vector<Bytes> now;
        for (std::size_t i = 0; i < files_.size(); ++i) {
            auto& [trending, last] = files_[i];
            if (last.empty() || !random_.one_in(4)) {
                const Bytes next = trending.next();
                must(stage_weights(*store, next, last));
                last = next;
            }
            now.push_back(last);
            items.push_back(
                {TreeItem::Type::file, std::to_string(i), piece_key(last).name, last.size()});
        }
        ids.push_back(must(commit_version(*store, kRepo, "main", items, {},
                                          "version " + std::to_string(ids.size()))));
        held[ids.size() - 1] = now;
    }

    void give_up_some() {
        CompactionPlan plan;
        plan.dead_percent_min = 1;
        std::erase_if(held, [&](const auto& version) {
            const bool goes = version.first + 1 != ids.size() && random_.one_in(3);
            if (goes) plan.evict.push_back(ids[version.first]);
            return goes;
        });
        {
            // To the end, or until the program ends at some step.
            const auto compaction = must(store->compact(plan));
            const std::size_t steps = random_.one_in(3) ? random_.below(60u) : 100'000;
            for (std::size_t i = 0; i < steps && !must(compaction->step()); ++i) {
            }
            segments_removed += compaction->report().segments_removed;
        }
        if (random_.one_in(2)) reopen();
    }

    void expect_readable() {
        EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
        for (const auto& [version, plains] : held) {
            Bytes all;
            for (const Bytes& plain : plains) {
                all.insert(all.end(), plain.begin(), plain.end());
                count_bases(plain);
            }
            EXPECT_EQ(must(read_files(*store, ids[version])), all) << version;
        }
    }
    void reopen() {
        store.reset();
        store = must(machine.open());
    }

    StoreMachine machine;
    std::unique_ptr<Store> store;
    std::vector<VersionId> ids;
    std::map<std::size_t, std::vector<Bytes>> held;
    std::uint64_t segments_removed = 0;
    std::size_t on_two = 0;  // records seen that stand on two bases
    std::size_t apart = 0;   // of these, whose first does not stand on the second any more

private:
    void count_bases(const Bytes& plain) {
        const auto bases = bases_of(*store, plain);
        if (bases.size() != 2) return;
        ++on_two;
        const RecordHeader first = must(store->read_header({RecordKind::piece, bases[0]}));
        if (std::ranges::find(first.bases(), bases[1]) != first.bases().end()) return;
        ++apart;
        // Else ever more plains would have to be held to decode what comes after.
        EXPECT_EQ(first.base_count, 0);
    }

    Random random_;
    std::vector<std::pair<Trending, Bytes>> files_;
};

TEST(TwoBases, StayWithWhatStandsOnThemWhateverIsGivenUp) {
    std::uint64_t segments_removed = 0;
    std::size_t on_two = 0, apart = 0;
    for (std::uint64_t seed = 1; seed <= 4; ++seed) {
        SCOPED_TRACE(seed);
        Thinned thinned(seed);
        for (int round = 0; round < 3; ++round) {
            for (int i = 0; i < 7; ++i) thinned.record();
            thinned.give_up_some();
            thinned.expect_readable();
        }
        segments_removed += thinned.segments_removed;
        on_two += thinned.on_two;
        apart += thinned.apart;
    }
    // All that may happen did.
    EXPECT_GT(segments_removed, 20u);
    EXPECT_GT(on_two, 100u);
    EXPECT_GT(apart, 5u);
}

// One file, of which versions are recorded one after the other and some given up.
class GivenUp : public testing::Test {
protected:
    GivenUp() {
        machine.options.segment_bytes = 16 * limits::KiB;
        store = must(machine.open());
    }
    void record(const Bytes& plain) {
        machine.clock.advance(1000);
        const Bytes before = plains.empty() ? Bytes() : plains.back();
        plains.push_back(plain);
        must(stage_weights(*store, plain, before));
        const TreeItem item{TreeItem::Type::file, "w", piece_key(plain).name, plain.size()};
        ids.push_back(must(commit_version(*store, kRepo, "main", {item}, {},
                                          "version " + std::to_string(ids.size()))));
    }
    // Answers what was copied.
    std::uint64_t give_up(const std::vector<std::size_t>& versions, bool dry_run = false) {
        CompactionPlan plan;
        plan.dead_percent_min = 1;
        plan.dry_run = dry_run;
        for (const std::size_t version : versions) plan.evict.push_back(ids[version]);
        if (!dry_run) gone.insert(versions.begin(), versions.end());
        const auto compaction = must(store->compact(plan));
        while (!must(compaction->step())) {
        }
        return compaction->report().copied_bytes;
    }
    std::uint64_t stored() const { return store->counters().stored_bytes; }
    void expect_readable() {
        for (std::size_t i = 0; i < ids.size(); ++i) {
            if (gone.contains(i)) continue;
            const auto read = read_files(*store, ids[i]);
            ASSERT_TRUE(read) << i << ": " << read.error().what;
            EXPECT_EQ(*read, plains[i]) << i;
        }
        EXPECT_THAT(must(store->check(true)), testing::IsEmpty());
    }

    StoreMachine machine;
    std::unique_ptr<Store> store;
    std::vector<Bytes> plains;
    std::vector<VersionId> ids;
    std::set<std::size_t> gone;
};

TEST_F(GivenUp, BetweenTwoThatStayTheNextStandsOnTheOneBefore) {
    Random random(7);
    record(codec::weights(random, 8192));
    while (ids.size() < 10) record(codec::step(random, plains.back(), 12));
    const std::uint64_t before = stored();
    const std::uint64_t said = give_up({1, 3, 5, 7}, true);

    EXPECT_LE(give_up({1, 3, 5, 7}), said);

    EXPECT_LT(stored(), before * 7 / 10);
    for (std::size_t i = 2; i < ids.size(); i += 2)
        EXPECT_THAT(bases_of(*store, plains[i]),
                    testing::ElementsAre(piece_key(plains[i - 2]).name))
            << i;
    expect_readable();
}

TEST_F(GivenUp, AgainAndAgainLosesNothingThatStandsOnTwoBases) {
    Trending trending(7, 8192);
    for (int i = 0; i < 3; ++i) record(trending.next());
    for (int round = 0; round < 10; ++round) {
        record(trending.next());
        record(trending.next());
        std::vector<std::size_t> versions;
        for (std::size_t i = 1; i + 2 < ids.size(); ++i)
            if (!gone.contains(i)) versions.push_back(i);
        give_up(versions);
        expect_readable();
    }
}

TEST_F(GivenUp, OfVersionsOnTwoBasesFreesWhatOnlyTheyNeeded) {
    Trending trending(7, 8192);
    while (ids.size() < 6) record(trending.next());
    const std::uint64_t before = stored();
    give_up({0, 1, 2, 3});
    give_up({});
    EXPECT_LT(stored(), before * 9 / 10);
    expect_readable();
}

TEST(TwoBases, OfWhatIsRecordedWhileSpaceIsWonStay) {
    for (std::size_t steps = 0; steps < 30; steps += 6) {
        SCOPED_TRACE(steps);
        Thinned thinned(50);
        for (int i = 0; i < 8; ++i) thinned.record();
        CompactionPlan plan;
        plan.dead_percent_min = 1;
        plan.evict.assign(thinned.ids.begin(), thinned.ids.end() - 1);
        while (thinned.held.size() > 1) thinned.held.erase(thinned.held.begin());
        auto compaction = must(thinned.store->compact(plan));
        bool done = false;
        for (std::size_t i = 0; i < steps && !done; ++i) done = must(compaction->step());
        thinned.record();
        while (!done) done = must(compaction->step());
        compaction.reset();  // the store outlives it
        thinned.reopen();
        thinned.expect_readable();
    }
}

}  // namespace
}  // namespace tributary
