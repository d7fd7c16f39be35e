#include "hub/enrol/enrolment.h"

#include <algorithm>

#include "tests/unit/hub/enrolment_home.h"

namespace tributary::hub {
namespace {

using test::BoardKey;
using test::journal_named;

constexpr std::uint64_t kDayMs = 86'400'000;

class TrustEnrolment : public testing::Test {
protected:
    static Credentials given(const Result<EnrolAnswer>& answer) {
        EXPECT_TRUE(answer) << answer.error().what;
        return std::get<Credentials>(*answer);
    }
    template <class T>
    void expect_refused(const Result<T>& answer, Refusal why, std::string_view text) {
        ASSERT_FALSE(answer);
        EXPECT_NE(answer.error().what.find(text), std::string::npos) << answer.error().what;
        EXPECT_EQ(at.enrolment->refused(why), ++refusals[why]) << name_of(why);
    }
    std::uint64_t entries() { return at.home.ledger->store().head().sequence; }

    test::EnrolmentHome at{1};
    BoardKey key{2}, other{3}, next{4};
    Incarnation journal = journal_named("ab"), elsewhere = journal_named("cd");
    std::map<Refusal, std::uint64_t> refusals;
};

// ---- tokens ----

TEST_F(TrustEnrolment, LetsABoardWithATokenInAndCertifiesItsKey) {
    const Bytes secret = at.token({.group = "north", .replaces = "", .actor = "me"});

    const Credentials got = given(at.enrol(journal, key, secret));

    EXPECT_EQ(got.device, "board-one");
    const auto says =
        trust::verify_certificate(got.certificate, std::vector<Bytes>{at.authority->certificate()},
                                  trust::CertificateUse::client);
    ASSERT_TRUE(says) << says.error().what;
    EXPECT_EQ(says->subject, "board-one");
    EXPECT_EQ(says->public_key, key.bytes());
    EXPECT_EQ(says->validity.not_before.ms, 0u);
    EXPECT_GT(got.renew_after, at.home.clock.wall());
    EXPECT_LT(got.renew_after, says->validity.not_after);
    EXPECT_EQ(at.catalog().device_of(journal), "board-one");
    EXPECT_EQ(at.members().member("board-one")->group, "north");
    EXPECT_EQ(at.enrolment->enrolled(), 1u);
}

TEST_F(TrustEnrolment, GivesTheSameAnswerAgainWhenTheFirstWasLost) {
    const Bytes secret = at.token();
    const Credentials first = given(at.enrol(journal, key, secret));
    const std::uint64_t before = entries();

    at.home.clock.advance(40 * kDayMs);  // the token is used up, and has expired
    const Credentials again = given(at.enrol(journal, key, secret));
    const Credentials without = given(at.enrol(journal, key));

    EXPECT_EQ(again.device, first.device);
    EXPECT_EQ(again.certificate, first.certificate);
    EXPECT_EQ(without.certificate, first.certificate);
    EXPECT_EQ(entries(), before);
}

TEST_F(TrustEnrolment, RefusesATokenThatItNeverIssued) {
    expect_refused(at.enrol(journal, key, Bytes(32, 7)), Refusal::token_unknown, "no such token");
    EXPECT_TRUE(at.catalog().devices().empty());
}

TEST_F(TrustEnrolment, RefusesATokenThatAnotherBoardUsed) {
    const Bytes secret = at.token();
    given(at.enrol(journal, key, secret));
    expect_refused(at.enrol(elsewhere, other, secret), Refusal::token_used, "used already");
    EXPECT_EQ(at.catalog().devices().size(), 1u);
}

TEST_F(TrustEnrolment, RefusesATokenThatExpiredByItsOwnClock) {
    const Bytes secret = at.token();
    at.home.clock.advance(kDayMs);
    expect_refused(at.enrol(journal, key, secret), Refusal::token_expired, "expired at");
}

TEST_F(TrustEnrolment, MakesNoExpiredTokenNewByAClockThatWasPutBack) {
    const Bytes secret = at.token();
    at.home.clock.advance(2 * kDayMs);
    ASSERT_TRUE(at.enrolment->decide({.key = other.id(), .device = "", .group = "", .actor = ""}));
    at.home.clock.set_wall({0});
    expect_refused(at.enrol(journal, key, secret), Refusal::token_expired, "expired at");
}

TEST_F(TrustEnrolment, RefusesATokenThatWasRevoked) {
    const Bytes secret = at.token();
    ASSERT_TRUE(at.enrolment->revoke_token(at.last_token.id, "me"));
    expect_refused(at.enrol(journal, key, secret), Refusal::token_revoked, "token was revoked");
}

TEST_F(TrustEnrolment, RefusesATokenOfAnotherGroup) {
    const Bytes secret = at.token({.group = "north", .replaces = "", .actor = "me"});
    EnrolRequest asked = at.request(journal, key);
    asked.secret = secret;
    asked.group = "south";
    expect_refused(at.enrolment->enrol(asked), Refusal::token_group, "'south'");
    asked.group = "north";
    given(at.enrolment->enrol(asked));
}

TEST_F(TrustEnrolment, RefusesATokenForAnotherDevice) {
    given(at.enrol(journal, key, at.token()));
    given(at.enrol(elsewhere, other, at.token(), "second"));
    const Bytes secret = at.token({.group = "", .replaces = "second", .actor = "me"});
    expect_refused(at.enrol(journal, key, secret), Refusal::token_device, "device 'board-one'");
    EXPECT_FALSE(at.members().revocation_of("second"));
}

TEST_F(TrustEnrolment, IssuesNoTokenThatCannotBeUsed) {
    EXPECT_EQ(
        at.enrolment->issue_token({.group = "", .replaces = "gone", .actor = ""}).error().code,
        Errc::not_found);
    EXPECT_FALSE(at.enrolment->issue_token({.group = "No Group", .replaces = "", .actor = ""}));
    EXPECT_FALSE(
        at.enrolment->issue_token({.group = "", .replaces = "", .expires_ms = 1, .actor = ""}));
    EXPECT_EQ(entries(), 1u);
}

TEST_F(TrustEnrolment, KeepsNoSecretOfAToken) {
    const Bytes secret = at.token();
    at.home.ledger.reset();
    const auto segments = at.home.files.list("hub/store/segments").value();
    ASSERT_FALSE(segments.empty());
    for (const std::string& name : segments) {
        const Bytes bytes =
            read_file(at.home.files, "hub/store/segments/" + name, 64 * limits::MiB).value();
        EXPECT_EQ(std::ranges::search(bytes, secret).size(), 0u) << name;
    }
}

// ---- who asks ----

TEST_F(TrustEnrolment, RefusesARequestWithoutProofOfItsKey) {
    EnrolRequest asked = at.request(journal, key);
    asked.secret = at.token();
    asked.signature = at.request(journal, other).signature;
    expect_refused(at.enrolment->enrol(asked), Refusal::proof, "'signature'");
    asked.signature = at.request(elsewhere, key).signature;  // for another journal
    expect_refused(at.enrolment->enrol(asked), Refusal::proof, "'signature'");
}

TEST_F(TrustEnrolment, RefusesWhatIsNoRequestForACertificate) {
    EnrolRequest asked = at.request(journal, key);
    asked.secret = at.token();
    asked.csr = test::Random(5).bytes(64 * limits::KiB);
    expect_refused(at.enrolment->enrol(asked), Refusal::csr, "'csr'");
    asked.csr = key.csr();
    asked.csr.back() ^= 1;
    expect_refused(at.enrolment->enrol(asked), Refusal::csr, "'csr'");
    EXPECT_TRUE(at.catalog().devices().empty());
    EXPECT_EQ(at.members().token(at.last_token.id)->state, Token::State::open);
}

TEST_F(TrustEnrolment, RefusesAJournalThatIsKnownUnderAnotherKey) {
    given(at.enrol(journal, key, at.token()));
    expect_refused(at.enrol(journal, other, at.token()), Refusal::journal, "known under another");
    expect_refused(at.enrol(at.home.ledger->store().head().incarnation, other, at.token()),
                   Refusal::journal, "known under another");
}

TEST_F(TrustEnrolment, BindsANewJournalOfAKnownKeyToItsDevice) {
    const Credentials first = given(at.enrol(journal, key, at.token()));
    const Credentials again = given(at.enrol(elsewhere, key));
    EXPECT_EQ(again.device, first.device);
    EXPECT_EQ(again.certificate, first.certificate);
    EXPECT_EQ(at.catalog().device("board-one")->incarnations, (std::vector{journal, elsewhere}));
}

TEST_F(TrustEnrolment, NeverNamesABoardAsTheHub) {
    EXPECT_EQ(given(at.enrol(journal, key, at.token(), "hub")).device, "hub-ab00");
}

// ---- without a token ----

TEST_F(TrustEnrolment, LetsABoardWithoutTokenWaitUntilItIsAccepted) {
    const auto first = at.enrol(journal, key, {}, "cam");
    ASSERT_TRUE(first);
    EXPECT_EQ(std::get<Waiting>(*first).key, key.id());
    ASSERT_EQ(at.enrolment->waiting().size(), 1u);
    EXPECT_EQ(at.enrolment->waiting().boards()[0].peer, "192.0.2.1");
    EXPECT_EQ(at.enrolment->waiting().find(to_hex(key.id().bytes).substr(0, 6)).value(), key.id());

    ASSERT_TRUE(at.enrolment->decide(
        {.key = key.id(), .accepted = true, .device = "front", .group = "north", .actor = "me"}));
    EXPECT_EQ(at.enrolment->waiting().size(), 0u);
    EXPECT_EQ(at.enrolment->find_key(to_hex(key.id().bytes).substr(0, 6)).value(), key.id());

    EXPECT_EQ(given(at.enrol(journal, key, {}, "cam")).device, "front");
    EXPECT_EQ(at.members().member("front")->group, "north");
}

TEST_F(TrustEnrolment, AcceptsAKeyAheadOfTimeAlsoThroughARestart) {
    ASSERT_TRUE(at.enrolment->decide(
        {.key = key.id(), .accepted = true, .device = "front", .group = "", .actor = "me"}));
    // Nobody else gets a name that was promised.
    EXPECT_EQ(given(at.enrol(elsewhere, other, at.token(), "front")).device, "front-cd00");
    at.reopen();
    EXPECT_EQ(given(at.enrol(journal, key)).device, "front");
}

TEST_F(TrustEnrolment, TurnsAwayWhomAnOperatorRejectedAlsoWithAToken) {
    const Bytes secret = at.token();
    ASSERT_TRUE(at.enrolment->decide({.key = key.id(), .device = "", .group = "", .actor = "me"}));
    expect_refused(at.enrol(journal, key), Refusal::turned_away, "turned this board away");
    expect_refused(at.enrol(journal, key, secret), Refusal::turned_away, "turned this board");
    ASSERT_TRUE(at.enrolment->decide(
        {.key = key.id(), .accepted = true, .device = "", .group = "", .actor = "me"}));
    given(at.enrol(journal, key, secret));
}

TEST_F(TrustEnrolment, RefusesDecisionsThatCannotHold) {
    given(at.enrol(journal, key, at.token()));
    const auto code = [&](const Decision& decision) {
        return at.enrolment->decide(decision).error().code;
    };
    EXPECT_EQ(
        code(
            {.key = other.id(), .accepted = true, .device = "board-one", .group = "", .actor = ""}),
        Errc::conflict);
    EXPECT_EQ(
        code({.key = other.id(), .accepted = true, .device = "hub", .group = "", .actor = ""}),
        Errc::conflict);
    EXPECT_EQ(code({.key = other.id(),
                    .accepted = true,
                    .device = "gone",
                    .replaces = true,
                    .group = "",
                    .actor = ""}),
              Errc::not_found);
    EXPECT_EQ(code({.key = key.id(), .device = "", .group = "", .actor = ""}), Errc::conflict);
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    EXPECT_EQ(code({.key = key.id(), .accepted = true, .device = "", .group = "", .actor = ""}),
              Errc::denied);
}

TEST(BoardsThatWait, TheOneThatAskedLongestAgoGoesFirst) {
    WaitingList list;
    const auto board = [](std::uint64_t number) {
        WaitingBoard waits;
        waits.key = sha256(as_bytes(std::to_string(number)));
        waits.last = waits.since = {number};
        return waits;
    };
    for (std::uint64_t i = 0; i < WaitingList::kMost; ++i) list.ask(board(i));
    WaitingBoard first = board(0);
    first.last = {5000};
    list.ask(first);  // asks again

    list.ask(board(6000));

    EXPECT_EQ(list.size(), WaitingList::kMost);
    EXPECT_EQ(list.dropped(), 1u);
    const auto boards = list.boards();
    EXPECT_EQ(boards.front().since, WallTime{0});
    EXPECT_EQ(boards.front().asked, 2u);
    EXPECT_EQ(boards[1].since, WallTime{2});  // 1 is gone
}

// ---- replacement and revocation ----

TEST_F(TrustEnrolment, ABoardThatReplacesADeviceTakesItsNameAndItsKeysAreRevoked) {
    given(at.enrol(journal, key, at.token()));
    const Bytes secret = at.token({.group = "", .replaces = "board-one", .actor = "me"});

    const Credentials got = given(at.enrol(elsewhere, other, secret, "anything"));

    EXPECT_EQ(got.device, "board-one");
    EXPECT_TRUE(at.members().check_believed(other.id(), elsewhere));
    EXPECT_FALSE(at.members().check_believed(key.id(), journal));
    EXPECT_FALSE(at.members().revocation_of("board-one"));
    EXPECT_EQ(at.changed, std::vector<std::string>{"board-one"});
    expect_refused(at.enrol(journal, key, at.token()), Refusal::revoked, "revoked");
    expect_refused(at.enrolment->renew(at.renewal("board-one", journal, key, next)),
                   Refusal::revoked, "revoked");
    // The answer was lost: the same board asks again.
    EXPECT_EQ(given(at.enrol(elsewhere, other, secret)).certificate, got.certificate);
}

TEST_F(TrustEnrolment, RefusesARevokedKeyInAnyJournal) {
    given(at.enrol(journal, key, at.token()));
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    EXPECT_EQ(at.changed, std::vector<std::string>{"board-one"});
    expect_refused(at.enrol(journal, key, at.token()), Refusal::revoked, "revoked");
    expect_refused(at.enrol(elsewhere, key, at.token()), Refusal::revoked, "revoked");
    at.reopen();
    refusals.clear();
    expect_refused(at.enrol(elsewhere, key), Refusal::revoked, "revoked");
}

TEST_F(TrustEnrolment, DecommissionsADeviceInOneStep) {
    given(at.enrol(journal, key, at.token()));
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "sold", true));
    EXPECT_TRUE(at.catalog().device("board-one")->retired);
    EXPECT_TRUE(at.members().revocation_of("board-one"));
    const std::uint64_t before = entries();
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "sold", true));  // again: nothing new
    EXPECT_EQ(entries(), before);
    EXPECT_EQ(at.enrolment->revoke("gone", "me", "").error().code, Errc::not_found);
}

// ---- renewal ----

class TrustRenewal : public TrustEnrolment {
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
    EXPECT_TRUE(renew(key, next));
}

TEST_F(TrustRenewal, BelievesTheOldKeyNoMoreOnceTheJournalNamesTheNewOne) {
    ASSERT_TRUE(renew(key, next));
    given(at.enrol(journal, next));  // certified, and not in force yet
    test::Board board("board-one", 50);
    const Incarnation real = board.store().head().incarnation;
    BoardKey first(50);  // the same seed: not the board's key, which is bound below
    ASSERT_TRUE(
        at.home.ledger->append({DeviceBoundBody{"board-one", real, board.signer().public_key()}}));
    board.say(trust::sign_key_change(board.signer(), *next.signer, real).value());
    board.bring_to(*at.home.ledger);

    expect_refused(at.enrol(real, key), Refusal::replaced_key, "replaced by a newer one");
    EXPECT_EQ(given(at.enrol(real, next)).device, "board-one");
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

// ---- power cuts ----

// The power goes before each effect of an enrolment; whatever became of it, the board that asks
// again gets one certificate, and nobody else gets in by that token.
TEST(TrustEnrolmentThroughAPowerCut, UsesATokenOnce) {
    std::uint64_t effects = 0;
    for (std::uint64_t cut = 0; cut == 0 || cut <= effects; ++cut) {
        test::EnrolmentHome at{1};
        BoardKey key(2), thief(3);
        const Incarnation journal = journal_named("ab");
        const Bytes secret = at.token();
        const std::uint64_t before = at.home.files.effects();
        if (cut != 0) at.home.files.crash_before_effect(before + cut - 1, cut);
        const auto first = at.enrol(journal, key, secret);
        if (cut == 0) {
            ASSERT_TRUE(first);
            effects = at.home.files.effects() - before;
            ASSERT_GT(effects, 0u);
            continue;
        }
        at.home.files.restart();
        at.home.files.set_hook({});
        at.reopen();

        const auto again = at.enrol(journal, key, secret);

        ASSERT_TRUE(again) << cut << ": " << again.error().what;
        const Credentials got = std::get<Credentials>(*again);
        if (first) {
            EXPECT_EQ(got.certificate, std::get<Credentials>(*first).certificate) << cut;
        }
        EXPECT_EQ(got.device, "board-one") << cut;
        EXPECT_EQ(at.catalog().devices().size(), 1u) << cut;
        EXPECT_EQ(at.members().member("board-one")->certificates.size(), 1u) << cut;
        EXPECT_FALSE(at.enrol(journal_named("cd"), thief, secret)) << cut;
    }
}

TEST(TrustRevocationThroughAPowerCut, HoldsOnceItWasAnswered) {
    std::uint64_t effects = 0;
    for (std::uint64_t cut = 0; cut == 0 || cut <= effects; ++cut) {
        test::EnrolmentHome at{1};
        BoardKey key(2);
        ASSERT_TRUE(at.enrol(journal_named("ab"), key, at.token()));
        const std::uint64_t before = at.home.files.effects();
        if (cut != 0) at.home.files.crash_before_effect(before + cut - 1, cut);
        const Status done = at.enrolment->revoke("board-one", "me", "lost", true);
        if (cut == 0) effects = at.home.files.effects() - before;
        if (cut == 0) continue;
        at.home.files.restart();
        at.home.files.set_hook({});
        at.reopen();
        const bool revoked = at.members().revocation_of("board-one") != nullptr;
        EXPECT_TRUE(revoked || !done) << cut;
        EXPECT_EQ(at.catalog().device("board-one")->retired, revoked) << cut;  // both or none
    }
}

}  // namespace
}  // namespace tributary::hub
