#include "hub/registry/registry.h"

#include "common/record/document.h"
#include "common/trust/seal.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

// Two boards, of which one recorded a model that was approved.
class RegistryTest : public testing::Test {
protected:
    RegistryTest() {
        version = a.commit("vision/digits", {{"m", "1"}});
        a.bring_to(*home.ledger);
        b.bring_to(*home.ledger);
    }

    Registry registry_with(std::vector<Bytes> keys) {
        return Registry(*home.ledger, home.clock, std::move(keys), 1);
    }
    Registry registry() { return registry_with({key->public_key()}); }

    Bytes approval(std::uint64_t at_ms = 1) {
        tributary::Approval approval;
        approval.repo = "vision/digits";
        approval.version = version;
        approval.content = home.ledger->catalog().version(version)->version.tree;
        approval.approver = "alice";
        approval.time.wall_ms = at_ms;
        return trust::sign_document(*key, trust::kApprovalPurpose,
                                    encode_approval(approval).value())
            .value();
    }
    void says(Board& board, const std::string& model, const std::string& state,
              const std::string& detail) {
        board.say(InstallBody{1, model, version, state, {}, {}, detail});
        board.bring_to(*home.ledger);
    }

    Board a{"a", 1}, b{"b", 2};
    HubHome home{3};
    test::SimEntropy entropy{4};
    std::unique_ptr<trust::Signer> key = trust::generate_key(entropy).value();
    VersionId version;
};

TEST_F(RegistryTest, SaysAtOnceThatThereAreNoApprovers) {
    for (const auto& refused : {registry_with({}).approve(approval()).error(),
                                registry_with({}).assign("m", version, {}, false).error()}) {
        EXPECT_EQ(refused.code, Errc::denied);
        EXPECT_NE(refused.what.find("[approval] keys"), std::string::npos) << refused.what;
    }
}

TEST_F(RegistryTest, KeepsOneApprovalOfAKey) {
    ASSERT_TRUE(registry().approve(approval(1)));
    ASSERT_TRUE(registry().approve(approval(2)));
    EXPECT_EQ(home.ledger->catalog().approvals(version)->size(), 1u);
}

TEST_F(RegistryTest, RefusesAModelThatNoBoardHasWhileTheyHaveOthers) {
    ASSERT_TRUE(registry().approve(approval()));
    EXPECT_TRUE(registry().assign("digits", version, {}, false));  // the first of all
    says(a, "digits", "committed", "unproven");
    says(b, "digist", "rejected", "model");

    const auto refused = registry().assign("digist", version, {}, false);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, Errc::invalid);
    EXPECT_NE(refused.error().what.find("they have: digits."), std::string::npos)
        << refused.error().what;
    EXPECT_TRUE(registry().assign("digits", version, {}, false));
    EXPECT_TRUE(registry().assign("other", version, {}, true));
}

TEST_F(RegistryTest, SignsTheAssignmentsOfManyBoardsOnceAndEachHoldsAlone) {
    std::vector<EntryBody> bound;
    for (std::uint8_t i = 0; i < 30; ++i)
        bound.push_back(DeviceBoundBody{"many-" + std::to_string(i), {{{9, i}}}, Bytes(91, i)});
    ASSERT_TRUE(home.ledger->append(bound));
    ASSERT_TRUE(registry().approve(approval()));
    ASSERT_TRUE(registry().assign("digits", version, {}, false));
    std::set<Bytes> signatures;
    const std::vector<Bytes> trusted = {home.ledger->signer().public_key()};
    for (const auto& [id, device] : home.ledger->catalog().devices()) {
        const Bytes document =
            home.ledger->store()
                .read_plain({RecordKind::document, device.models.at("digits").document})
                .value();
        const auto read = trust::verify_document(trust::system_verifier(), trusted,
                                                 trust::kAssignmentPurpose, document);
        ASSERT_TRUE(read) << read.error().what;
        EXPECT_EQ(parse_assignment(read->payload)->device, id);
        signatures.insert(read->signature);
    }
    EXPECT_EQ(signatures.size(), 1u);
}

// ---- after the hub's key was replaced ----

// Else boards would refuse as expired what a hub assigns that has lost its time.
TEST_F(RegistryTest, GivesAnAssignmentItsLifeAlsoWhenTheClockWasPutBack) {
    ASSERT_TRUE(registry().approve(approval()));
    const WallTime said{home.ledger->store().head().time.wall_ms};
    home.clock.set_wall(WallTime{1});
    ASSERT_TRUE(registry().assign("digits", version, {}, false));
    const Digest document = home.ledger->catalog().device("a")->models.at("digits").document;
    const Bytes bytes = home.ledger->store().read_plain({RecordKind::document, document}).value();
    const std::vector<Bytes> trusted = {home.ledger->signer().public_key()};
    const auto read =
        trust::verify_document(trust::system_verifier(), trusted, trust::kAssignmentPurpose, bytes);
    EXPECT_GT(parse_assignment(read->payload)->expires.ms, said.ms);
}

class RegistryOfAnotherKey : public RegistryTest {
protected:
    const InstallState& state_of(const std::string& device) {
        return home.ledger->catalog().device(device)->models.at("digits");
    }
    Result<SignedDocument> assignment_of(const std::string& device) {
        const std::vector<Bytes> trusted = {home.ledger->signer().public_key()};
        return trust::verify_document(
            trust::system_verifier(), trusted, trust::kAssignmentPurpose,
            home.ledger->store()
                .read_plain({RecordKind::document, state_of(device).document})
                .value());
    }
};

TEST_F(RegistryOfAnotherKey, TrustSignsAnewWhatNobodyAnsweredYet) {
    ASSERT_TRUE(registry().approve(approval()));
    const auto numbers = registry().assign("digits", version, {}, false).value();
    a.say(InstallBody{numbers.at("a"), "digits", version, "committed", version, {}, "unproven"});
    a.bring_to(*home.ledger);
    EXPECT_TRUE(registry().sign_anew()->given.empty()) << "the key is the same";
    home.change_key();
    EXPECT_FALSE(assignment_of("b"));

    EXPECT_EQ(registry().sign_anew()->given.size(), 1u);

    const auto anew = assignment_of("b");
    ASSERT_TRUE(anew) << anew.error().what;
    const Assignment says = parse_assignment(anew->payload).value();
    EXPECT_GT(says.number, numbers.at("b"));
    EXPECT_EQ(says.number, state_of("b").number);
    EXPECT_EQ(says.version, version);
    EXPECT_EQ(says.device, "b");
    EXPECT_EQ(state_of("b").state, "assigned");
    EXPECT_EQ(state_of("a").state, "committed");
    EXPECT_TRUE(registry().sign_anew()->given.empty()) << "once";
}

TEST_F(RegistryOfAnotherKey, TrustSignsNothingAnewThatTheApproversOfNowDidNotApprove) {
    ASSERT_TRUE(registry().approve(approval()));
    ASSERT_TRUE(registry().assign("digits", version, {}, false));
    home.change_key();
    const auto other = trust::generate_key(entropy).value();
    const auto anew = registry_with({other->public_key()}).sign_anew().value();
    EXPECT_TRUE(anew.given.empty());
    ASSERT_EQ(anew.left.size(), 2u);
    EXPECT_EQ(anew.left.front().device, "a");
    EXPECT_NE(anew.left.front().why.find("did not approve"), std::string::npos);
    EXPECT_FALSE(assignment_of("a"));
}

// Who had the key could say one thing in the journal and have another one signed.
TEST_F(RegistryOfAnotherKey, TrustSignsNoDocumentAnewThatSaysOtherThanTheJournal) {
    ASSERT_TRUE(registry().approve(approval()));
    const auto numbers = registry().assign("digits", version, {"b"}, false).value();
    const Digest document = state_of("b").document;
    const auto says = [&](const std::string& device, std::uint64_t number, const std::string& model,
                          const VersionId& wanted) {
        ASSERT_TRUE(home.ledger->append(
            {AssignedBody{device, number, model, "vision/digits", wanted, document}}));
    };
    const std::uint64_t number = numbers.at("b");
    says("a", number, "digits", version);
    says("b", number, "other", version);
    says("b", number + 1, "third", version);
    says("b", number, "fourth", VersionId{sha256(as_bytes("another"))});
    home.change_key();

    const auto anew = registry().sign_anew().value();

    ASSERT_EQ(anew.given.size(), 1u);
    EXPECT_EQ(anew.given.front().device, "b");
    EXPECT_EQ(anew.given.front().model, "digits");
    EXPECT_EQ(anew.left.size(), 4u);
}

TEST_F(RegistryOfAnotherKey, TellsWhoIsGivenNothingBecauseItsNumbersAreMadeUp) {
    ASSERT_TRUE(registry().approve(approval()));
    ASSERT_TRUE(registry().assign("digits", version, {}, false));
    a.say(InstallBody{UINT64_MAX - 1, "other", version, "committed", version, {}, "unproven"});
    a.bring_to(*home.ledger);
    home.change_key();

    const auto anew = registry().sign_anew().value();

    ASSERT_EQ(anew.left.size(), 1u);
    EXPECT_EQ(anew.left.front().device, "a");
    EXPECT_NE(anew.left.front().why.find("which no hub gave it"), std::string::npos);
    EXPECT_EQ(anew.given.size(), 1u);
}

TEST_F(RegistryTest, TellsNothingToARetiredBoard) {
    ASSERT_TRUE(registry().approve(approval()));
    ASSERT_TRUE(registry().set_retired("a", true, "somebody"));

    const auto numbers = registry().assign("digits", version, {}, false);
    ASSERT_TRUE(numbers);
    EXPECT_FALSE(numbers->contains("a"));
    EXPECT_TRUE(numbers->contains("b"));
    EXPECT_EQ(registry().assign("digits", version, {"a"}, false).error().code, Errc::denied);

    ASSERT_TRUE(registry().set_retired("a", false, "somebody"));
    home.reopen();
    EXPECT_TRUE(registry().assign("digits", version, {"a"}, false));
}

TEST_F(RegistryTest, KeepsWhatARetiredBoardRecorded) {
    ASSERT_TRUE(registry().set_retired("a", true, "somebody"));
    home.reopen();
    EXPECT_TRUE(home.ledger->catalog().device("a")->retired);
    EXPECT_EQ(home.ledger->catalog().ref("vision/digits", "device/a/main"), version);
}

}  // namespace
}  // namespace tributary::hub
