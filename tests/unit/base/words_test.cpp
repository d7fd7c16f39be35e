#include "common/base/words.h"

#include <gtest/gtest.h>

namespace tributary {
namespace {

TEST(HumanSpan, IsRoundedUp) {
    const std::uint64_t s = 1'000, min = 60 * s, h = 60 * min, d = 24 * h;
    EXPECT_EQ(human_span(0), "0 s");
    EXPECT_EQ(human_span(1), "1 s");
    EXPECT_EQ(human_span(119 * s), "119 s");
    EXPECT_EQ(human_span(119 * s + 1), "2 min");
    EXPECT_EQ(human_span(4 * min), "4 min");
    EXPECT_EQ(human_span(4 * min + 1), "5 min");
    EXPECT_EQ(human_span(119 * min), "119 min");
    EXPECT_EQ(human_span(119 * min + 1), "2 h");
    EXPECT_EQ(human_span(2 * h + 1), "3 h");
    EXPECT_EQ(human_span(47 * h), "47 h");
    EXPECT_EQ(human_span(47 * h + 1), "2 d");
    EXPECT_EQ(human_span(2 * d + 1), "3 d");
}

}  // namespace
}  // namespace tributary
