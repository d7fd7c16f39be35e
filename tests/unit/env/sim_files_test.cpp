// The simulated disk must be as cruel as it says, or the crash tests built on it prove nothing.
#include "tests/support/sim_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>
#include <set>

namespace tributary::test {
namespace {

using testing::ElementsAre;

constexpr std::uint64_t kSeeds = 200;

std::string get(Files& files, const std::string& path) {
    const auto bytes = read_file(files, path, 1 << 20);
    return bytes ? std::string(as_text(*bytes)) : std::string(name_of(bytes.error().code));
}

void power_cycle(SimFiles& disk, std::uint64_t seed) {
    disk.crash(seed);
    disk.restart();
}

TEST(SimFiles, WhatWasSyncedSurvivesEveryCrash) {
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SimFiles disk;
        auto file = disk.create("/a", false).value();
        ASSERT_TRUE(file->append(as_bytes("kept")));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(disk.sync_directory("/"));
        ASSERT_TRUE(file->append(as_bytes("maybe")));
        power_cycle(disk, seed);
        ASSERT_TRUE(get(disk, "/a").starts_with("kept")) << "seed " << seed;
    }
}

TEST(SimFiles, UnsyncedWritesAreLostKeptReorderedAndTorn) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SimFiles disk;
        auto file = disk.create("/a", false).value();
        ASSERT_TRUE(disk.sync_directory("/"));
        ASSERT_TRUE(file->append(Bytes(600, 'x')));
        ASSERT_TRUE(file->append(Bytes(600, 'y')));
        power_cycle(disk, seed);
        const std::string content = get(disk, "/a");
        if (content.empty()) outcomes.insert("nothing");
        if (content.size() == 1200 && content[0] == 'x') outcomes.insert("all");
        if (content.size() == 1200 && content[0] == '\0') outcomes.insert("second alone");
        if (content.size() == 512) outcomes.insert("first torn");
        if (content.size() == 1024) outcomes.insert("second torn");
    }
    EXPECT_THAT(outcomes,
                ElementsAre("all", "first torn", "nothing", "second alone", "second torn"));
}

TEST(SimFiles, AnOverwriteIsLostUntilItIsSynced) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SimFiles disk;
        ASSERT_TRUE(disk.create("/a", false));
        auto file = disk.open_overwritable("/a").value();
        ASSERT_TRUE(file->write_at(2, as_bytes("cdef")));
        ASSERT_TRUE(file->write_at(0, as_bytes("ab")));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(disk.sync_directory("/"));
        ASSERT_TRUE(file->write_at(1, as_bytes("XY")));
        ASSERT_EQ(get(disk, "/a"), "aXYdef");
        power_cycle(disk, seed);
        outcomes.insert(get(disk, "/a"));
    }
    EXPECT_THAT(outcomes, ElementsAre("aXYdef", "abcdef"));
}

TEST(SimFiles, TheSameSeedCrashesTheSameWay) {
    std::set<std::string> outcomes;
    for (int i = 0; i < 3; ++i) {
        SimFiles disk;
        auto file = disk.create("/a", false).value();
        ASSERT_TRUE(disk.sync_directory("/"));
        for (char c = 'a'; c < 'z'; ++c) ASSERT_TRUE(file->append(Bytes(300, std::uint8_t(c))));
        power_cycle(disk, 42);
        outcomes.insert(get(disk, "/a"));
    }
    EXPECT_EQ(outcomes.size(), 1u);
}

TEST(SimFiles, ANewNameNeedsItsDirectorySynced) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SimFiles disk;
        auto file = disk.create("/a", false).value();
        ASSERT_TRUE(file->append(as_bytes("x")));
        ASSERT_TRUE(file->sync());
        power_cycle(disk, seed);
        outcomes.insert(get(disk, "/a"));
    }
    EXPECT_THAT(outcomes, ElementsAre("not_found", "x"));
}

TEST(SimFiles, ARenameShowsTheOldOrTheNewNeverNeither) {
    std::set<std::string> outcomes;
    for (std::uint64_t seed = 0; seed < kSeeds; ++seed) {
        SimFiles disk;
        ASSERT_TRUE(replace_file(disk, "/s", as_bytes("old")));
        auto file = disk.create("/s.new", false).value();
        ASSERT_TRUE(file->append(as_bytes("new")));
        ASSERT_TRUE(file->sync());
        ASSERT_TRUE(disk.rename("/s.new", "/s"));
        power_cycle(disk, seed);
        outcomes.insert(get(disk, "/s"));
    }
    EXPECT_THAT(outcomes, ElementsAre("new", "old"));
}

TEST(SimFiles, ReplaceFileIsAtomicAtEveryEffect) {
    for (std::uint64_t effect = 0; effect < 8; ++effect)
        for (std::uint64_t seed = 0; seed < 20; ++seed) {
            SimFiles disk;
            ASSERT_TRUE(replace_file(disk, "/s", as_bytes("old")));
            disk.crash_before_effect(disk.effects() + effect, seed);
            const Status replaced = replace_file(disk, "/s", as_bytes("new"));
            disk.set_hook({});
            power_cycle(disk, seed);
            const std::string content = get(disk, "/s");
            EXPECT_TRUE(content == "new" || (content == "old" && !replaced))
                << content << ", effect " << effect << ", seed " << seed;
        }
}

TEST(SimFiles, DirectoriesAreDurableOnceMade) {
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
        SimFiles disk;
        ASSERT_TRUE(disk.make_directories("/a/b/c"));
        power_cycle(disk, seed);
        EXPECT_TRUE(disk.list("/a/b/c"));
    }
}

TEST(SimFiles, NothingWorksBetweenCrashAndRestartNorOldHandlesAfter) {
    SimFiles disk;
    auto file = disk.create("/a", false).value();
    auto lock = disk.lock("/lock", "me").value();
    disk.crash(1);
    EXPECT_EQ(disk.list("/").error().code, Errc::unavailable);
    EXPECT_EQ(file->append(as_bytes("x")).error().code, Errc::unavailable);
    disk.restart();
    EXPECT_TRUE(disk.list("/"));
    EXPECT_EQ(file->append(as_bytes("x")).error().code, Errc::unavailable);
    auto second = disk.lock("/lock", "another");  // the kernel dropped the first
    ASSERT_TRUE(second);
    lock.reset();
    EXPECT_FALSE(disk.lock("/lock", "a third"));  // the dead handle freed nothing
}

TEST(SimFiles, AFailedSyncNeverReachesTheMediumThoughTheNextOneSucceeds) {
    SimFiles disk;
    auto file = disk.create("/a", false).value();
    ASSERT_TRUE(disk.sync_directory("/"));
    ASSERT_TRUE(file->append(as_bytes("doomed")));
    disk.fail_call(SimFiles::Effect::sync, 1, EIO);
    EXPECT_EQ(file->sync().error().code, Errc::unavailable);
    EXPECT_TRUE(file->sync());
    EXPECT_EQ(get(disk, "/a"), "doomed");
    power_cycle(disk, 7);
    EXPECT_EQ(get(disk, "/a"), "");
}

TEST(SimFiles, FailsTheCallThatWasAskedFor) {
    SimFiles disk;
    auto file = disk.create("/a", false).value();
    disk.fail_call(SimFiles::Effect::append, 2, ENOSPC);
    EXPECT_TRUE(file->append(as_bytes("1234")));
    EXPECT_EQ(file->append(as_bytes("5678")).error().code, Errc::exhausted);
    EXPECT_EQ(get(disk, "/a"), "123456");  // half of it was written
    EXPECT_TRUE(file->append(as_bytes("9")));
}

TEST(SimFiles, AFullDiskRefusesAndTellsItsFreeSpace) {
    SimFiles disk;
    disk.set_capacity(10);
    auto file = disk.create("/a", false).value();
    EXPECT_TRUE(file->append(as_bytes("12345678")));
    EXPECT_EQ(disk.free_bytes("/").value(), 2u);
    EXPECT_EQ(file->append(as_bytes("9abc")).error().code, Errc::exhausted);
}

TEST(SimFiles, FlippedBitsSurviveACrash) {
    SimFiles disk;
    ASSERT_TRUE(replace_file(disk, "/a", as_bytes("@")));
    disk.flip_bit("/a", 0);
    power_cycle(disk, 1);
    EXPECT_EQ(get(disk, "/a"), "A");
}

TEST(SimFiles, CountsWhatIsWrittenAndSynced) {
    SimFiles disk;
    auto file = disk.create("/a", false).value();
    ASSERT_TRUE(file->append(Bytes(10)));
    ASSERT_TRUE(file->append(Bytes(20)));
    ASSERT_TRUE(file->sync());
    EXPECT_EQ(disk.counters().appends, 2u);
    EXPECT_EQ(disk.counters().appended_bytes, 30u);
    EXPECT_EQ(disk.counters().syncs, 1u);
    EXPECT_EQ(disk.effects(), 4u);
}

}  // namespace
}  // namespace tributary::test
