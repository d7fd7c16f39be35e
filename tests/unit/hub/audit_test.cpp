#include "hub/audit/audit.h"

#include <gmock/gmock.h>

#include "common/trust/certificate.h"
#include "common/trust/key_change.h"
#include "common/trust/root.h"
#include "common/trust/seal.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A hub with one board's version, approved and assigned, all of it signed by whom the root names.
class TrustAudit : public testing::Test {
protected:
    TrustAudit() {
        version = board.commit("vision/digits", {{"m", "1"}});
        board.bring_to(*home.ledger);
        root.keys = {root_key->public_key()};
        root.approvers = {{"alice", approver->public_key()}};
        root.hub_keys = {ledger().signer().public_key()};
        root.authorities = {authority.certificate()};
        root.expires = {1'000'000};
    }

    Ledger& ledger() { return *home.ledger; }
    Store& store() { return home.ledger->store(); }

    void seal_board(trust::Signer& by) {
        const JournalHead head = board.store().head();
        hold(RecordKind::seal,
             trust::seal_head(by, head.incarnation, head.sequence, head.hash).value());
    }
    Digest hold(RecordKind kind, const Bytes& plain) {
        const Digest name = store().stage_object(kind, plain).value();
        EXPECT_TRUE(store().commit());
        return name;
    }
    Digest approval_by(trust::Signer& by) {
        tributary::Approval approval;
        approval.repo = "vision/digits";
        approval.version = version;
        approval.content = ledger().catalog().version(version)->version.tree;
        approval.approver = "alice";
        approval.time.wall_ms = 1;
        return hold(RecordKind::document, trust::sign_document(by, trust::kApprovalPurpose,
                                                               encode_approval(approval).value())
                                              .value());
    }
    Digest assignment_by(trust::Signer& by, const Digest& approval) {
        Assignment assignment;
        assignment.number = 1;
        assignment.device = board.device();
        assignment.model = "m";
        assignment.repo = "vision/digits";
        assignment.version = version;
        assignment.content = ledger().catalog().version(version)->version.tree;
        assignment.approval = approval;
        assignment.expires = {1};
        return hold(RecordKind::document,
                    trust::sign_document(by, trust::kAssignmentPurpose,
                                         encode_assignment(assignment).value())
                        .value());
    }
    void approve(const Digest& document) {
        ASSERT_TRUE(ledger().append({ApprovedBody{"vision/digits", version, document}}));
    }
    void assign(const Digest& document) {
        ASSERT_TRUE(ledger().append(
            {AssignedBody{board.device(), 1, "m", "vision/digits", version, document}}));
    }

    AuditReport report() {
        const auto made = audit(store(), roots());
        EXPECT_TRUE(made) << made.error().what;
        return made ? *made : AuditReport{};
    }
    std::vector<std::string> findings() { return report().findings; }
    std::vector<Bytes> roots() { return {trust::sign_root(*root_key, root).value()}; }

    test::SimEntropy entropy{4};
    std::unique_ptr<trust::Signer> root_key = trust::generate_key(entropy).value();
    std::unique_ptr<trust::Signer> approver = trust::generate_key(entropy).value();
    std::unique_ptr<trust::Signer> stranger = trust::generate_key(entropy).value();
    trust::Authority authority =
        trust::Authority::create(trust::generate_key(entropy).value(), entropy, "test").value();
    Board board{"a", 1};
    HubHome home{3};
    VersionId version;
    Root root;
};

TEST_F(TrustAudit, FindsNothingInAHistoryThatIsWhole) {
    seal_board(board.signer());
    const Digest approval = approval_by(*approver);
    approve(approval);
    assign(assignment_by(ledger().signer(), approval));

    const AuditReport all = report();

    EXPECT_THAT(all.findings, IsEmpty());
    ASSERT_EQ(all.journals.size(), 2u);
    EXPECT_EQ(all.journals[0].writer, "hub");
    EXPECT_EQ(all.journals[1].writer, "a");
    for (const AuditedJournal& journal : all.journals)
        EXPECT_EQ(journal.sealed, journal.entries) << journal.writer;
    EXPECT_EQ(all.approvals, 1u);
    EXPECT_EQ(all.assignments, 1u);
    EXPECT_EQ(all.entries, ledger().store().head().sequence + board.store().head().sequence);
}

TEST_F(TrustAudit, FindsABoardsEntryUnderNoSeal) {
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("under no seal")));
}

TEST_F(TrustAudit, FindsASealThatIsNotTheJournals) {
    seal_board(*stranger);
    EXPECT_THAT(findings(), Contains(HasSubstr("not this journal's")));
}

TEST_F(TrustAudit, FindsASealOverAnotherEntryThanTheOneThatIsHeld) {
    const JournalHead head = board.store().head();
    hold(RecordKind::seal, trust::seal_head(board.signer(), head.incarnation, head.sequence,
                                            EntryHash{version.digest})
                               .value());
    EXPECT_THAT(findings(), Contains(HasSubstr("its seal does not hold")));
}

TEST_F(TrustAudit, FindsThatAJournalWasCutShort) {
    const JournalHead head = board.store().head();
    hold(RecordKind::seal, trust::seal_head(board.signer(), head.incarnation, head.sequence + 1,
                                            EntryHash{version.digest})
                               .value());
    EXPECT_THAT(findings(), Contains(HasSubstr("entries were taken away")));
}

TEST_F(TrustAudit, FindsWhatTheHubDidNotSign) {
    seal_board(board.signer());
    ASSERT_TRUE(store().stage_entry(RetiredBody{"a", true, "nobody"}));
    ASSERT_TRUE(store().commit());
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("under no seal")));
}

TEST_F(TrustAudit, FindsThatTheHubsJournalBeforeIsNotTheOneItWentOnFrom) {
    seal_board(board.signer());
    const auto go_on_from = [&](const JournalHead& before, std::uint64_t sequence) {
        StartBody start;
        start.public_key = ledger().signer().public_key();
        start.continues = before.incarnation;
        start.continues_sequence = sequence;
        start.continues_hash = EntryHash{version.digest};
        ASSERT_TRUE(store().start_journal(start));
        const JournalHead head = store().head();
        hold(RecordKind::seal,
             trust::seal_head(ledger().signer(), head.incarnation, head.sequence, head.hash)
                 .value());
    };
    const JournalHead before = store().head();
    go_on_from(before, before.sequence + 1);
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("which is not held")));
    go_on_from(before, before.sequence);
    EXPECT_THAT(findings(), Contains(HasSubstr("goes on from")).Times(2));
}

TEST_F(TrustAudit, FindsAJournalOfNobody) {
    seal_board(board.signer());
    Board unbound("b", 9);
    ASSERT_TRUE(ledger().accept(unbound.entries()));
    EXPECT_THAT(findings(), Contains(HasSubstr("the hub's journal does not name")));
}

TEST_F(TrustAudit, FindsThatTheRootIsAnotherHubs) {
    root.hub_keys = {stranger->public_key()};
    EXPECT_THAT(findings(), Contains(HasSubstr("root document of this hub")));
}

TEST_F(TrustAudit, FindsAnApprovalByNoApprover) {
    seal_board(board.signer());
    approve(approval_by(*stranger));
    const AuditReport all = report();
    EXPECT_EQ(all.findings.size(), 1u);
    EXPECT_EQ(all.approvals, 0u);
}

TEST_F(TrustAudit, FindsAnAssignmentThatTooFewApproved) {
    seal_board(board.signer());
    root.approvers.push_back({"bob", stranger->public_key()});
    root.approver_threshold = 2;
    const Digest approval = approval_by(*approver);
    approve(approval);
    assign(assignment_by(ledger().signer(), approval));
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("too few people")));
}

TEST_F(TrustAudit, FindsAnAssignmentThatTheHubDidNotSign) {
    seal_board(board.signer());
    const Digest approval = approval_by(*approver);
    approve(approval);
    assign(assignment_by(*stranger, approval));
    EXPECT_EQ(findings().size(), 1u);
}

TEST_F(TrustAudit, FindsATokenThatWasUsedTwice) {
    seal_board(board.signer());
    const Digest token = version.digest;
    ASSERT_TRUE(ledger().append({TokenIssuedBody{token, "", "", {1}, "ann"}}));
    ASSERT_TRUE(ledger().append({TokenUsedBody{token, "a"}}));
    EXPECT_THAT(findings(), IsEmpty());
    ASSERT_TRUE(ledger().append({TokenUsedBody{token, "b"}}));
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("board b enrolled with a token")));
}

TEST_F(TrustAudit, FindsACertificateOfAnotherAuthorityOrBoard) {
    seal_board(board.signer());
    auto other =
        trust::Authority::create(trust::generate_key(entropy).value(), entropy, "test").value();
    const Bytes& key = board.signer().public_key();
    const auto certified = [&](trust::Authority& by, const std::string& device) {
        const Bytes certificate = by.issue_device(entropy, device, key, trust::kAlways).value();
        return CertifiedBody{"a", trust::key_id(key), certificate, trust::kAlways.not_after,
                             "enrolled"};
    };
    ASSERT_TRUE(ledger().append({certified(authority, "a")}));
    EXPECT_THAT(findings(), IsEmpty());
    ASSERT_TRUE(ledger().append({certified(other, "a")}));
    ASSERT_TRUE(ledger().append({certified(authority, "b")}));
    EXPECT_EQ(findings().size(), 2u);
    EXPECT_EQ(report().certificates, 1u);
}

TEST_F(TrustAudit, FollowsAChangeOfKeyThatBothSigned) {
    const Incarnation journal = board.store().head().incarnation;
    board.say(trust::sign_key_change(board.signer(), *stranger, journal).value());
    board.bring_to(ledger());
    seal_board(*stranger);
    const AuditReport all = report();
    EXPECT_THAT(all.findings, IsEmpty());
    EXPECT_EQ(all.key_changes, 1u);
}

TEST_F(TrustAudit, FindsAChangeOfKeyThatTheOldOneDidNotSign) {
    const Incarnation journal = board.store().head().incarnation;
    KeyChangedBody change = trust::sign_key_change(*approver, *stranger, journal).value();
    change.old_key = trust::key_id(board.signer().public_key());
    board.say(change);
    board.bring_to(ledger());
    seal_board(*stranger);
    EXPECT_THAT(findings(), Contains(HasSubstr("not this journal's")));
}

TEST_F(TrustAudit, TakesNoRootThatDoesNotFollowFromTheFirst) {
    Root next = root;
    next.version = 2;
    const std::vector<Bytes> skipped = {trust::sign_root(*root_key, root).value(),
                                        trust::sign_root(*stranger, next).value()};
    EXPECT_FALSE(audit(store(), skipped));
}

// ---- whom a later root drops ----

// The hub takes up root document 1 and then 2.
class TrustAuditOfTwoRoots : public TrustAudit {
protected:
    TrustAuditOfTwoRoots() {
        seal_board(board.signer());
        next = root;
        next.version = 2;
        follow(root);
    }
    void follow(const Root& taken) {
        ASSERT_TRUE(ledger().append(
            {RootFollowedBody{taken.version, trust::root_digest(encode_root(taken).value())}}));
    }
    std::vector<std::string> findings() {
        const std::vector<Bytes> both = {trust::sign_root(*root_key, root).value(),
                                         trust::sign_root(*root_key, next).value()};
        const auto made = audit(store(), both);
        EXPECT_TRUE(made) << made.error().what;
        return made ? made->findings : std::vector<std::string>();
    }
    // The hub goes on with another key, which root document 2 names; answers the one before.
    std::unique_ptr<trust::Signer> change_hub_key() {
        auto before = home.change_key();
        next.hub_keys = {ledger().signer().public_key()};
        follow(next);
        return before;
    }
    // Somebody with the hub's store and this key begins a journal in it, and says something.
    void forge(trust::Signer& by, const JournalHead& after, bool says = true) {
        StartBody start;
        start.public_key = by.public_key();
        start.continues = after.incarnation;
        start.continues_sequence = after.sequence;
        start.continues_hash = after.hash;
        ASSERT_TRUE(store().start_journal(start));
        if (says) {
            ASSERT_TRUE(store().stage_entry(RetiredBody{"a", true, "nobody"}));
        }
        const JournalHead head = store().head();
        hold(RecordKind::seal,
             trust::seal_head(by, head.incarnation, head.sequence, head.hash).value());
    }

    Root next;
};

TEST_F(TrustAuditOfTwoRoots, FindsNothingWhereAKeyTookOverFromAnother) {
    const Digest approval = approval_by(*approver);
    approve(approval);
    assign(assignment_by(ledger().signer(), approval));
    change_hub_key();
    EXPECT_THAT(findings(), IsEmpty());
}

TEST_F(TrustAuditOfTwoRoots, FindsAJournalUnderAHubKeyThatWasDropped) {
    const auto dropped = change_hub_key();
    forge(*dropped, store().head());
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("root document 2, which held by then")));
}

TEST_F(TrustAuditOfTwoRoots, FindsAJournalBesideTheOneThatTookOver) {
    const JournalHead left = store().head();
    const auto dropped = change_hub_key();
    forge(*dropped, left);
    EXPECT_THAT(findings(), Contains(HasSubstr("stand beside each other")));
}

TEST_F(TrustAuditOfTwoRoots, FindsAJournalThatWasOnlyBegunUnderAKeyThatWasDropped) {
    const auto dropped = change_hub_key();
    forge(*dropped, store().head(), false);
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("root document 2, which held by then")));
}

TEST_F(TrustAuditOfTwoRoots, FindsThatTheHistoryEndsUnderTheKeyThatWasDropped) {
    next.hub_keys = {stranger->public_key()};
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("never takes up root document 2")));
}

TEST_F(TrustAuditOfTwoRoots, FindsAnAssignmentByAHubKeyThatWasDropped) {
    const Digest approval = approval_by(*approver);
    approve(approval);
    const auto dropped = change_hub_key();
    assign(assignment_by(*dropped, approval));
    EXPECT_EQ(findings().size(), 1u);
}

TEST_F(TrustAuditOfTwoRoots, FindsAnApprovalByAnApproverWhoWasDropped) {
    const Digest approval = approval_by(*approver);
    approve(approval);
    next.approvers = {{"bob", stranger->public_key()}};
    follow(next);
    EXPECT_THAT(findings(), IsEmpty()) << "he approved it while he could";
    approve(approval);
    EXPECT_EQ(findings().size(), 1u);
}

TEST_F(TrustAuditOfTwoRoots, FindsAnAssignmentThatOnlyADroppedApproverApproved) {
    const Digest approval = approval_by(*approver);
    approve(approval);
    next.approvers = {{"bob", stranger->public_key()}};
    follow(next);
    assign(assignment_by(ledger().signer(), approval));
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("too few people")));
}

TEST_F(TrustAuditOfTwoRoots, FindsACertificateOfAnAuthorityThatWasDropped) {
    auto other =
        trust::Authority::create(trust::generate_key(entropy).value(), entropy, "next").value();
    const Bytes& key = board.signer().public_key();
    const auto certified = [&](trust::Authority& by) {
        const Bytes certificate = by.issue_device(entropy, "a", key, trust::kAlways).value();
        return CertifiedBody{"a", trust::key_id(key), certificate, trust::kAlways.not_after,
                             "renewed"};
    };
    ASSERT_TRUE(ledger().append({certified(authority)}));
    next.authorities = {other.certificate()};
    follow(next);
    ASSERT_TRUE(ledger().append({certified(other)}));
    EXPECT_THAT(findings(), IsEmpty());
    ASSERT_TRUE(ledger().append({certified(authority)}));
    EXPECT_EQ(findings().size(), 1u);
}

TEST_F(TrustAuditOfTwoRoots, FindsThatAnEarlierRootWasTakenUpAgain) {
    follow(next);
    follow(root);
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("takes up root document 1 after 2")));
}

TEST_F(TrustAuditOfTwoRoots, FindsARootThatIsNotTheOneThatWasHandedIn) {
    Root other = next;
    other.issued.ms += 1;
    follow(other);
    EXPECT_THAT(findings(), ElementsAre(HasSubstr("another one than was handed in")));
    Root third = next;
    third.version = 3;
    follow(third);
    EXPECT_THAT(findings(), Contains(HasSubstr("which was not handed in")));
}

// ---- a board's store ----

class TrustAuditOfABoard : public TrustAudit {
protected:
    void receipt_by(trust::Signer& by, std::uint64_t epoch, std::uint64_t more = 0) {
        const JournalHead head = board.store().head();
        Receipt receipt;
        receipt.device = "a";
        receipt.incarnation = head.incarnation;
        receipt.sequence = head.sequence + more;
        receipt.head = head.hash;
        receipt.hub = ledger().store().head().incarnation;
        receipt.hub_sequence = 1;
        receipt.hub_head = ledger().store().head().hash;
        receipt.epoch = epoch;
        const Bytes document =
            trust::sign_document(by, trust::kReceiptPurpose, encode_receipt(receipt).value())
                .value();
        ASSERT_TRUE(board.store().stage_object(RecordKind::receipt, document));
        ASSERT_TRUE(board.store().commit());
    }
    AuditReport report_with(const std::vector<Root>& roots) {
        std::vector<Bytes> documents;
        for (const Root& one : roots) documents.push_back(trust::sign_root(*root_key, one).value());
        const auto made = audit(board.store(), documents);
        EXPECT_TRUE(made) << made.error().what;
        return made ? *made : AuditReport{};
    }
};

TEST_F(TrustAuditOfABoard, VerifiesItsReceipts) {
    receipt_by(ledger().signer(), 1);
    const AuditReport all = report_with({root});
    EXPECT_THAT(all.findings, IsEmpty());
    EXPECT_TRUE(all.of_board);
    EXPECT_EQ(all.receipts, 1u);
    ASSERT_EQ(all.journals.size(), 1u);
    EXPECT_EQ(all.journals.front().writer, "a");
    EXPECT_EQ(all.journals.front().sealed, all.journals.front().entries);
}

TEST_F(TrustAuditOfABoard, FindsAReceiptThatIsNotTheHubs) {
    receipt_by(ledger().signer(), 1);
    receipt_by(*stranger, 1);
    EXPECT_THAT(report_with({root}).findings, ElementsAre(HasSubstr("receipt sha256:")));
}

TEST_F(TrustAuditOfABoard, FindsAReceiptOfEntriesThatAreNotThere) {
    receipt_by(ledger().signer(), 1, 1);
    EXPECT_THAT(report_with({root}).findings, ElementsAre(HasSubstr("is not held")));
}

TEST_F(TrustAuditOfABoard, FindsAReceiptByAHubKeyThatWasDropped) {
    Root next = root;
    next.version = 2;
    next.hub_keys = {stranger->public_key()};
    receipt_by(ledger().signer(), 1);
    receipt_by(*stranger, 2);
    EXPECT_THAT(report_with({root, next}).findings, IsEmpty());
    receipt_by(ledger().signer(), 3);
    EXPECT_THAT(report_with({root, next}).findings, ElementsAre(HasSubstr("was dropped before")));
}

TEST_F(TrustAudit, AsksForARoot) {
    const auto made = audit(store(), {});
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, Errc::invalid);
}

}  // namespace
}  // namespace tributary::hub
