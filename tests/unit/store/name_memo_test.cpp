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

TEST(NameMemo, ForgetsAllWhereNoFileCanBe) {
    NameMemo memo("/nowhere/at/all/names.sqlite");
    memo.add("a", std::vector<ShortName>{{1, 2}});
    EXPECT_FALSE(memo.contains("a", {1, 2}));
    memo.forget("a");
}

}  // namespace
}  // namespace tributary
