#include "agent/space/retention.h"

#include "tests/unit/agent_space/space_fixture.h"

namespace tributary::agent {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

class RetentionTest : public SpaceTest {};

TEST_F(RetentionTest, LetsNothingGoBeforeTheFirstReceipt) {
    record_many(6);
    const Retention found = surveyed();
    EXPECT_EQ(found.held, 6u);
    EXPECT_EQ(found.unreceipted, 6u);
    EXPECT_THAT(found.oldest, IsEmpty());
}

TEST_F(RetentionTest, LetsReceiptedVersionsGoOldestFirstButTheNewestOfEachBranch) {
    const VersionId a = record("main"), b = record("side"), c = record("main");
    record("main");
    record("main");
    record("side");
    record("alone");
    log(receipt());

    const Retention found = surveyed();

    EXPECT_THAT(found.oldest, ElementsAre(a, c));
    EXPECT_EQ(found.may_go, 2u);
    EXPECT_EQ(found.newest, 5u);
    EXPECT_TRUE(is_readable(b));
}

TEST_F(RetentionTest, KeepsWhatWasRecordedAfterTheReceipt) {
    record_many(3);
    log(receipt());
    record_many(5);
    const Retention found = surveyed();
    EXPECT_EQ(found.unreceipted, 5u);
    EXPECT_THAT(found.oldest, ElementsAre(all[0], all[1], all[2]));
}

TEST_F(RetentionTest, KeepsWhatTheHubRefusedNowOrBefore) {
    record_many(6);
    Receipt said = receipt();
    said.refused = {{all[1].digest, "piece did not arrive"}};
    log(said);
    SyncState sync;
    sync.refused = {all[2]};
    save_sync(sync);
    EXPECT_THAT(surveyed().oldest, ElementsAre(all[0], all[3]));
}

TEST_F(RetentionTest, DoesNotTrustAListOfRefusalsThatMayLackSome) {
    record_many(6);
    Receipt said = receipt();
    for (std::size_t i = 0; i < limits::kRefusedItemsMax; ++i)
        said.refused.push_back({sha256(as_bytes(std::to_string(i))), "no"});
    log(said);
    EXPECT_THAT(surveyed().oldest, IsEmpty());
}

TEST_F(RetentionTest, DoesNotCountAReceiptForAnotherJournal) {
    record_many(6);
    log(receipt());
    ASSERT_TRUE(store->start_journal(test::start_body()));
    ASSERT_TRUE(store->commit());
    record_many(1);
    EXPECT_THAT(surveyed().oldest, IsEmpty());
}

TEST_F(RetentionTest, GoesThroughAllJournalsOfTheBoardWithTheReceiptAboutEach) {
    record_many(6);
    log(receipt());
    go_on_in_a_new_journal();
    record_many(1);
    EXPECT_THAT(surveyed().oldest, ElementsAre(all[0], all[1], all[2], all[3], all[4]));
    EXPECT_EQ(surveyed().newest, 1u) << "with the one that has no receipt, keep_versions";
    record_many(3);
    log(receipt());
    go_on_in_a_new_journal();
    EXPECT_EQ(surveyed().held, 10u);
    EXPECT_EQ(surveyed().may_go, 8u);
    SyncState sync;
    sync.hub_epoch = 2;
    sync.hub_journal = receipt().hub;
    save_sync(sync);
    EXPECT_THAT(surveyed().oldest, IsEmpty());
}

TEST_F(RetentionTest, KeepsTheNewestThatTwoJournalsName) {
    record_many(6);
    const Receipt before = receipt();
    go_on_in_a_new_journal();
    // As after a loss of what told that the receipt counts: all is said again.
    for (const VersionId& id : all)
        ASSERT_TRUE(store->stage_entry(CommitBody{"lab/model", "main", id}));
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(surveyed().held, 6u) << "counted once";
    log(before);
    log(receipt());
    EXPECT_THAT(surveyed().oldest, testing::Not(testing::Contains(all[4])));
    EXPECT_THAT(surveyed().oldest, testing::Not(testing::Contains(all[5])));
    EXPECT_THAT(surveyed().oldest, testing::Contains(all[3]));
    auto space = keeper();
    const auto maker = space.make_room({.all = true});
    while (!maker->step().value()) {
    }
    EXPECT_TRUE(is_readable(all[4]));
    EXPECT_TRUE(is_readable(all[5]));
    EXPECT_FALSE(is_readable(all[3]));
}

TEST_F(RetentionTest, FindsTheMiddleOfWhatHasNoReceipt) {
    record_many(3);
    log(receipt());
    record_many(9);
    record("side");
    InstallerState state;
    state.marks = {{"model", "a", all[4], {}}};
    save_installs(state);
    SyncState sync;
    sync.refused = {all[5]};
    save_sync(sync);
    // 3 is the first, 4 is in use, 5 was refused, 10 and 11 are the newest.
    EXPECT_THAT(surveyed().middle, ElementsAre(all[6], all[8]));
}

TEST_F(RetentionTest, CountsWhatCameAgainAsHeld) {
    record_many(6);
    log(receipt());
    auto space = keeper();
    const auto maker = space.make_room({0, true, false});
    while (!maker->step().value()) {
    }
    ASSERT_EQ(surveyed().held, 2u);
    const auto item =
        test::stage_file(*store, "w.bin", test::Random(2).bytes(6000), {}, 4096);  // as all[1]
    const EncodedTree tree = encode_tree({item.value()}).value();
    for (const EncodedTreeNode& node : tree.nodes)
        ASSERT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
    ASSERT_TRUE(store->commit());
    EXPECT_EQ(surveyed().held, 3u);
    EXPECT_THAT(surveyed().oldest, ElementsAre(all[1]));
}

TEST_F(RetentionTest, DoesNotCountAReceiptOfAHubThatWasPutBackSince) {
    record_many(6);
    log(receipt());
    SyncState sync;
    sync.hub_epoch = 1;
    sync.hub_journal = receipt().hub;
    save_sync(sync);
    EXPECT_THAT(surveyed().oldest, ElementsAre(all[0], all[1], all[2], all[3]));
    sync.hub_journal.bytes[0] ^= 1;  // another one with the same epoch
    save_sync(sync);
    EXPECT_THAT(surveyed().oldest, IsEmpty());
    sync.hub_journal = receipt().hub;
    sync.hub_epoch = 2;
    save_sync(sync);
    EXPECT_THAT(surveyed().oldest, IsEmpty());
    Receipt anew = receipt();
    anew.epoch = 2;
    anew.sequence = 3;
    log(anew);
    EXPECT_THAT(surveyed().oldest, ElementsAre(all[0], all[1]));
}

TEST_F(RetentionTest, KeepsWhatIsInASlotOrAboutToBe) {
    record_many(8);
    log(receipt());
    InstallerState state;
    state.marks = {{"model", "a", all[0], {}}};
    rollout::Install install;
    install.number = 1;
    install.model = "model";
    install.version = all[3];
    install.old_version = all[1];
    install.state = rollout::InstallState::probation;
    state.installs = {install};
    save_installs(state);

    const Retention found = surveyed();

    EXPECT_THAT(found.oldest, ElementsAre(all[2], all[4], all[5]));
    EXPECT_EQ(found.in_use, 3u);
}

TEST_F(RetentionTest, LetsAModelOfTheHubGoWhenItIsInNoSlotAnyMore) {
    // Two versions that no journal here names, as a push leaves them.
    std::vector<VersionId> pushed;
    for (const char* name : {"old", "new"}) {
        Version version;
        const auto item = test::stage_file(*store, name, as_bytes(name));
        const auto tree = encode_tree({item.value()});
        for (const EncodedTreeNode& node : tree->nodes)
            ASSERT_TRUE(store->stage_object(RecordKind::tree, node.bytes));
        version.tree = tree->id;
        version.incarnation.bytes[0] = 9;
        const Bytes bytes = encode_version(version).value();
        pushed.push_back({store->stage_object(RecordKind::version, bytes).value()});
    }
    record();
    for (const VersionId& version : pushed) {
        InstallBody body;
        body.number = 1;
        body.model = "model";
        body.version = version;
        body.state = "committed";
        ASSERT_TRUE(store->stage_entry(body));
    }
    ASSERT_TRUE(store->commit());
    InstallerState state;
    state.marks = {{"model", "a", pushed[1], {}}};
    save_installs(state);

    const Retention found = surveyed();

    EXPECT_THAT(found.oldest, ElementsAre(pushed[0]));
    EXPECT_EQ(found.in_use, 1u);
    EXPECT_EQ(found.unreceipted, 1u);
}

TEST_F(RetentionTest, LetsAModelGoFirstThatNeverRan) {
    record_many(5);
    Version version;
    version.tree = encode_tree({test::stage_file(*store, "m", as_bytes("m")).value()})->id;
    version.incarnation.bytes[0] = 9;
    InstallBody failed;
    failed.number = 1;
    failed.model = "model";
    failed.version = {
        store->stage_object(RecordKind::version, encode_version(version).value()).value()};
    failed.state = "failed";
    failed.detail = "space";
    ASSERT_TRUE(store->stage_entry(failed));
    ASSERT_TRUE(store->commit());
    log(receipt());

    EXPECT_THAT(surveyed().oldest, ElementsAre(failed.version, all[0], all[1], all[2]));
}

TEST_F(RetentionTest, LetsNothingGoWhileAnInstallIsDownloading) {
    record_many(8);
    log(receipt());
    begin_download();
    auto space = keeper();
    space.on_push_stored();
    const auto found = space.survey();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::unavailable);
}

TEST_F(RetentionTest, LetsNothingGoWhenTheInstallerCannotBeAsked) {
    record_many(8);
    log(receipt());
    ASSERT_TRUE(replace_file(machine.files, config.install_path() + ".0", as_bytes("rubbish")));
    auto space = keeper();
    const auto found = space.survey();
    ASSERT_FALSE(found);
    EXPECT_EQ(found.error().code, Errc::corrupt);
}

TEST_F(RetentionTest, GivesNothingUpTwice) {
    record_many(6);
    log(receipt());
    auto space = keeper();
    const auto maker = space.make_room({0, true, false});
    while (!maker->step().value()) {
    }
    EXPECT_THAT(maker->report().given_up,
                testing::UnorderedElementsAre(all[0], all[1], all[2], all[3]));
    const Retention found = surveyed();
    EXPECT_EQ(found.held, 2u);
    EXPECT_EQ(found.may_go, 0u);
}

TEST_F(RetentionTest, IsNotMisledByAClockThatJumps) {
    record("main");
    machine.clock.set_wall({0});
    record("main");
    machine.clock.set_wall({4'000'000'000'000});
    record("main");
    machine.clock.set_wall({0});
    record("main");
    record("main");
    log(receipt());
    EXPECT_THAT(surveyed().oldest, ElementsAreArray({all[0], all[1], all[2]}));
}

TEST_F(RetentionTest, WorksInBoundedStepsHoweverLongTheJournal) {
    for (int i = 0; i < 1000; ++i) {
        Version version;
        version.tree = {sha256(as_bytes(std::to_string(i)))};
        version.incarnation = store->head().incarnation;
        if (version.incarnation.is_none()) {
            ASSERT_TRUE(store->start_journal(test::start_body()));
            version.incarnation = store->head().incarnation;
        }
        const auto id = store->stage_object(RecordKind::version, encode_version(version).value());
        ASSERT_TRUE(store->stage_entry(CommitBody{"lab/model", "main", {id.value()}}));
    }
    ASSERT_TRUE(store->commit());
    RetentionRule rule;
    rule.receipts = {receipt()};
    RetentionSurvey survey(*store, rule);
    int steps = 1;
    while (!survey.step().value()) ++steps;
    EXPECT_GT(steps, 14);
    EXPECT_EQ(survey.found().may_go, 999u);
}

}  // namespace
}  // namespace tributary::agent
