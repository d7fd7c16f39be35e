// A commit that takes some files as they are and keeps others as they were.
#include <gmock/gmock.h>

#include <set>

#include "agent/record/restorer.h"
#include "tests/support/doubled_tree.h"
#include "tests/unit/agent/node_fixture.h"

namespace tributary::agent {
namespace {

using Take = CommitRequest::Take;

class RecorderSelectTest : public NodeTest {
protected:
    // Commits /in/a and /in/sub, keeping what `kept` names.
    CommitOutcome commit_keeping(const std::set<std::string>& kept) {
        CommitRequest selecting = request({"/in/a", "/in/sub"});
        selecting.select = [kept](const std::string& path, const FileStatus&) {
            return kept.contains(path) ? Take::keep : Take::record;
        };
        const auto outcome = commit(selecting);
        EXPECT_TRUE(outcome) << outcome.error().what;
        const auto restored = restore_version(files, *store, outcome->version, "/out", true);
        EXPECT_TRUE(restored) << restored.error().what;
        return outcome.value_or(CommitOutcome{});
    }
};

TEST_F(RecorderSelectTest, WhatIsKeptStaysAsTheHeadHasIt) {
    write("/in/a", "one");
    write("/in/sub/b", "two");
    committed({"/in/a", "/in/sub"});
    write("/in/a", "one more");
    write("/in/sub/b", "half of it");

    commit_keeping({"/in/sub/b"});

    EXPECT_EQ(content("/out/a"), as_vector("one more"));
    EXPECT_EQ(content("/out/sub/b"), as_vector("two"));
}

TEST_F(RecorderSelectTest, WhatIsKeptAndWasNotThereIsLeftOut) {
    write("/in/a", "half of it");
    write("/in/sub/b", "two");

    commit_keeping({"/in/a"});

    EXPECT_FALSE(files.stat("/out/a"));
    EXPECT_EQ(content("/out/sub/b"), as_vector("two"));
}

// The board's private key lies in it.
class StateDirTest : public NodeTest {
protected:
    StateDirTest() {
        write("/in/state/key.pem", "secret");
        write("/in/a", "one");
    }
    Result<CommitOutcome> commit_beside_state(const std::string& path, bool selecting) {
        CommitRequest asked = request({path});
        asked.state_dir = "/in/state/";
        if (selecting)
            asked.select = [](const std::string&, const FileStatus&) { return Take::record; };
        return commit(asked);
    }
};

TEST_F(StateDirTest, IsRefusedWhereAPersonNamesItOrWhatHoldsIt) {
    for (const std::string path : {"/in", "/in/state", "/in/state/key.pem"}) {
        const auto outcome = commit_beside_state(path, false);
        ASSERT_FALSE(outcome) << path;
        EXPECT_EQ(outcome.error().code, Errc::invalid);
        EXPECT_NE(outcome.error().what.find("/in/state"), std::string::npos);
    }
}

TEST_F(StateDirTest, IsLeftOutOfAWatchedFolder) {
    const auto outcome = commit_beside_state("/in", true);

    ASSERT_TRUE(outcome) << outcome.error().what;
    ASSERT_TRUE(restore_version(files, *store, outcome->version, "/out", true));
    EXPECT_EQ(files.list("/out/in").value(), std::vector<std::string>{"a"});
    EXPECT_FALSE(commit_beside_state("/in/state/key.pem", true)) << "it is watched itself";
}

TEST_F(RecorderSelectTest, TheHeadIsTheAnswerForTheSameTreeWhenThatIsAskedFor) {
    write("/in/a", "one");
    const CommitOutcome first = committed({"/in/a"});
    CommitRequest again = request({"/in/a"});
    again.notes = Notes{"a note", {}};
    again.skip_same = true;

    const auto outcome = commit(again);

    ASSERT_TRUE(outcome);
    EXPECT_FALSE(outcome->made);
    EXPECT_EQ(outcome->version, first.version);
}

TEST_F(RecorderSelectTest, ProgressMayEndIt) {
    write("/in/a", random_bytes(1, 3'000'000));

    const auto outcome =
        commit(request({"/in/a"}), [](const std::string&, std::uint64_t bytes) -> Status {
            if (bytes < 1'000'000) return {};
            return fail(Errc::cancelled, "stop");
        });

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::cancelled);
    EXPECT_TRUE(store->versions(std::nullopt, 10)->empty());
}

// What the head has in a folder may have been made by anyone.
TEST_F(RecorderSelectTest, WhatIsKeptCountsAmongTheFilesThatAVersionMayHave) {
    EncodedTree tree = test::doubled_tree(60);
    const EncodedTree root =
        encode_tree({{TreeItem::Type::tree, "sub", tree.id.digest, 0}}).value();
    tree.id = root.id;
    tree.nodes.push_back(root.nodes.back());
    committed_tree(tree);
    write("/in/a", "one");
    write("/in/sub/b", "two");
    CommitRequest selecting = request({"/in/a", "/in/sub"});
    selecting.select = [](const std::string& path, const FileStatus&) {
        return path == "/in/sub" ? Take::keep : Take::record;
    };

    const auto outcome = commit(selecting);

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::invalid);
    EXPECT_NE(outcome.error().what.find("/in/sub"), std::string::npos);
}

TEST_F(RecorderSelectTest, WhatIsKeptMayNotLieTooDeep) {
    EncodedTree tree = test::doubled_tree(limits::kTreeDepthMax, "f");
    const EncodedTree root =
        encode_tree({{TreeItem::Type::tree, "sub", tree.id.digest, 0}}).value();
    tree.id = root.id;
    tree.nodes.push_back(root.nodes.back());
    committed_tree(tree);
    write("/in/sub/b", "two");
    CommitRequest selecting = request({"/in/sub"});
    selecting.select = [](const std::string&, const FileStatus&) { return Take::keep; };

    const auto outcome = commit(selecting);

    ASSERT_FALSE(outcome);
    EXPECT_EQ(outcome.error().code, Errc::invalid);
    EXPECT_NE(outcome.error().what.find("deep"), std::string::npos);
}

}  // namespace
}  // namespace tributary::agent
