#include "common/net/watch.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tests/integration/net/loop_runner.h"
#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

using test::run_for;
using test::run_until;
namespace fs = std::filesystem;

class WatchTest : public ::testing::Test {
protected:
    void watch() {
        auto made = watch_directory(
            *loop_, directory_.path(),
            [this](const std::string& path, WatchEvent event) { seen_.emplace_back(path, event); });
        ASSERT_TRUE(made) << made.error().what;
        watch_ = std::move(*made);
        run_for(*loop_, 20);
    }
    bool sees(const std::string& name, WatchEvent event) {
        const std::pair expected(directory_ / name, event);
        return run_until(
            *loop_, [&] { return std::find(seen_.begin(), seen_.end(), expected) != seen_.end(); },
            2'000);
    }
    void write(const std::string& name) { std::ofstream(directory_ / name) << "x"; }

    test::TempDir directory_;
    std::unique_ptr<NetLoop> loop_ = make_loop();
    std::unique_ptr<DirectoryWatch> watch_;
    std::vector<std::pair<std::string, WatchEvent>> seen_;
};

TEST_F(WatchTest, TellsWhenAWriterHasFinishedAndNotBefore) {
    watch();
    std::ofstream file(directory_ / "model.safetensors");
    file << "half" << std::flush;
    run_for(*loop_, 50);
    EXPECT_TRUE(seen_.empty());
    file.close();
    EXPECT_TRUE(sees("model.safetensors", WatchEvent::written));
}

TEST_F(WatchTest, TellsOfFilesRenamedIntoPlaceAndRemoved) {
    watch();
    write("partial");
    fs::rename(directory_ / "partial", directory_ / "whole");
    EXPECT_TRUE(sees("partial", WatchEvent::removed));
    EXPECT_TRUE(sees("whole", WatchEvent::moved_in));
    fs::remove(directory_ / "whole");
    EXPECT_TRUE(sees("whole", WatchEvent::removed));
}

TEST_F(WatchTest, TellsOfHiddenNamesAsOfAllOthers) {
    write(".old");
    fs::create_directory(directory_ / ".sub");
    write(".sub/.older");
    watch();
    EXPECT_TRUE(sees(".old", WatchEvent::found));
    EXPECT_TRUE(sees(".sub/.older", WatchEvent::found));
    write(".new");
    EXPECT_TRUE(sees(".new", WatchEvent::written));
}

TEST_F(WatchTest, SeesFilesPast2GiB) {
    write("old");
    fs::resize_file(directory_ / "old", 3ULL << 30);  // without content: takes no space
    watch();
    EXPECT_TRUE(sees("old", WatchEvent::found));
    fs::rename(directory_ / "old", directory_ / "new");
    EXPECT_TRUE(sees("new", WatchEvent::moved_in));
}

TEST_F(WatchTest, FindsWhatIsThereAlready) {
    write("old");
    fs::create_directory(directory_ / "sub");
    write("sub/older");
    watch();
    EXPECT_TRUE(sees("old", WatchEvent::found));
    EXPECT_TRUE(sees("sub/older", WatchEvent::found));
}

TEST_F(WatchTest, FollowsASubfolderMadeOrRenamedLater) {
    watch();
    fs::create_directory(directory_ / "run1");
    run_for(*loop_, 20);
    write("run1/a");
    EXPECT_TRUE(sees("run1/a", WatchEvent::written));
    fs::rename(directory_ / "run1", directory_ / "run2");
    run_for(*loop_, 20);
    write("run2/b");
    EXPECT_TRUE(sees("run2/b", WatchEvent::written));
}

TEST_F(WatchTest, FindsFilesOfAFolderThatCameFilled) {
    watch();
    const test::TempDir elsewhere;
    fs::create_directory((elsewhere / "filled"));
    std::ofstream((elsewhere / "filled/a")) << "x";
    fs::rename(elsewhere / "filled", directory_ / "filled");
    EXPECT_TRUE(sees("filled/a", WatchEvent::found));
}

TEST_F(WatchTest, IgnoresLinksAndFolders) {
    watch();
    fs::create_symlink("/etc/passwd", directory_ / "link");
    fs::create_directory(directory_ / "folder");
    write("file");
    EXPECT_TRUE(sees("file", WatchEvent::written));
    EXPECT_EQ(seen_.size(), 1u);
}

TEST_F(WatchTest, ReportsAnOverflowAndThenEverything) {
    watch();
    int limit = 16384;
    std::ifstream("/proc/sys/fs/inotify/max_queued_events") >> limit;
    if (limit > 100'000) GTEST_SKIP() << "the kernel's queue is too long to fill in a test";
    const std::string a = directory_ / "a";
    const std::string b = directory_ / "b";
    write("a");
    for (int i = 0; i <= limit / 2; ++i) {  // two events for each rename
        ::rename(a.c_str(), b.c_str());
        ::rename(b.c_str(), a.c_str());
    }
    const std::pair overflow(directory_.path(), WatchEvent::overflow);
    ASSERT_TRUE(run_until(
        *loop_, [&] { return std::find(seen_.begin(), seen_.end(), overflow) != seen_.end(); }));
    EXPECT_TRUE(sees("a", WatchEvent::found));
}

TEST_F(WatchTest, SaysWhenTheFolderItselfIsGone) {
    watch();
    fs::remove_all(directory_.path());
    EXPECT_TRUE(run_until(
        *loop_, [&] { return !seen_.empty() && seen_.back().second == WatchEvent::gone; }));
}

TEST_F(WatchTest, MayBeDestroyedByItsCallback) {
    auto made = watch_directory(*loop_, directory_.path(),
                                [this](const std::string&, WatchEvent) { watch_.reset(); });
    watch_ = std::move(*made);
    write("a");
    write("b");
    EXPECT_TRUE(run_until(*loop_, [&] { return watch_ == nullptr; }));
}

TEST(DirectoryWatch, NamesAFolderThatIsNotThere) {
    const auto loop = make_loop();
    const auto made = watch_directory(*loop, "/nowhere/at/all", {});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::not_found);
    EXPECT_NE(made.error().what.find("/nowhere/at/all"), std::string::npos);
}

}  // namespace
}  // namespace tributary
