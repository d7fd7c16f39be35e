// What common/env/files.h promises, of the real disk and of the simulated one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/env/files.h"
#include "tests/support/sim_files.h"
#include "tests/support/temp_dir.h"

namespace tributary::test {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

struct RealDisk {
    static constexpr const char* kName = "Real";
    Files& files() { return system_files(); }
    std::string root() const { return directory.path(); }
    TempDir directory;
};

struct SimulatedDisk {
    static constexpr const char* kName = "Simulated";
    Files& files() { return disk; }
    std::string root() const { return "/"; }
    SimFiles disk;
};

struct DiskName {
    template <class Disk>
    static std::string GetName(int) {
        return Disk::kName;
    }
};

template <class Disk>
class FilesContract : public testing::Test {
protected:
    Disk disk;
    Files& files = disk.files();

    std::string at(std::string_view name) const { return join_path(disk.root(), name); }
    void put(std::string_view name, std::string_view text) {
        auto file = files.create(at(name));
        ASSERT_TRUE(file) << file.error().what;
        ASSERT_TRUE((*file)->append(as_bytes(text)));
    }
    std::string get(std::string_view name) {
        const auto bytes = read_file(files, at(name), 1 << 20);
        return bytes ? std::string(as_text(*bytes)) : bytes.error().what;
    }
    template <class T>
    static Errc code_of(const Result<T>& result) {
        EXPECT_FALSE(result);
        return result ? Errc::cancelled : result.error().code;
    }
};

using Disks = testing::Types<RealDisk, SimulatedDisk>;
TYPED_TEST_SUITE(FilesContract, Disks, DiskName);

TYPED_TEST(FilesContract, ReadsBackWhatWasAppendedAtAnyOffset) {
    this->put("a", "hello ");
    auto file = this->files.open_append(this->at("a")).value();
    ASSERT_TRUE(file->append(as_bytes("world")));
    EXPECT_EQ(file->size().value(), 11u);
    Bytes out(5);
    EXPECT_EQ(file->read_at(6, out).value(), 5u);
    EXPECT_EQ(as_text(out), "world");
    EXPECT_EQ(file->read_at(9, out).value(), 2u);
    EXPECT_EQ(file->read_at(99, out).value(), 0u);
    EXPECT_TRUE(file->sync());
}

TYPED_TEST(FilesContract, ReadExactlyCallsAShortFileCorrupt) {
    this->put("a", "abc");
    const auto file = this->files.open_read(this->at("a")).value();
    Bytes out(4);
    EXPECT_TRUE(file->read_exactly(0, ByteSpan(out).first(3)));
    EXPECT_EQ(this->code_of(file->read_exactly(0, out)), Errc::corrupt);
}

TYPED_TEST(FilesContract, AppendsGoToTheEndAfterATruncation) {
    this->put("a", "0123456789");
    auto file = this->files.open_append(this->at("a")).value();
    ASSERT_TRUE(file->truncate(4));
    ASSERT_TRUE(file->append(as_bytes("x")));
    EXPECT_EQ(this->get("a"), "0123x");
}

TYPED_TEST(FilesContract, CreatingWhatExistsIsAConflict) {
    this->put("a", "kept");
    EXPECT_EQ(this->code_of(this->files.create(this->at("a"))), Errc::conflict);
    EXPECT_EQ(this->get("a"), "kept");
}

TYPED_TEST(FilesContract, WhatIsMissingIsNotFoundAndNamed) {
    const auto opened = this->files.open_read(this->at("missing"));
    EXPECT_EQ(this->code_of(opened), Errc::not_found);
    EXPECT_THAT(opened.error().what, HasSubstr(this->at("missing")));
    EXPECT_EQ(this->code_of(this->files.open_append(this->at("missing"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.create(this->at("no/a"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.stat(this->at("missing"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.list(this->at("missing"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.remove(this->at("missing"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.rename(this->at("missing"), this->at("b"))),
              Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.sync_directory(this->at("missing"))), Errc::not_found);
    EXPECT_EQ(this->code_of(this->files.read_link(this->at("missing"))), Errc::not_found);
}

TYPED_TEST(FilesContract, MakesDirectoriesAndListsThemSorted) {
    ASSERT_TRUE(this->files.make_directories(this->at("x/y/z")));
    ASSERT_TRUE(this->files.make_directories(this->at("x/y/z")));
    this->put("x/b", "");
    this->put("x/a", "");
    EXPECT_THAT(this->files.list(this->at("x")).value(), ElementsAre("a", "b", "y"));
    EXPECT_THAT(this->files.list(this->at("x/y/z")).value(), ElementsAre());
}

TYPED_TEST(FilesContract, DirectoriesAndFilesAreNotMistakenForEachOther) {
    this->put("file", "x");
    ASSERT_TRUE(this->files.make_directories(this->at("dir")));
    EXPECT_EQ(this->code_of(this->files.make_directories(this->at("file"))), Errc::conflict);
    EXPECT_EQ(this->code_of(this->files.make_directories(this->at("file/x"))), Errc::invalid);
    EXPECT_EQ(this->code_of(this->files.list(this->at("file"))), Errc::invalid);
    EXPECT_EQ(this->code_of(this->files.open_read(this->at("dir"))), Errc::invalid);
    EXPECT_EQ(this->code_of(this->files.open_append(this->at("dir"))), Errc::invalid);
    EXPECT_EQ(this->code_of(this->files.open_read(this->at("file/x"))), Errc::invalid);
    EXPECT_EQ(this->code_of(this->files.rename(this->at("file"), this->at("dir"))), Errc::invalid);
}

TYPED_TEST(FilesContract, StatTellsKindSizeAndModeApart) {
    ASSERT_TRUE(this->files.create(this->at("run"), true));
    this->put("a", "four");
    ASSERT_TRUE(this->files.replace_link(this->at("link"), "a"));
    EXPECT_TRUE(this->files.stat(this->at("run"))->executable);
    const FileStatus file = this->files.stat(this->at("a")).value();
    EXPECT_EQ(file.kind, FileStatus::Kind::regular);
    EXPECT_EQ(file.size, 4u);
    EXPECT_FALSE(file.executable || file.set_id);
    EXPECT_EQ(this->files.stat(this->at("link"))->kind, FileStatus::Kind::symlink);
    const FileStatus target = this->files.stat_target(this->at("link")).value();
    EXPECT_EQ(target.kind, FileStatus::Kind::regular);
    EXPECT_EQ(target.inode, file.inode);
    EXPECT_EQ(target.mtime_ns, file.mtime_ns);
}

TYPED_TEST(FilesContract, RenameReplacesAFileAndItsReadersKeepTheOld) {
    this->put("new", "new");
    this->put("name", "old");
    const auto reader = this->files.open_read(this->at("name")).value();
    ASSERT_TRUE(this->files.rename(this->at("new"), this->at("name")));
    EXPECT_EQ(this->get("name"), "new");
    Bytes out(3);
    ASSERT_TRUE(reader->read_exactly(0, out));
    EXPECT_EQ(as_text(out), "old");
    EXPECT_EQ(this->code_of(this->files.stat(this->at("new"))), Errc::not_found);
}

TYPED_TEST(FilesContract, RemovesFilesLinksAndEmptyDirectoriesOnly) {
    ASSERT_TRUE(this->files.make_directories(this->at("d")));
    this->put("d/a", "kept");
    ASSERT_TRUE(this->files.replace_link(this->at("link"), "d/a"));
    EXPECT_EQ(this->code_of(this->files.remove(this->at("d"))), Errc::conflict);
    EXPECT_TRUE(this->files.remove(this->at("link")));
    EXPECT_EQ(this->get("d/a"), "kept");
    EXPECT_TRUE(this->files.remove(this->at("d/a")));
    EXPECT_TRUE(this->files.remove(this->at("d")));
}

TYPED_TEST(FilesContract, ALinkIsReplacedAtomicallyAndLedThrough) {
    ASSERT_TRUE(this->files.make_directories(this->at("one")));
    ASSERT_TRUE(this->files.make_directories(this->at("two")));
    this->put("one/f", "1");
    this->put("two/f", "2");
    ASSERT_TRUE(this->files.replace_link(this->at("current"), "one"));
    EXPECT_EQ(this->get("current/f"), "1");
    ASSERT_TRUE(this->files.replace_link(this->at("current"), "two"));
    EXPECT_EQ(this->get("current/f"), "2");
    EXPECT_EQ(this->files.read_link(this->at("current")).value(), "two");
    EXPECT_THAT(this->files.list(this->disk.root()).value(), ElementsAre("current", "one", "two"));
}

TYPED_TEST(FilesContract, ALinkNeverReplacesAFile) {
    this->put("file", "kept");
    EXPECT_EQ(this->code_of(this->files.replace_link(this->at("file"), "x")), Errc::conflict);
    EXPECT_EQ(this->get("file"), "kept");
}

TYPED_TEST(FilesContract, OnlyReadersAndDirectoryCallsFollowALastLink) {
    ASSERT_TRUE(this->files.make_directories(this->at("d")));
    this->put("d/a", "x");
    ASSERT_TRUE(this->files.replace_link(this->at("file_link"), "d/a"));
    ASSERT_TRUE(this->files.replace_link(this->at("dir_link"), "d"));
    EXPECT_EQ(this->get("file_link"), "x");
    EXPECT_THAT(this->files.list(this->at("dir_link")).value(), ElementsAre("a"));
    EXPECT_TRUE(this->files.make_directories(this->at("dir_link")));
    EXPECT_TRUE(this->files.sync_directory(this->at("dir_link")));
    EXPECT_EQ(this->code_of(this->files.open_append(this->at("file_link"))), Errc::denied);
    EXPECT_EQ(this->code_of(this->files.create(this->at("file_link"))), Errc::conflict);
    EXPECT_EQ(this->code_of(this->files.lock(this->at("file_link"), "me")), Errc::denied);
}

TYPED_TEST(FilesContract, LinksInACircleEnd) {
    ASSERT_TRUE(this->files.replace_link(this->at("a"), "b"));
    ASSERT_TRUE(this->files.replace_link(this->at("b"), "a"));
    EXPECT_FALSE(this->files.open_read(this->at("a")));
    EXPECT_FALSE(this->files.stat_target(this->at("a")));
}

TYPED_TEST(FilesContract, ALockHasOneHolderAndSaysWho) {
    auto first = this->files.lock(this->at("lock"), "agent, process 7");
    ASSERT_TRUE(first);
    const auto second = this->files.lock(this->at("lock"), "somebody else");
    EXPECT_EQ(this->code_of(second), Errc::conflict);
    EXPECT_THAT(second.error().what, HasSubstr("held by agent, process 7"));
    first->reset();
    EXPECT_TRUE(this->files.lock(this->at("lock"), "x"));
    EXPECT_EQ(this->get("lock"), "x");
}

TYPED_TEST(FilesContract, ReplaceFileLeavesExactlyTheNewBytesAndNothingElse) {
    ASSERT_TRUE(replace_file(this->files, this->at("state"), as_bytes("first, and longer")));
    ASSERT_TRUE(replace_file(this->files, this->at("state"), as_bytes("second")));
    EXPECT_EQ(this->get("state"), "second");
    EXPECT_THAT(this->files.list(this->disk.root()).value(), ElementsAre("state"));
}

TYPED_TEST(FilesContract, ReplaceFileGetsOverWhatACrashLeft) {
    this->put("state.tmp", "half of someth");
    EXPECT_TRUE(replace_file(this->files, this->at("state"), as_bytes("whole")));
    EXPECT_EQ(this->get("state"), "whole");
}

TYPED_TEST(FilesContract, ReadFileRefusesMoreThanTheCallerCanHold) {
    this->put("a", "12345");
    EXPECT_TRUE(read_file(this->files, this->at("a"), 5));
    EXPECT_EQ(this->code_of(read_file(this->files, this->at("a"), 4)), Errc::invalid);
}

TYPED_TEST(FilesContract, FreeSpaceIsTold) {
    EXPECT_GT(this->files.free_bytes(this->disk.root()).value(), 0u);
}

TYPED_TEST(FilesContract, ANameThatIsTooLongIsInvalid) {
    EXPECT_EQ(this->code_of(this->files.create(this->at(std::string(300, 'n')))), Errc::invalid);
}

}  // namespace
}  // namespace tributary::test
