// Renewal of a certificate, and fetching by those who have one.
#include "hub/enrol/enrolment.h"
#include "tests/unit/hub/enrolment_home.h"

namespace tributary::hub {
namespace {

using test::BoardKey;
using test::journal_named;

constexpr std::uint64_t kDayMs = 86'400'000;

class TrustRenewal : public test::EnrolmentTest {
protected:
    TrustRenewal() { given(at.enrol(journal, key, at.token())); }
    Result<Credentials> renew(BoardKey& old, BoardKey& to) {
        return at.enrolment->renew(at.renewal("board-one", journal, old, to));
    }
};

TEST_F(TrustRenewal, GivesACertificateForANewKeyAlsoAfterTheOldOneExpired) {
    at.home.clock.advance(1000 * kDayMs);
    const auto got = renew(key, next);
    ASSERT_TRUE(got) << got.error().what;
    const auto says = trust::parse_certificate(got->certificate).value();
    EXPECT_EQ(says.public_key, next.bytes());
    EXPECT_EQ(says.subject, "board-one");
    EXPECT_TRUE(says.is_valid_at(at.home.clock.wall()));
    EXPECT_EQ(at.enrolment->renewed(), 1u);
    // The answer was lost.
    EXPECT_EQ(renew(key, next)->certificate, got->certificate);
}

TEST_F(TrustRenewal, RefusesAWrongKey) {
    expect_refused(renew(other, next), Refusal::proof, "key that is in force");
    // The old key's word for another request.
    RenewRequest request = at.renewal("board-one", journal, key, next);
    request.csr = other.csr();
    expect_refused(at.enrolment->renew(request), Refusal::proof, "key that is in force");
}

TEST_F(TrustRenewal, RefusesAKeyThatIsNotNew) {
    expect_refused(renew(key, key), Refusal::same_key, "in use already");
    given(at.enrol(elsewhere, other, at.token(), "second"));
    expect_refused(renew(key, other), Refusal::same_key, "in use already");
}

TEST_F(TrustRenewal, RefusesARevokedDevice) {
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    expect_refused(renew(key, next), Refusal::revoked, "revoked");
}

TEST_F(TrustRenewal, RefusesTheJournalOfAnotherDeviceAndOneThatWasLeft) {
    given(at.enrol(elsewhere, other, at.token(), "second"));
    expect_refused(at.enrolment->renew(at.renewal("board-one", elsewhere, other, next)),
                   Refusal::journal, "not the present one");
    given(at.enrol(journal_named("ef"), key));
    expect_refused(renew(key, next), Refusal::journal, "not the present one");
}

TEST_F(TrustRenewal, RefusesWhatIsNoRequestForACertificate) {
    RenewRequest request{"board-one", journal, Bytes(100, 0x30), {}};
    request.signature =
        key.signer
            ->sign(trust::kRenewalPurpose, trust::renewal_digest(journal, key.id(), request.csr))
            .value();
    expect_refused(at.enrolment->renew(request), Refusal::csr, "'csr'");
}

TEST_F(TrustRenewal, RefusesADeviceThatWasNeverCertified) {
    ASSERT_TRUE(at.home.ledger->append({DeviceBoundBody{"plain", elsewhere, other.bytes()}}));
    expect_refused(at.enrolment->renew(at.renewal("plain", elsewhere, other, next)),
                   Refusal::not_certified, "never given a certificate");
}

TEST_F(TrustRenewal, RefusesMoreThanSomeADay) {
    for (std::uint64_t i = 0; i < Enrolment::kRenewalsADayMax; ++i) {
        BoardKey another(100 + i);
        ASSERT_TRUE(renew(key, another));
    }
    expect_refused(renew(key, next), Refusal::too_often, "within a day");
    at.home.clock.advance(kDayMs + 1);
    // As many on each later day: the one that it enrolled with counts on none.
    for (std::uint64_t i = 0; i < Enrolment::kRenewalsADayMax; ++i) {
        BoardKey another(200 + i);
        ASSERT_TRUE(renew(key, another));
    }
    expect_refused(renew(key, next), Refusal::too_often, "within a day");
}

TEST_F(TrustRenewal, BelievesTheOldKeyNoMoreOnceTheJournalNamesTheNewOne) {
    ASSERT_TRUE(renew(key, next));
    given(at.enrol(journal, next));  // certified, and not in force yet
    test::Board board("board-one", 50);
    const Incarnation real = board.store().head().incarnation;
    ASSERT_TRUE(
        at.home.ledger->append({DeviceBoundBody{"board-one", real, board.signer().public_key()}}));
    board.say(trust::sign_key_change(board.signer(), *next.signer, real).value());
    board.bring_to(*at.home.ledger);

    expect_refused(at.enrol(real, key), Refusal::replaced_key, "replaced by a newer one");
    EXPECT_EQ(given(at.enrol(real, next)).device, "board-one");
}

TEST_F(TrustRenewal, LetsNoKeyInThatARevokedJournalWentOverToByItself) {
    test::Board board("board-one", 50);
    const Incarnation real = board.store().head().incarnation;
    ASSERT_TRUE(
        at.home.ledger->append({DeviceBoundBody{"board-one", real, board.signer().public_key()}}));
    BoardKey own(60);  // never certified
    board.say(trust::sign_key_change(board.signer(), *own.signer, real).value());
    board.bring_to(*at.home.ledger);
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));

    expect_refused(at.enrol(real, own), Refusal::revoked, "revoked");
    expect_refused(at.enrol(elsewhere, own), Refusal::revoked, "revoked");
    expect_refused(at.enrol(elsewhere, own, at.token()), Refusal::revoked, "revoked");
    at.reopen();
    refusals.clear();
    expect_refused(at.enrol(elsewhere, own, at.token()), Refusal::revoked, "revoked");
}

// ---- fetching ----

TEST_F(TrustRenewal, AnswersFetchesOfItsDevicesAlone) {
    constexpr std::string_view kTarget = "/api/v1/object?kind=piece&name=x";
    const auto signed_by = [&](BoardKey& by, std::string_view target) {
        return by.signer->sign(trust::kFetchPurpose, trust::fetch_digest(target)).value();
    };
    EXPECT_TRUE(at.enrolment->check_fetch("board-one", kTarget, signed_by(key, kTarget)));
    expect_refused(at.enrolment->check_fetch("board-one", kTarget, signed_by(other, kTarget)),
                   Refusal::proof, "not the word of");
    expect_refused(at.enrolment->check_fetch("board-one", kTarget, signed_by(key, "/other")),
                   Refusal::proof, "not the word of");
    expect_refused(at.enrolment->check_fetch("gone", kTarget, signed_by(key, kTarget)),
                   Refusal::proof, "no device");
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    expect_refused(at.enrolment->check_fetch("board-one", kTarget, signed_by(key, kTarget)),
                   Refusal::revoked, "revoked");
}

}  // namespace
}  // namespace tributary::hub
