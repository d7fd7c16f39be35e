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
    EXPECT_EQ(resolve_version(*store, "models/cnn@try/fast").value(), cnn_try_);
    EXPECT_EQ(resolve_version(*store, "data/only").value(), only_);  // its only branch
    EXPECT_EQ(resolve_version(*store, "main", "data/photos").value(), data_main_);
    EXPECT_EQ(resolve_version(*store, "season").value(), only_);
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

TEST_F(References, ThatCouldBeSeveralAreRefusedWithTheChoices) {
    const auto found = resolve_version(*store, "main");
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::invalid);
    EXPECT_NE(found.error().what.find("models/cnn@main"), std::string::npos);
    EXPECT_NE(found.error().what.find("data/photos@main"), std::string::npos);
}

TEST_F(References, ThatNameNothingAreNotFound) {
    EXPECT_EQ(error_of("models/unknown"), Errc::not_found);
    EXPECT_EQ(error_of("models/cnn@unknown"), Errc::not_found);
    EXPECT_EQ(error_of("unknown"), Errc::not_found);
    EXPECT_EQ(error_of("sha256:00000000"), Errc::not_found);
    EXPECT_EQ(error_of("abc"), Errc::not_found);
    EXPECT_EQ(error_of(""), Errc::not_found);
}

TEST_F(References, OfInputsHaveARole) {
    const Input plain = resolve_input(*store, "data/photos").value();
    EXPECT_EQ(plain.role, "train_data");
    EXPECT_EQ(plain.id, data_main_.digest);
    EXPECT_EQ(resolve_input(*store, "base_model=models/cnn").value().role, "base_model");
    EXPECT_FALSE(resolve_input(*store, "=models/cnn"));
    EXPECT_FALSE(resolve_input(*store, "base_model="));
}

}  // namespace
}  // namespace tributary::agent
