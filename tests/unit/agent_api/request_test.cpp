// A verb on its way to the daemon.
#include "agent/api/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tributary::agent {
namespace {

VerbRequest there_and_back(const VerbRequest& request) {
    auto parsed = parse_request(encode_request(request, "/home/me"));
    EXPECT_TRUE(parsed) << parsed.error().what;
    return parsed.value_or(VerbRequest{});
}

TEST(VerbRequest, ACommitKeepsAllThatWasSaid) {
    CommitArgs args;
    args.repo = "lab/model";
    args.branch = "side";
    args.paths = {"/abs/a", "rel/b", "odd\xff\n"};
    args.message = "hello";
    args.metadata = {"k=v"};
    args.inputs = {"train_data=lab/data"};
    args.level = "fast";
    args.force = true;

    const VerbRequest back = there_and_back({args, {true}});

    const auto& commit = std::get<CommitArgs>(back.verb);
    EXPECT_TRUE(back.style.json);
    EXPECT_EQ(commit.repo, args.repo);
    EXPECT_EQ(commit.branch, args.branch);
    EXPECT_THAT(commit.paths,
                testing::ElementsAre("/abs/a", "/home/me/rel/b", "/home/me/odd\xff\n"));
    EXPECT_EQ(commit.message, args.message);
    EXPECT_EQ(commit.metadata, args.metadata);
    EXPECT_EQ(commit.inputs, args.inputs);
    EXPECT_EQ(commit.level, args.level);
    EXPECT_TRUE(commit.force);
}

TEST(VerbRequest, WhatWasNotSaidStaysUnsaid) {
    const auto commit = std::get<CommitArgs>(there_and_back({CommitArgs{}, {}}).verb);
    EXPECT_EQ(commit.message, std::nullopt);
    EXPECT_EQ(commit.level, std::nullopt);
    const auto log = std::get<LogArgs>(there_and_back({LogArgs{}, {}}).verb);
    EXPECT_EQ(log.repo, std::nullopt);
    EXPECT_EQ(log.count, SIZE_MAX);
}

TEST(VerbRequest, TheOtherVerbsToo) {
    const auto restore = std::get<RestoreArgs>(
        there_and_back({RestoreArgs{"main", "out", "lab/model", true}, {}}).verb);
    EXPECT_EQ(restore.directory, "/home/me/out");
    EXPECT_EQ(restore.repo, "lab/model");
    EXPECT_TRUE(restore.force);
    EXPECT_TRUE(std::get<FsckArgs>(there_and_back({FsckArgs{true, 0, 0}, {}}).verb).data);
    const auto part = std::get<FsckArgs>(there_and_back({FsckArgs{false, 3, 30}, {}}).verb);
    EXPECT_EQ(part.part, 3u);
    EXPECT_EQ(part.parts, 30u);
    const auto gc = std::get<GcArgs>(there_and_back({GcArgs{true, false}, {}}).verb);
    EXPECT_TRUE(gc.dry_run);
    EXPECT_FALSE(gc.all);
    EXPECT_TRUE(std::holds_alternative<StatusArgs>(there_and_back({StatusArgs{}, {}}).verb));
}

TEST(VerbRequest, AnythingElseIsRefused) {
    for (const char* text :
         {"", "{}", "[]", R"({"verb":"erase","json":false})", R"({"verb":"commit","json":false})",
          R"({"verb":"fsck","data":false,"part":4,"parts":3,"json":false})",
          R"({"verb":"status"})"}) {
        const auto parsed = parse_request(as_bytes(text));
        ASSERT_FALSE(parsed) << text;
        EXPECT_EQ(parsed.error().code, Errc::invalid) << text;
    }
}

}  // namespace
}  // namespace tributary::agent
