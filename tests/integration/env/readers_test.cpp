// Who may read what is made, on a real disk.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>

#include "common/env/files.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

class ReadersTest : public ::testing::Test {
protected:
    ReadersTest() : umask_(::umask(0)) {}
    ~ReadersTest() override { ::umask(umask_); }

    unsigned mode_of(const std::string& name) const {
        return static_cast<unsigned>(std::filesystem::status(dir / name).permissions());
    }

    test::TempDir dir;
    const mode_t umask_;
};

TEST_F(ReadersTest, AreTheOwnerAloneUnlessToldOtherwise) {
    ASSERT_TRUE(system_files().make_directories(dir / "a/b"));
    ASSERT_TRUE(system_files().create(dir / "a/file"));
    ASSERT_TRUE(system_files().create(dir / "a/program", true));
    EXPECT_EQ(mode_of("a"), 0700U);
    EXPECT_EQ(mode_of("a/b"), 0700U);
    EXPECT_EQ(mode_of("a/file"), 0600U);
    EXPECT_EQ(mode_of("a/program"), 0700U);
}

TEST_F(ReadersTest, OfTheGroupReadAndRunAndNeverWrite) {
    ASSERT_TRUE(system_files().make_directories(dir / "a/b", Readers::group));
    ASSERT_TRUE(system_files().create(dir / "a/file", false, Readers::group));
    ASSERT_TRUE(system_files().create(dir / "a/program", true, Readers::group));
    EXPECT_EQ(mode_of("a"), 0750U);
    EXPECT_EQ(mode_of("a/b"), 0750U);
    EXPECT_EQ(mode_of("a/file"), 0640U);
    EXPECT_EQ(mode_of("a/program"), 0750U);
}

TEST_F(ReadersTest, AreEverybodyWhenTold) {
    ASSERT_TRUE(system_files().make_directories(dir / "a", Readers::everybody));
    ASSERT_TRUE(replace_file(system_files(), dir / "a/file", as_bytes("x"), Readers::everybody));
    EXPECT_EQ(mode_of("a"), 0755U);
    EXPECT_EQ(mode_of("a/file"), 0644U);
}

}  // namespace
}  // namespace tributary
