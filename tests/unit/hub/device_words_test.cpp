// Why a board has not answered its assignment.
#include "hub/cli/device_words.h"

#include <gtest/gtest.h>

namespace tributary::cli {
namespace {

const char* kAssigned = R"({"state": "assigned", "at": {"time": "2026-01-01T00:00:00Z"}})";

std::string waits(const std::string& link, const std::string& model = kAssigned) {
    const auto device = parse_json(R"({"id": "b1", "link": )" + link + "}");
    return waits_for(*device, *parse_json(model));
}

TEST(AssignedDevice, IsWaitedForWhileItIsAway) {
    EXPECT_EQ(waits(R"({"connected": false, "heard_seconds": 300})"), "away, heard 5 min ago");
    EXPECT_EQ(waits("null"), "not seen since the hub's start");
}

TEST(AssignedDevice, RestsByItsBudget) {
    EXPECT_EQ(waits(R"({"connected": true, "push_rests_seconds": 90000})"),
              "content goes on in about 25 h, by its [link] hours or bytes_per_day");
}

TEST(AssignedDevice, GetsItsVersion) {
    EXPECT_EQ(waits(R"({"connected": true, "push": {"bytes_left": 2000000}})"),
              "it comes, at least 2.0 MB left");
    EXPECT_EQ(waits(R"({"connected": true, "broadcast": {"parts_held": 1}})"),
              "it comes by broadcast");
}

TEST(AssignedDevice, MayHaveItInProbation) {
    EXPECT_EQ(waits(R"({"connected": true})"), "the board takes it, or has it in probation");
}

TEST(AssignedDevice, WaitsForNothingOnceItAnswered) {
    EXPECT_EQ(waits("null", R"({"state": "failed"})"), "");
}

}  // namespace
}  // namespace tributary::cli
