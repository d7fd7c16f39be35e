// The memo of names on a disk that is full: what stands in it stays, and it goes on when there is
// room.
#include "common/store/name_memo.h"

#include <gtest/gtest.h>

#include "tests/sim/store/sim_vfs.h"

namespace tributary {
namespace {

class NameMemoOnAFullDisk : public testing::Test {
protected:
    NameMemoOnAFullDisk() { EXPECT_TRUE(files.make_directories("/hub")); }

    std::unique_ptr<NameMemo> open() {
        return std::make_unique<NameMemo>("/hub/sent.sqlite", [this](const Error&) { ++told; });
    }
    // So many bytes more can be written.
    void leave_free(std::uint64_t bytes) {
        files.set_capacity(UINT64_MAX);
        files.set_capacity(UINT64_MAX - files.free_bytes("/hub").value() + bytes);
    }
    static std::vector<ShortName> names(std::uint64_t from, std::uint64_t count) {
        std::vector<ShortName> made;
        for (std::uint64_t i = from; i < from + count; ++i) made.push_back({i, i});
        return made;
    }

    test::SimFiles files;
    test::SimVfs vfs{files};
    int told = 0;
};

// Wherever in a write the room ends.
TEST_F(NameMemoOnAFullDisk, KeepsWhatItHasSaysSoOnceAndGoesOnLater) {
    for (std::uint64_t room = 0; room < 300'000; room += 9'000) {
        SCOPED_TRACE(room);
        told = 0;
        const std::string owner = "board-" + std::to_string(room);
        auto memo = open();
        memo->add(owner, names(1, 100));
        memo->keep_unfinished(owner, Bytes(3'000, 7));
        leave_free(room);
        memo->add(owner, names(200, 20'000));
        memo->keep_unfinished("another", Bytes(400'000, 8));
        memo->add(owner, names(100'000, 20'000));
        EXPECT_EQ(told, 1);
        EXPECT_TRUE(memo->contains(owner, {7, 7}));
        EXPECT_FALSE(memo->contains(owner, {210, 210}));

        files.set_capacity(UINT64_MAX);
        memo->add(owner, names(300, 1));
        EXPECT_TRUE(memo->contains(owner, {300, 300}));
        memo.reset();
        memo = open();
        EXPECT_TRUE(memo->contains(owner, {7, 7}));
        EXPECT_TRUE(memo->contains(owner, {300, 300}));
        EXPECT_EQ(memo->take_unfinished(owner), Bytes(3'000, 7));
        memo->forget(owner);
    }
}

TEST_F(NameMemoOnAFullDisk, ThatIsFullAtTheStartIsNotEmptied) {
    open()->add("a", names(1, 100));
    leave_free(0);
    EXPECT_TRUE(open()->contains("a", {7, 7}));
    EXPECT_EQ(told, 0);
}

TEST_F(NameMemoOnAFullDisk, GivesWhatWasUnfinishedAlthoughItCannotBeDeleted) {
    open()->keep_unfinished("a", Bytes(3'000, 7));
    leave_free(0);
    EXPECT_EQ(open()->take_unfinished("a"), Bytes(3'000, 7));
    EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace tributary
