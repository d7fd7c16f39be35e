#include "common/store/state_file.h"

#include <gtest/gtest.h>

#include "tests/support/sim_files.h"

namespace tributary {
namespace {

class StateFileTest : public testing::Test {
protected:
    Result<StateFile> open() { return StateFile::open(files, "/state/install"); }
    static Bytes bytes(std::string_view text) { return {text.begin(), text.end()}; }
    void save(std::initializer_list<std::string_view> values) {
        auto state = open();
        ASSERT_TRUE(state);
        for (const std::string_view value : values) ASSERT_TRUE(state->save(bytes(value)));
    }

    test::SimFiles files;
};

TEST_F(StateFileTest, HoldsNothingBeforeTheFirstSave) {
    const auto state = open();
    ASSERT_TRUE(state) << state.error().what;
    EXPECT_FALSE(state->value());
    EXPECT_FALSE(state->damaged());
}

TEST_F(StateFileTest, GivesBackWhatWasSavedLast) {
    save({"one", "two", "three"});
    EXPECT_EQ(open()->value(), bytes("three"));
    save({"four"});
    EXPECT_EQ(open()->value(), bytes("four"));
}

TEST_F(StateFileTest, HasTheDocumentedBytes) {
    save({"ab"});
    const Bytes expected = {'T', 'R', 'B', 'S', 'T', 'A', 'T', '1', 1,   0,    0,    0,    0,
                            0,   0,   0,   2,   0,   0,   0,   'a', 'b', 0x10, 0x03, 0x9e, 0x4f};
    EXPECT_EQ(*read_file(files, "/state/install.0", 100), expected);
    EXPECT_FALSE(files.stat("/state/install.1"));
}

TEST_F(StateFileTest, FallsBackToTheValueBeforeAndSaysSoWhenTheNewestIsDamaged) {
    save({"one", "two"});
    files.flip_bit("/state/install.1", 8 * 21);
    const auto state = open();
    ASSERT_TRUE(state);
    EXPECT_EQ(state->value(), bytes("one"));
    EXPECT_TRUE(state->damaged());
}

TEST_F(StateFileTest, EveryFlippedBitIsNoticed) {
    save({"one"});
    for (std::uint64_t bit = 0; bit < 8 * (24 + 3); ++bit) {
        files.flip_bit("/state/install.0", bit);
        const auto state = open();
        ASSERT_FALSE(state) << bit;
        EXPECT_EQ(state.error().code, Errc::corrupt);
        files.flip_bit("/state/install.0", bit);
    }
    EXPECT_TRUE(open());
}

TEST_F(StateFileTest, KeepsTheOldValueWhenASaveFails) {
    auto state = open();
    ASSERT_TRUE(state->save(bytes("one")));
    files.fail_call(test::SimFiles::Effect::sync, 1, 5);
    EXPECT_FALSE(state->save(bytes("two")));
    EXPECT_EQ(state->value(), bytes("one"));
    EXPECT_EQ(open()->value(), bytes("one"));
    ASSERT_TRUE(state->save(bytes("three")));
    EXPECT_EQ(open()->value(), bytes("three"));
}

TEST_F(StateFileTest, RefusesWhatItCouldNotReadBack) {
    auto state = open();
    EXPECT_EQ(state->save(Bytes(StateFile::kPayloadBytesMax + 1)).error().code, Errc::invalid);
    EXPECT_TRUE(state->save(Bytes(StateFile::kPayloadBytesMax)));
    EXPECT_EQ(open()->value()->size(), StateFile::kPayloadBytesMax);
}

}  // namespace
}  // namespace tributary
