#include "hub/intake/last_heard.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary::hub {
namespace {

class LastHeardOnDisk : public testing::Test {
protected:
    LastHeardOnDisk() { EXPECT_TRUE(files.make_directories("hub")); }
    test::SimFiles files;
    const LastHeardOf heard{{"a", {WallTime{1'700'000'000'123}, WallTime{1'699'999'999'000}}},
                            {"b", {WallTime{1'700'000'000'000}, {}}}};
};

TEST_F(LastHeardOnDisk, IsTakenOnce) {
    ASSERT_TRUE(keep_last_heard(files, "hub", heard));
    EXPECT_EQ(take_last_heard(files, "hub"), heard);
    EXPECT_TRUE(take_last_heard(files, "hub").empty()) << "a kill would make it stale";
}

TEST_F(LastHeardOnDisk, ThatIsDamagedIsNone) {
    for (const char* text : {"", "[]", "{\"a\":1}", "{\"a\":{\"message_ms\":\"1\"}}", "{\"a\":"}) {
        ASSERT_TRUE(replace_file(files, "hub/last_heard.json", as_bytes(std::string_view(text))));
        EXPECT_TRUE(take_last_heard(files, "hub").empty()) << text;
    }
}

TEST_F(LastHeardOnDisk, OfNobodyIsNoFile) {
    ASSERT_TRUE(keep_last_heard(files, "hub", {}));
    EXPECT_FALSE(files.stat("hub/last_heard.json"));
}

}  // namespace
}  // namespace tributary::hub
