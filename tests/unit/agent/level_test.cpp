#include "agent/app/level.h"

#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

using codec::Level;

TEST(LevelFor, ANamedOneIsThatOneWhateverTheLink) {
    for (const auto rate : {std::optional<std::uint64_t>(), std::optional<std::uint64_t>(1000)}) {
        EXPECT_EQ(level_for("fast", rate), Level::fast);
        EXPECT_EQ(level_for("default", rate), Level::standard);
        EXPECT_EQ(level_for("max", rate), Level::max);
    }
}

TEST(LevelFor, AutoSparesASlowLink) {
    EXPECT_EQ(level_for("auto", 65'535), Level::max);
    EXPECT_EQ(level_for("auto", 65'536), Level::standard);
    EXPECT_EQ(level_for("auto", 100'000'000), Level::standard);
}

TEST(LevelFor, AutoIsTheDefaultWhileNothingIsKnownOfTheLink) {
    EXPECT_EQ(level_for("auto", std::nullopt), Level::standard);
}

TEST(LevelFor, AnotherWordIsRefusedWithThoseThereAre) {
    const auto level = level_for("turbo", std::nullopt);
    ASSERT_FALSE(level);
    EXPECT_EQ(level.error().code, Errc::invalid);
    EXPECT_NE(level.error().what.find("auto, fast, default or max"), std::string::npos);
}

}  // namespace
}  // namespace tributary::agent
