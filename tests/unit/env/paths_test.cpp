#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cerrno>

#include "common/env/file_error.h"
#include "common/env/files.h"

namespace tributary {
namespace {

using testing::HasSubstr;

TEST(Path, JoinsWithOneSlash) {
    EXPECT_EQ(join_path("/a", "b"), "/a/b");
    EXPECT_EQ(join_path("/a/", "b"), "/a/b");
    EXPECT_EQ(join_path("/", "b"), "/b");
    EXPECT_EQ(join_path("", "b"), "b");
}

TEST(Path, SplitsIntoParentAndName) {
    EXPECT_EQ(parent_path("/a/b"), "/a");
    EXPECT_EQ(parent_path("/a/b/"), "/a");
    EXPECT_EQ(parent_path("/a//b"), "/a");
    EXPECT_EQ(parent_path("/a"), "/");
    EXPECT_EQ(parent_path("/"), "/");
    EXPECT_EQ(parent_path("a"), ".");
    EXPECT_EQ(file_name("/a/b/"), "b");
    EXPECT_EQ(file_name("b"), "b");
    EXPECT_EQ(file_name("/"), "/");
}

TEST(FileError, SaysWhatFailedWhereAndWhatToDo) {
    const Error full = file_error("write", "/x/y", ENOSPC).value();
    EXPECT_EQ(full.code, Errc::exhausted);
    EXPECT_EQ(full.native, ENOSPC);
    EXPECT_THAT(full.what, HasSubstr("cannot write /x/y: the disk is full; free some space"));
    EXPECT_EQ(file_error("open", "/x", EMFILE).value().code, Errc::exhausted);
    EXPECT_EQ(file_error("create", "/x", EROFS).value().code, Errc::denied);
    EXPECT_EQ(file_error("sync", "/x", ENXIO).value().code, Errc::unavailable);  // none of ours
}

}  // namespace
}  // namespace tributary
