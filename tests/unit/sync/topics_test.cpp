#include "common/sync/topics.h"

#include <gtest/gtest.h>

#include "common/hash/hash.h"

namespace tributary::sync {
namespace {

TEST(Topics, PartitionIsTheFirstByteOfTheHashOfTheDeviceId) {
    EXPECT_EQ(partition_of("board-7"),
              sha256_of("tributary/1/partition", as_bytes("board-7")).bytes[0]);
}

TEST(Topics, WhatIsBuiltIsParsed) {
    for (const Direction direction : {Direction::up, Direction::down})
        EXPECT_EQ(parse_topic(topic_of("board-7", direction)), (DeviceTopic{"board-7", direction}));
}

TEST(Topics, RefusesEveryOtherSpelling) {
    const std::string good = topic_of("board-7", Direction::up);
    const std::string partition = std::to_string(partition_of("board-7"));
    const std::string wrong = std::to_string(partition_of("board-7") ^ 1);
    for (const std::string& topic :
         {std::string(), good + "/", good + "x", good.substr(1),
          "tributary/1/" + wrong + "/board-7/up", "tributary/1/0" + partition + "/board-7/up",
          "tributary/1/" + partition + "/board-8/up/up", "tributary/2/" + partition + "/board-7/up",
          "tributary/1/" + partition + "/board-7/side", "tributary/1/" + partition + "//up",
          std::string("tributary/1/up")})
        EXPECT_FALSE(parse_topic(topic)) << topic;
}

TEST(Topics, ABroadcastHasOneThatNoDeviceCanHave) {
    EXPECT_EQ(cast_topic(0x1f), "tributary/1/cast/000000000000001f");
    EXPECT_FALSE(parse_topic(cast_topic(0x1f)));
    EXPECT_FALSE(parse_topic("tributary/1/cast/board-7/up"));
}

}  // namespace
}  // namespace tributary::sync
