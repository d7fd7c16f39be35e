// Damage on the medium, for each kind of file that a store has: a bit that turned, a file that is
// shorter, a sector of zeros. What is read is right or an error; what changes the meaning of
// anything is told, with the file's name; only versions that need the damaged bytes are lost;
// nothing is invented; work goes on.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>

#include "common/store/closure.h"
#include "common/store/state_file.h"
#include "tests/sim/store/stories.h"

namespace tributary {
namespace {

using namespace test;
using test::Random;

constexpr std::uint64_t kSeed = 20261121;
constexpr std::size_t kSectorBytes = 512;

enum class Hurt : std::uint8_t { bit, cut, sector };

// Of each kind of file. For each push a seeded part; a release asks for all.
std::size_t how_often(Hurt hurt) {
    const bool all = std::getenv("TRIBUTARY_ALL_DAMAGE") != nullptr;
    if (hurt == Hurt::bit) return all ? 1000 : 40;
    return all ? 100 : 10;
}

// Bytes of a file, from and up to.
struct Range {
    std::string path;
    std::uint64_t from = 0, to = 0;
    bool meets(const Range& other) const {
        return path == other.path && from < other.to && other.from < to;
    }
};

// What is not as it was; none when the file was so already.
std::optional<Range> damage(SimFiles& files, const std::string& path, Hurt hurt, Random& random) {
    std::optional<Range> changed;
    files.rewrite(path, [&](Bytes& bytes) {
        if (bytes.empty()) return;
        const auto at = static_cast<std::size_t>(random.below(bytes.size()));
        if (hurt == Hurt::bit) {
            bytes[at] ^= static_cast<std::uint8_t>(1U << random.below(8u));
            changed = Range{path, at, at + 1};
        } else if (hurt == Hurt::cut) {
            changed = Range{path, at, bytes.size()};
            bytes.resize(at);
        } else {
            const std::size_t from = at / kSectorBytes * kSectorBytes;
            const std::size_t to = std::min(from + kSectorBytes, bytes.size());
            const ByteSpan sector = ByteSpan(bytes).subspan(from, to - from);
            if (std::ranges::all_of(sector, [](std::uint8_t byte) { return byte == 0; })) return;
            std::ranges::fill(sector, std::uint8_t{0});
            changed = Range{path, from, to};
        }
    });
    return changed;
}

// A store before and after damage.
class StoreDamage : public testing::Test {
protected:
    using Judge = std::function<void(Store&, const Range&, const std::vector<std::string>& told)>;

    // What `pick` names of the files below the store is damaged in each way, again and again.
    void damage_all(const Story& story, const std::function<std::string(SimFiles&, Random&)>& pick,
                    const Judge& judge) {
        std::map<std::string, Bytes> sound;
        {
            Machine machine(IndexOn::disk);
            story(machine, expected);
            read_all(machine.files, kStore, sound);
        }
        for (const Hurt hurt : {Hurt::bit, Hurt::cut, Hurt::sector}) {
            for (std::size_t i = 0; i < how_often(hurt) && !HasFailure(); ++i) {
                Random random(kSeed + 10'000 * static_cast<std::uint64_t>(hurt) + i);
                Machine machine(IndexOn::disk, kSeed);
                machine.clock.advance(86'400'000);
                write_all(machine.files, sound);
                const std::string path = join_path(kStore, pick(machine.files, random));
                const auto changed = damage(machine.files, path, hurt, random);
                if (!changed) continue;
                SCOPED_TRACE(path + " from byte " + std::to_string(changed->from) + " up to " +
                             std::to_string(changed->to) + ", way " +
                             std::to_string(static_cast<int>(hurt)) + ", number " +
                             std::to_string(i));
                look(machine, *changed, judge);
            }
        }
    }
    static void read_all(SimFiles& files, const std::string& folder,
                         std::map<std::string, Bytes>& all) {
        const auto names = *files.list(folder);
        for (const std::string& name : names) {
            const std::string path = join_path(folder, name);
            if (files.stat(path)->kind == FileStatus::Kind::directory)
                read_all(files, path, all);
            else
                all[path] = *read_file(files, path, 1 << 20);
        }
    }
    static void write_all(SimFiles& files, const std::map<std::string, Bytes>& all) {
        for (const auto& [path, bytes] : all) {
            ASSERT_TRUE(files.make_directories(std::string(parent_path(path))));
            ASSERT_TRUE(replace_file(files, path, bytes));
        }
    }

    void look(Machine& machine, const Range& changed, const Judge& judge) {
        auto store = machine.open();
        if (!store) {
            EXPECT_THAT(store.error().what,
                        testing::HasSubstr("'" + std::string(file_name(changed.path)) + "'"));
            ++refused;
            return;
        }
        const auto wrong = (*store)->check(true);
        ASSERT_TRUE(wrong) << wrong.error().what;
        lost.clear();
        for (const auto& [id, plain] : expected.acknowledged) {
            const auto read = read_files(**store, id);
            if (read)
                EXPECT_EQ(*read, plain);
            else
                lost.insert(id);
        }
        listed.clear();
        const auto rows = (*store)->versions(std::nullopt, 1000);
        ASSERT_TRUE(rows);
        for (const VersionRow& row : *rows) listed.insert(row.id);
        for (const VersionId& id : listed)
            EXPECT_TRUE(expected.acknowledged.contains(id) || expected.given_up.contains(id))
                << "invented";
        judge(**store, changed, *wrong);

        Expected after;
        EXPECT_TRUE(commit_one(machine, **store, kAfterwards, 6000, after)) << "cannot go on";
        for (const auto& [id, plain] : after.acknowledged)
            EXPECT_EQ(read_files(**store, id), plain);
    }

    bool all_is_there() const {
        return lost.empty() &&
               listed.size() == expected.acknowledged.size() + expected.given_up.size();
    }
    static bool names(const std::vector<std::string>& told, std::string_view file) {
        return std::ranges::any_of(
            told, [&](const std::string& what) { return what.find(file) != what.npos; });
    }

    Expected expected;
    std::set<VersionId> lost, listed;
    std::size_t refused = 0;
};

// ---- segments ----

class SegmentDamage : public StoreDamage {
protected:
    // Where all that each version needs stands: its records, and the bases of those.
    SegmentDamage() {
        Machine machine(IndexOn::disk);
        Expected known;
        record_story(machine, known);
        const auto store = *machine.open();
        const std::string folder = kStore + "/segments";
        const auto names = *machine.files.list(folder);
        for (const std::string& name : names)
            segments[join_path(folder, name)] =
                *read_file(machine.files, join_path(folder, name), 1 << 20);
        for (const auto& [id, plain] : known.acknowledged) {
            std::set<RecordKey> keys;
            EXPECT_TRUE(closure_of(*store, id, {}, [&](const RecordKey& key) {
                add_with_bases(*store, key, keys);
                return Status();
            }));
            for (const RecordKey& key : keys) find(*store->read_record(key), needs[id]);
        }
    }
    static void add_with_bases(Store& store, const RecordKey& key, std::set<RecordKey>& keys) {
        if (!keys.insert(key).second) return;
        const RecordHeader header = *store.read_header(key);
        for (const Digest& base : header.bases()) add_with_bases(store, {key.kind, base}, keys);
    }
    void find(const Bytes& frame, std::vector<Range>& ranges) {
        for (const auto& [path, bytes] : segments) {
            const auto at = std::search(bytes.begin(), bytes.end(), frame.begin(), frame.end());
            if (at == bytes.end()) continue;
            const auto from = static_cast<std::uint64_t>(at - bytes.begin());
            ranges.push_back({path, from, from + frame.size()});
        }
    }

    // With the record before it, when the batch that both are in is taken for torn.
    Range with_the_record_before(Range range) const {
        std::uint64_t begin = 0;
        for (const auto& [id, ranges] : needs)
            for (const Range& each : ranges)
                if (each.path == range.path && each.to <= range.from)
                    begin = std::max(begin, each.from);
        range.from = begin;
        return range;
    }
    void expect_only_what_needs_it_lost(const Range& changed) {
        for (const VersionId& id : lost)
            EXPECT_TRUE(std::ranges::any_of(needs[id], [&](const Range& range) {
                return range.meets(changed);
            })) << "lost without need";
    }
    static std::string segment(SimFiles& files, std::size_t from_last, Random& random) {
        const auto names = *files.list(kStore + "/segments");
        if (from_last == 0) return "segments/" + names.back();
        return "segments/" + names[random.below(names.size() - 1)];
    }

    std::map<std::string, Bytes> segments;
    std::map<VersionId, std::vector<Range>> needs;
};

TEST_F(SegmentDamage, OfASealedOneIsNamedAndCostsOnlyWhatNeedsIt) {
    damage_all(
        record_story, [](SimFiles& files, Random& random) { return segment(files, 1, random); },
        [this](Store&, const Range& changed, const std::vector<std::string>& told) {
            EXPECT_TRUE(names(told, file_name(changed.path))) << testing::PrintToString(told);
            expect_only_what_needs_it_lost(changed);
        });
}

// At its end it may look like one that a power cut tore; then the torn bytes are set aside.
TEST_F(SegmentDamage, OfTheOpenOneIsNamedOrSetAsideAndCostsOnlyWhatNeedsIt) {
    std::size_t unnoticed = 0;
    damage_all(
        record_story, [](SimFiles& files, Random& random) { return segment(files, 0, random); },
        [&](Store& store, const Range& changed, const std::vector<std::string>& told) {
            const bool torn = store.recovery().torn_bytes > 0;
            expect_only_what_needs_it_lost(torn ? with_the_record_before(changed) : changed);
            if (torn || names(told, file_name(changed.path))) return;
            // Nothing behind the last mark vouches for it; a file that ends with a batch is one to
            // which no more was written.
            ++unnoticed;
            const bool ends_with_a_batch = changed.to == segments[changed.path].size();
            EXPECT_TRUE(all_is_there() || ends_with_a_batch);
        });
    EXPECT_LE(unnoticed, 20u);
}

// ---- the other files ----

TEST_F(StoreDamage, OfTheIndexCostsNothing) {
    damage_all(
        record_story, [](SimFiles&, Random&) { return "index.sqlite"; },
        [this](Store& store, const Range&, const std::vector<std::string>& told) {
            EXPECT_TRUE(all_is_there());
            for (const std::string& what : told)
                EXPECT_THAT(what, testing::HasSubstr("index.sqlite"));
            EXPECT_THAT(*store.check(true), testing::IsEmpty()) << "and is mended";
        });
    EXPECT_EQ(refused, 0u);
}

TEST_F(StoreDamage, OfTheFormatIsNamedAndCostsNothing) {
    damage_all(
        record_story, [](SimFiles&, Random&) { return "format"; },
        [this](Store&, const Range&, const std::vector<std::string>& told) {
            EXPECT_TRUE(all_is_there());
            EXPECT_TRUE(names(told, "format")) << testing::PrintToString(told);
        });
}

TEST_F(StoreDamage, OfTheListOfRemovedSegmentsCostsNothingAndAccusesNobody) {
    damage_all(
        compact_story,
        [](SimFiles&, Random& random) { return random.one_in(2) ? "removed.0" : "removed.1"; },
        [this](Store&, const Range&, const std::vector<std::string>& told) {
            EXPECT_THAT(lost, testing::IsEmpty());
            for (const std::string& what : told) EXPECT_THAT(what, testing::HasSubstr("removed"));
        });
    EXPECT_EQ(refused, 0u);
}

TEST_F(StoreDamage, OfTheLockIsNothing) {
    damage_all(
        record_story, [](SimFiles&, Random&) { return "lock"; },
        [this](Store&, const Range&, const std::vector<std::string>& told) {
            EXPECT_TRUE(all_is_there());
            EXPECT_THAT(told, testing::IsEmpty());
        });
    EXPECT_EQ(refused, 0u);
}

TEST(StateFileDamage, IsToldAndTheValueIsTheLastOrTheOneBefore) {
    for (const Hurt hurt : {Hurt::bit, Hurt::cut, Hurt::sector}) {
        for (std::size_t i = 0; i < how_often(hurt); ++i) {
            Random random(kSeed + i);
            SimFiles files;
            ASSERT_TRUE(files.make_directories("/data"));
            const Bytes before = random.bytes(300), last = random.bytes(1 + random.below(900u));
            auto file = *StateFile::open(files, "/data/install");
            ASSERT_TRUE(file.save(before));
            ASSERT_TRUE(file.save(last));
            const std::string path = random.one_in(2) ? "/data/install.0" : "/data/install.1";
            if (!damage(files, path, hurt, random)) continue;
            const auto again = StateFile::open(files, "/data/install");
            ASSERT_TRUE(again);
            EXPECT_TRUE(again->damaged());
            EXPECT_TRUE(again->value() == before || again->value() == last);
        }
    }
}

}  // namespace
}  // namespace tributary
