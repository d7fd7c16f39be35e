// The installer as the daemon runs it: a real loop, disk and shell.
#include "agent/update/installer.h"

#include <gtest/gtest.h>

#include "common/env/command.h"
#include "common/net/loop.h"
#include "common/trust/seal.h"
#include "tests/integration/net/loop_runner.h"
#include "tests/support/store_builder.h"
#include "tests/support/temp_dir.h"

namespace tributary::agent {
namespace {

// The store on the loop's worker.
class WorkerStore final : public StoreQueue {
public:
    WorkerStore(Loop& loop, Store& store) : loop_(loop), store_(store) {}
    void run(std::function<void(Store&)> work, std::function<void()> done) override {
        loop_.work([this, work = std::move(work)] { work(store_); }, std::move(done));
    }
    void run_long(std::function<void(Store&, const Breathe&)> work,
                  std::function<void()> done) override {
        loop_.work([this, work = std::move(work)] { work(store_, [] { return true; }); },
                   std::move(done));
    }

private:
    Loop& loop_;
    Store& store_;
};

class InstallerTest : public testing::Test {
protected:
    void SetUp() override {
        config_.state_dir = directory_.path();
        ModelConfig model;
        model.name = "defects";
        model.health = "grep -q good \"$TRIBUTARY_MODEL_DIR/model.bin\"";
        model.probation_ms = 100;
        model.health_interval_ms = 20;
        config_.models = {model};
        auto store = Store::open(system_files(), system_clock(), system_entropy(),
                                 directory_.path() + "/store");
        ASSERT_TRUE(store) << store.error().what;
        store_ = *std::move(store);
        queue_ = std::make_unique<WorkerStore>(*loop_, *store_);
        pins_.device = "board-1";
        pins_.hub_keys = {hub_->public_key()};
        pins_.approvers = {approver_->public_key()};
        start();
    }
    void start() {
        installer_ = make_installer({*loop_, *queue_, system_files(), system_clock(), config_, nullptr,
                                     [this](InstallBody body, std::function<void(Status)> done) {
                                         reports_.push_back(std::move(body));
                                         loop_->post([done = std::move(done)] { done(Status()); });
                                     }},
                                    trust::system_verifier(), system_commands());
        installer_->start(pins_);
    }

    // The version comes into the store, then the hub's word about it.
    void assign(const std::string& content, std::uint64_t number) {
        sync::Assign documents;
        bool made = false;
        queue_->run([&](Store& store) { documents = make(store, content, number); },
                    [&] { made = true; });
        ASSERT_TRUE(test::run_until(*loop_, [&] { return made; }));
        installer_->on_assign(documents);
    }
    sync::Assign make(Store& store, const std::string& content, std::uint64_t number) {
        const TreeItem item = *test::stage_file(store, "model.bin", as_bytes(content));
        const VersionId version = *test::commit_version(store, "models/defects", "main", {item});
        const TreeId tree = read_version(store, version)->tree;
        sync::Assign documents;
        documents.approval =
            *trust::sign_document(*approver_, trust::kApprovalPurpose,
                                  *encode_approval({"models/defects", version, tree, "alice", {}}));
        Assignment assignment;
        assignment.number = number;
        assignment.device = "board-1";
        assignment.model = "defects";
        assignment.repo = "models/defects";
        assignment.version = version;
        assignment.content = tree;
        assignment.approval = name_of_plain(RecordKind::document, documents.approval);
        assignment.expires = {system_clock().wall().ms + 3'600'000};
        documents.assignment =
            *trust::sign_document(*hub_, trust::kAssignmentPurpose, *encode_assignment(assignment));
        return documents;
    }
    bool reported(std::size_t count) {
        return test::run_until(*loop_, [&] { return reports_.size() >= count; });
    }
    std::string current() {
        const auto bytes = read_file(system_files(),
                                     directory_.path() + "/models/defects/current/model.bin", 1000);
        return bytes ? std::string(as_text(*bytes)) : "nothing";
    }

    test::TempDir directory_;
    std::unique_ptr<NetLoop> loop_ = make_loop();
    Config config_;
    std::unique_ptr<trust::Signer> hub_ = *trust::generate_key(system_entropy());
    std::unique_ptr<trust::Signer> approver_ = *trust::generate_key(system_entropy());
    Pins pins_;
    std::unique_ptr<Store> store_;
    std::unique_ptr<WorkerStore> queue_;
    std::vector<InstallBody> reports_;
    std::unique_ptr<Installer> installer_;
};

TEST_F(InstallerTest, InstallsWhatIsHealthyAndTakesBackWhatIsNot) {
    assign("good one", 1);
    ASSERT_TRUE(reported(1));
    EXPECT_EQ(reports_[0].state, "committed");
    EXPECT_EQ(current(), "good one");

    assign("bad one", 2);
    ASSERT_TRUE(reported(2));
    EXPECT_EQ(reports_[1].state, "rolled_back");
    EXPECT_EQ(reports_[1].detail, "health");
    EXPECT_EQ(current(), "good one");
    EXPECT_FALSE(installer_->expects_push());
}

TEST_F(InstallerTest, GoesOnAfterARestartInProbation) {
    config_.models[0].probation_ms = 300'000;
    assign("good one", 1);
    ASSERT_TRUE(test::run_until(*loop_, [&] { return current() == "good one"; }));
    installer_.reset();
    config_.models[0].probation_ms = 100;
    start();
    ASSERT_TRUE(reported(1));
    EXPECT_EQ(reports_[0].state, "committed");
}

}  // namespace
}  // namespace tributary::agent
