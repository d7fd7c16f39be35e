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
              "it comes, about 2.0 MB left");
    EXPECT_EQ(
        waits(R"({"connected": true, "push": {"bytes_left": 2000000, "waits_for": "an answer"}})"),
        "about 2.0 MB left; it waits for an answer");
    EXPECT_EQ(waits(R"({"connected": true, "push": {"bytes_left": 0, "waits_for": "the hub"}})"),
              "it waits for the hub")
        << "nobody knows yet how much it is";
    EXPECT_EQ(waits(R"({"connected": true, "broadcast": {"parts_held": 1}})"),
              "it comes by broadcast");
}

std::string said(std::string (*text)(const Json&), const std::string& link) {
    return text(*parse_json(link));
}

TEST(DeviceLinkText, TellsHowLongAPushTakes) {
    const std::string push = R"("push": {"bytes_left": 40000000, "bytes_per_second": 128000})";
    EXPECT_EQ(said(push_text, "{" + push + "}"),
              ", about 40.0 MB left, 128.0 kB a second, about 6 min to go");
    EXPECT_EQ(said(push_text, "{" + push + R"(, "push_rests_seconds": 60})"),
              ", about 40.0 MB left");
    EXPECT_EQ(said(push_text, R"({"push": {"bytes_left": 5000, "bytes_per_second": null}})"),
              ", about 5.0 kB left");
    EXPECT_EQ(
        said(push_text,
             R"({"push": {"bytes_left": 5000, "bytes_per_second": 9, "waits_for": "an answer"}})"),
        ", about 5.0 kB left; it waits for an answer");
    EXPECT_EQ(said(push_text, R"({"push": {"bytes_left": 0, "bytes_per_second": 128000}})"), "");
}

TEST(DeviceLinkText, TellsNoTimeOfAnUplinkOfWhichOnlyAPageIsKnown) {
    EXPECT_EQ(
        said(uplink_text, R"({"uplink": {"bytes_left": 460000, "bytes_per_second": 128000}})"),
        ", at least 460.0 kB left, 128.0 kB a second");
    EXPECT_EQ(said(uplink_text, "{}"), "");
}

TEST(AssignedDevice, MayHaveItInProbation) {
    EXPECT_EQ(waits(R"({"connected": true})"), "the board takes it, or has it in probation");
}

TEST(AssignedDevice, WaitsForNothingOnceItAnswered) {
    EXPECT_EQ(waits("null", R"({"state": "failed"})"), "");
}

}  // namespace
}  // namespace tributary::cli
