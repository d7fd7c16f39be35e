#include "agent/record/reference.h"

#include "tests/unit/agent/node_fixture.h"

namespace tributary::agent {
namespace {

class References : public NodeTest {
protected:
    void SetUp() override {
        NodeTest::SetUp();
        write("/in/a", "one");
        cnn_main_ = commit_on("models/cnn", "main");
        cnn_try_ = commit_on("models/cnn", "try/fast");
        data_main_ = commit_on("data/photos", "main");
        only_ = commit_on("data/only", "season");
    }
    VersionId commit_on(const std::string& repo, const std::string& branch) {
        CommitRequest on = request({"/in/a"});
        on.repo = repo;
        on.branch = branch;
        return commit(on).value().version;
    }
    Errc error_of(std::string_view text) {
        const auto found = resolve_version(*store, text);
        EXPECT_FALSE(found) << text;
        return found ? Errc::cancelled : found.error().code;
    }

    VersionId cnn_main_, cnn_try_, data_main_, only_;
};

TEST_F(References, AreFoundByRepositoryAndBranch) {
    EXPECT_EQ(resolve_version(*store, "models/cnn").value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, "models/cnn/try/fast").value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, "tributary://models/cnn/try%2Ffast").value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, "data/only").value(), only_);  // its only branch
    EXPECT_EQ(resolve_version(*store, "main", "data/photos").value(), data_main_);
    EXPECT_EQ(resolve_version(*store, "season").value(), only_);
    EXPECT_EQ(resolve_version(*store, "heads/season").value(), only_);
    EXPECT_EQ(resolve_version(*store, "try/fast").value(), cnn_try_);
}

TEST_F(References, AreFoundByIdAndItsFirstDigits) {
    const std::string id = cnn_try_.text();
    EXPECT_EQ(resolve_version(*store, id).value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, id.substr(7)).value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, id.substr(0, 7 + 12)).value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, id.substr(7, 12)).value(), cnn_try_);
}

TEST_F(References, MayNameAVersionThatIsNotHeld) {
    const std::string elsewhere = "sha256:" + std::string(64, 'a');
    EXPECT_EQ(resolve_version(*store, elsewhere)->text(), elsewhere);
}

TEST_F(References, GoUpToParentsAndBackInTime) {
    clock.advance(1000);
    const WallTime before = clock.wall();
    clock.advance(1000);
    write("/in/a", "two");
    const VersionId newer = commit_on("models/cnn", "main");

    EXPECT_EQ(resolve_version(*store, "models/cnn/main").value(), newer);
    EXPECT_EQ(resolve_version(*store, "models/cnn/main~1").value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, "models/cnn~").value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, "models/cnn^").value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, newer.text() + "~1").value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, "main~1", "models/cnn").value(), cnn_main_);
    const std::string then = "@{" + to_text(before) + "}";
    EXPECT_EQ(resolve_version(*store, "models/cnn" + then).value(), cnn_main_);
    EXPECT_EQ(resolve_version(*store, "models/cnn/main" + then).value(), cnn_main_);
    EXPECT_EQ(error_of("models/cnn/main@{1970-01-01}"), Errc::not_found);
    EXPECT_EQ(error_of("models/cnn/main~2"), Errc::not_found);
    EXPECT_EQ(error_of("sha256:" + std::string(64, 'a') + "~1"), Errc::not_found);
}

TEST_F(References, ThatCouldBeSeveralAreRefusedWithTheChoices) {
    const auto found = resolve_version(*store, "main~1");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::conflict);
    EXPECT_NE(found.error().what.find("models/cnn/main~1"), std::string::npos);
    EXPECT_NE(found.error().what.find("data/photos/main~1"), std::string::npos);
}

TEST_F(References, ThatNameNothingAreNotFound) {
    EXPECT_EQ(error_of("models/unknown"), Errc::not_found);
    EXPECT_EQ(error_of("tributary://models/unknown/main"), Errc::not_found);
    EXPECT_EQ(error_of("unknown"), Errc::not_found);
    EXPECT_EQ(error_of("sha256:00000000"), Errc::not_found);
    EXPECT_EQ(error_of("abc"), Errc::not_found);
    EXPECT_EQ(error_of(""), Errc::invalid);

    const auto branch = resolve_version(*store, "models/cnn/unknown");
    ASSERT_FALSE(branch);
    EXPECT_EQ(branch.error().code, Errc::not_found);
    EXPECT_NE(branch.error().what.find("models/cnn/try/fast"), std::string::npos);
}

TEST_F(References, OfTheHubSayWhereToAsk) {
    for (const std::string text : {"@production", "models/cnn/@production", "models/cnn/tags/v1",
                                   "device/board-7/main", "tributary://models/cnn/tags%2Fv1"}) {
        const auto found = resolve_version(*store, text);
        ASSERT_FALSE(found) << text;
        EXPECT_EQ(found.error().code, Errc::unsupported) << text;
        EXPECT_NE(found.error().what.find("'tributary show'"), std::string::npos) << text;
    }
}

TEST_F(References, OfInputsHaveARole) {
    const Input plain = resolve_input(*store, "data/photos").value();
    EXPECT_EQ(plain.role, "train_data");
    EXPECT_EQ(plain.id, data_main_.digest);
    EXPECT_EQ(resolve_input(*store, "base_model=models/cnn").value().role, "base_model");
    EXPECT_FALSE(resolve_input(*store, "=models/cnn"));
    EXPECT_FALSE(resolve_input(*store, "base_model="));
}

TEST_F(References, OfInputsHaveNotTheRoleOfMerges) {
    const auto input = resolve_input(*store, "conflict=models/cnn");
    ASSERT_FALSE(input);
    EXPECT_EQ(input.error().code, Errc::invalid);
}

}  // namespace
}  // namespace tributary::agent
