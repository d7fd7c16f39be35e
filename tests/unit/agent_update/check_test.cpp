// What is refused, and how: at the gate (only logged, nothing changes) or after it (reported).
#include "agent/update/check.h"

#include <gtest/gtest.h>

#include <functional>

#include "tests/support/install_board.h"

namespace tributary::agent {
namespace {

using test::InstallBoard;
using test::Model;

// How an assignment differs from a good one.
struct Change {
    const char* name;
    std::function<void(InstallBoard&, Assignment&, Approval&)> edit = {};
    std::function<sync::Assign(InstallBoard&, const Assignment&, const Approval&)> seal = {};
    std::string refusal;  // detail of the report; empty: only logged
};

std::ostream& operator<<(std::ostream& out, const Change& change) { return out << change.name; }

sync::Assign by(InstallBoard& board, const Assignment& assignment, const Approval& approval,
                trust::Signer& assigner, trust::Signer& approver) {
    return board.seal(assignment, approval, assigner, approver);
}

const Change kChanges[] = {
    {"SealedByAnotherKey",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         return by(b, a, p, b.stranger, b.alice);
     },
     ""},
    {"SealedByAnApproverInsteadOfTheHub",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         return by(b, a, p, b.alice, b.alice);
     },
     ""},
    {"Unreadable",
     {},
     [](InstallBoard&, const Assignment&, const Approval&) {
         return sync::Assign{Bytes(100, 7), Bytes(100, 7)};
     },
     ""},
    {"Oversized",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         sync::Assign documents = by(b, a, p, b.hub, b.alice);
         documents.assignment.resize(limits::kSignedDocumentBytesMax + 1);
         return documents;
     },
     ""},
    {"AnApprovalInItsPlace",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         sync::Assign documents = by(b, a, p, b.hub, b.hub);
         documents.assignment = documents.approval;
         return documents;
     },
     ""},
    {"ForAnotherDevice",
     [](InstallBoard&, Assignment& a, Approval&) { a.device = "board-2"; },
     {},
     ""},
    {"AnOldNumber", [](InstallBoard&, Assignment& a, Approval&) { a.number = 4; }, {}, ""},
    {"TheNumberBefore", [](InstallBoard&, Assignment& a, Approval&) { a.number = 5; }, {}, ""},
    {"Expired",
     [](InstallBoard& b, Assignment& a, Approval&) { a.expires = {b.machine.clock.wall().ms - 1}; },
     {},
     "expired"},
    {"NotApproved",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         sync::Assign documents = by(b, a, p, b.hub, b.alice);
         documents.approval.clear();
         return documents;
     },
     "approval"},
    {"ApprovedByAKeyThatIsNotPinned",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         return by(b, a, p, b.hub, b.stranger);
     },
     "approval"},
    {"ApprovedByTheHubItself",
     {},
     [](InstallBoard& b, const Assignment& a, const Approval& p) {
         return by(b, a, p, b.hub, b.hub);
     },
     "approval"},
    {"AnotherVersionApproved",
     [](InstallBoard&, Assignment&, Approval& p) { p.version.digest.bytes[0] ^= 1; },
     {},
     "approval"},
    {"AnotherContentApproved",
     [](InstallBoard&, Assignment&, Approval& p) { p.content.digest.bytes[0] ^= 1; },
     {},
     "approval"},
    {"ApprovedForAnotherRepository",
     [](InstallBoard&, Assignment&, Approval& p) { p.repo = "models/other"; },
     {},
     "approval"},
    {"AnotherApprovalThanTheHubSealed",
     {},
     [](InstallBoard& b, const Assignment& a, Approval p) {
         const sync::Assign documents = by(b, a, p, b.hub, b.alice);
         return sync::Assign{documents.assignment, by(b, a, p, b.hub, b.bob).approval};
     },
     "approval"},
    {"TwoApproversNeeded",
     [](InstallBoard& b, Assignment&, Approval&) {
         b.pins.approvals_needed = 2;
         ASSERT_TRUE(b.boot());
     },
     {},
     "approval"},
    {"UnknownModel",
     [](InstallBoard&, Assignment& a, Approval&) { a.model = "smells"; },
     {},
     "model"},
    {"NoSpace",
     [](InstallBoard& b, Assignment&, Approval&) { b.machine.files.set_capacity(1'000'000); },
     {},
     "space"},
};

class RefusedAssignment : public testing::TestWithParam<Change> {};

TEST_P(RefusedAssignment, ChangesNothingThatRuns) {
    const Change& change = GetParam();
    InstallBoard board;
    ASSERT_TRUE(board.boot());
    const Model model = board.make_model(1);
    board.engine->on_assign(*board.store, board.assign(model, 5));
    board.run();
    ASSERT_EQ(board.reports.size(), 1u);
    const Model other = board.make_model(2);

    Assignment assignment = board.assignment_of(other, 6);
    Approval approval = board.approval_of(other);
    if (change.edit) change.edit(board, assignment, approval);
    board.engine->on_assign(*board.store,
                            change.seal ? change.seal(board, assignment, approval)
                                        : by(board, assignment, approval, board.hub, board.alice));
    board.run();

    EXPECT_EQ(board.current(), model.files);
    EXPECT_EQ(board.reports.size(), change.refusal.empty() ? 1u : 2u);
    if (change.refusal.empty()) return;
    const InstallBody& report = board.reports.back();
    EXPECT_EQ(report.state, "rejected");
    EXPECT_EQ(report.detail, change.refusal);
    EXPECT_EQ(report.number, 6u);
    EXPECT_EQ(report.version, other.version);
    EXPECT_EQ(report.running, change.refusal == "model" ? VersionId{} : model.version);
}

INSTANTIATE_TEST_SUITE_P(Installer, RefusedAssignment, testing::ValuesIn(kChanges),
                         [](const auto& test) { return std::string(test.param.name); });

TEST(VerifyApprovals, CountsEachApproverOnce) {
    InstallBoard board;
    ASSERT_TRUE(board.boot());
    board.pins.approvals_needed = 2;
    const Model model = board.make_model(1);
    const Assignment assignment = board.assignment_of(model, 1);
    Approval later = board.approval_of(model);
    later.time.wall_ms += 1;
    const auto sign = [&](trust::Signer& signer, const Approval& approval) {
        return board.seal(assignment, approval, board.hub, signer).approval;
    };
    const Bytes alice = sign(board.alice, board.approval_of(model));
    const Bytes alice_again = sign(board.alice, later);
    const Bytes bob = sign(board.bob, board.approval_of(model));
    const auto verify = [&](std::vector<Bytes> documents) {
        WallTime latest;
        return verify_approvals(board.verifier, board.pins, assignment, documents, latest);
    };
    EXPECT_EQ(verify({alice, alice_again}).error().code, Errc::denied);
    EXPECT_TRUE(verify({alice, bob}));
}

// ---- time: a ratchet, and a clock that is believed only to say "later"

class AssignmentExpiry : public testing::Test {
protected:
    void SetUp() override { ASSERT_TRUE(board.boot()); }
    std::string try_assign(std::uint64_t number, WallTime expires) {
        const Model model = board.make_model(number);
        Assignment assignment = board.assignment_of(model, number);
        assignment.expires = expires;
        Approval approval = board.approval_of(model);
        approval.time = {0, 0, ClockQuality::unknown};
        board.engine->on_assign(*board.store,
                                by(board, assignment, approval, board.hub, board.alice));
        board.run();
        return board.reports.back().state;
    }
    InstallBoard board;
    const WallTime then = board.machine.clock.wall();
};

TEST_F(AssignmentExpiry, IsNoticedThoughTheClockWasSetBack) {
    EXPECT_EQ(try_assign(1, {then.ms + 60'000}), "committed");
    board.machine.clock.set_wall({0});
    ASSERT_TRUE(board.boot());
    EXPECT_EQ(try_assign(2, {then.ms - 1}), "rejected");
    EXPECT_EQ(try_assign(3, {then.ms + 60'000}), "committed");
}

TEST_F(AssignmentExpiry, AWrongClockAheadOfTimeDoesNotTurnTheRatchet) {
    board.machine.clock.set_quality(ClockQuality::unknown);
    board.machine.clock.set_wall({then.ms * 2});
    EXPECT_EQ(try_assign(1, {then.ms + 60'000}), "rejected");
    board.machine.clock.set_wall(then);
    EXPECT_EQ(try_assign(2, {then.ms + 60'000}), "committed");
}

}  // namespace
}  // namespace tributary::agent
