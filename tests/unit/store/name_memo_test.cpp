#include "common/store/name_memo.h"

#include <gtest/gtest.h>

#include <fstream>

#include "tests/support/temp_dir.h"

namespace tributary {
namespace {

class NameMemoOnDisk : public testing::Test {
protected:
    test::TempDir folder;
    std::string path = folder.path() + "/names.sqlite";
    std::vector<ShortName> names{{1, 2}, {3, 4}};
};

TEST_F(NameMemoOnDisk, TellsOwnersApartAndOutlivesAProcess) {
    {
        NameMemo memo(path);
        memo.add("a", names);
        memo.add("a", names);
    }
    NameMemo memo(path);

    EXPECT_TRUE(memo.knows("a"));
    EXPECT_TRUE(memo.contains("a", {1, 2}));
    EXPECT_FALSE(memo.contains("a", {1, 4}));
    EXPECT_FALSE(memo.knows("b"));
    EXPECT_FALSE(memo.contains("b", {1, 2}));

    memo.add("b", names);
    memo.forget("a");
    EXPECT_FALSE(memo.knows("a"));
    EXPECT_TRUE(memo.contains("b", {3, 4}));
}

TEST_F(NameMemoOnDisk, IsBegunAnewWhenItCannotBeRead) {
    std::ofstream(path) << std::string(4096, 'x');

    NameMemo memo(path);

    EXPECT_FALSE(memo.knows("a"));
    memo.add("a", names);
    EXPECT_TRUE(memo.contains("a", {1, 2}));
}

TEST_F(NameMemoOnDisk, GivesBackOnceWhatWasUnfinished) {
    const Bytes left(300'000, 7);
    {
        NameMemo memo(path);
        memo.keep_unfinished("a", Bytes(10, 1));
        memo.keep_unfinished("a", left);
    }
    NameMemo memo(path);
    EXPECT_TRUE(memo.take_unfinished("b").empty());
    EXPECT_EQ(memo.take_unfinished("a"), left);
    EXPECT_TRUE(memo.take_unfinished("a").empty());
}

TEST(NameMemo, KeepsOnlySoMuchThatIsUnfinished) {
    NameMemo memo(NameMemo::kInMemory);
    const Bytes half(NameMemo::kUnfinishedBytesMax / 2, 7);
    memo.keep_unfinished("a", half);
    memo.keep_unfinished("b", half);
    memo.keep_unfinished("a", half);
    memo.keep_unfinished("c", Bytes(1));
    EXPECT_TRUE(memo.take_unfinished("b").empty()) << "the oldest";
    EXPECT_EQ(memo.take_unfinished("a").size(), half.size());
    EXPECT_EQ(memo.take_unfinished("c").size(), 1u);
    memo.keep_unfinished("d", half);
    memo.keep_unfinished("e", half);
    EXPECT_EQ(memo.take_unfinished("d").size(), half.size()) << "what was taken has left room";
}

// Nobody is told that he sent what another did.
TEST_F(NameMemoOnDisk, WhoseBitsFlipGivesNoOwnerTheNamesOfAnother) {
    { NameMemo(path).add("board-1", names); }
    std::ifstream file(path, std::ios::binary);
    const std::string sound((std::istreambuf_iterator<char>(file)), {});
    const auto at = sound.find("board-1");
    ASSERT_NE(at, std::string::npos);
    for (std::size_t bit = 0; bit < 8 * std::string_view("board-1").size(); ++bit) {
        std::string flipped = sound;
        for (auto where = at; where != std::string::npos; where = sound.find("board-1", where + 1))
            flipped[where + bit / 8] = static_cast<char>(flipped[where + bit / 8] ^ (1 << bit % 8));
        std::ofstream(path, std::ios::binary) << flipped;
        NameMemo memo(path);
        const std::string other = flipped.substr(at, 7);
        EXPECT_TRUE(memo.knows(other)) << other << ": the row is there";
        EXPECT_FALSE(memo.contains(other, names[0])) << other;
    }
}

TEST(NameMemo, ForgetsAllWhereNoFileCanBe) {
    NameMemo memo("/nowhere/at/all/names.sqlite");
    memo.add("a", std::vector<ShortName>{{1, 2}});
    EXPECT_FALSE(memo.contains("a", {1, 2}));
    memo.forget("a");
}

}  // namespace
}  // namespace tributary
