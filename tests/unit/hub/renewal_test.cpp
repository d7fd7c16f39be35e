// Renewal of a certificate, and fetching by those who have one.
#include "hub/enrol/enrolment.h"

#include "common/record/message.h"
#include "hub/enrol/door_requests.h"
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

// ---- changes of key that did not reach the hub ----

// The board has gone over from `key` to `next`, and its journal has not come here since.
class TrustUnheardChange : public TrustRenewal {
protected:
    TrustUnheardChange() { EXPECT_TRUE(TrustRenewal::renew(key, next)); }

    static KeyChangedBody change(BoardKey& from, BoardKey& to, const Incarnation& of) {
        return trust::sign_key_change(*from.signer, *to.signer, of).value();
    }
    Result<Credentials> renew(BoardKey& by, BoardKey& to, std::vector<KeyChangedBody> changes) {
        RenewRequest request = at.renewal("board-one", journal, by, to);
        request.key_changes = std::move(changes);
        return at.enrolment->renew(request);
    }
    KeyChangedBody good() { return change(key, next, journal); }
    void expect_not_followed(BoardKey& to, std::vector<KeyChangedBody> changes,
                             std::string_view text) {
        expect_refused(renew(to, third, std::move(changes)), Refusal::proof, text);
    }

    BoardKey third{5};
};

TEST_F(TrustUnheardChange, IsFollowedToTheKeyThatAsks) {
    expect_refused(renew(next, third, {}), Refusal::proof, "key that is in force");
    const auto got = renew(next, third, {good()});
    ASSERT_TRUE(got) << got.error().what;
    EXPECT_EQ(trust::parse_certificate(got->certificate)->public_key, third.bytes());
}

TEST_F(TrustUnheardChange, MayBeSeveral) {
    BoardKey fourth(6);
    EXPECT_TRUE(renew(third, fourth, {good(), change(next, third, journal)}));
}

TEST_F(TrustUnheardChange, ChangesNothingHereUntilTheJournalBringsIt) {
    ASSERT_TRUE(renew(next, third, {good()}));
    EXPECT_EQ(*at.catalog().key_of(journal), key.bytes());
    expect_refused(renew(next, third, {}), Refusal::proof, "key that is in force");
}

TEST_F(TrustUnheardChange, ThatTheOldKeyDidNotSignIsNotFollowed) {
    KeyChangedBody forged = good();
    forged.by_old = other.signer
                        ->sign(trust::kKeyChangePurpose,
                               trust::key_change_digest(journal, forged.old_key, next.bytes()))
                        .value();
    expect_not_followed(next, {forged}, "old key's word");
    forged.by_old.clear();
    expect_not_followed(next, {forged}, "old key's word");
}

TEST_F(TrustUnheardChange, ThatTheNewKeyDidNotSignIsNotFollowed) {
    KeyChangedBody half = good();
    half.by_new = half.by_old;
    expect_not_followed(next, {half}, "new key's word");
}

TEST_F(TrustUnheardChange, OfAnotherBoardIsNotFollowed) {
    given(at.enrol(elsewhere, other, at.token(), "second"));
    expect_not_followed(next, {change(other, next, elsewhere)}, "another key than this journal's");
    expect_not_followed(next, {change(key, next, elsewhere)}, "old key's word");
}

TEST_F(TrustUnheardChange, IsNotFollowedOverOneThatIsLeftOut) {
    expect_not_followed(third, {change(next, third, journal)}, "another key than this journal's");
}

// A board shows what it has looked at itself; each look costs the hub a signature.
TEST_F(TrustUnheardChange, IsNotLookedAtBehindOneThatIsNotSigned) {
    KeyChangedBody unsigned_one = good();
    unsigned_one.by_old = unsigned_one.by_new;
    expect_not_followed(next, {unsigned_one, good()}, "old key's word");
    // One of which it has heard costs nothing.
    EXPECT_TRUE(renew(next, third, {change(other, key, journal), good()}));
}

TEST_F(TrustUnheardChange, HelpsNoRevokedBoard) {
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    expect_refused(renew(next, third, {good()}), Refusal::revoked, "revoked");
}

// No journal was revoked, and the key before is: who has it may name any heir.
TEST_F(TrustUnheardChange, HelpsNoHeirOfARevokedKey) {
    ASSERT_TRUE(at.home.ledger->append({RevokedBody{"board-one", key.id(), "me", "copied"}}));
    expect_refused(renew(third, other, {change(key, third, journal)}), Refusal::revoked, "revoked");
}

// The board begins no further key before the hub has heard of this one.
TEST_F(TrustUnheardChange, GetsACertificateForTheSameKeyOnceTheOneItHasIsWorthNothing) {
    const auto held = renew(next, next, {good()});
    ASSERT_TRUE(held) << held.error().what;
    EXPECT_EQ(held->certificate, at.members().member("board-one")->certificates.back().certificate);
    at.home.clock.advance(1000 * kDayMs);

    const auto got = renew(next, next, {good()});

    ASSERT_TRUE(got) << got.error().what;
    const auto says = trust::parse_certificate(got->certificate).value();
    EXPECT_EQ(says.public_key, next.bytes());
    EXPECT_TRUE(says.is_valid_at(at.home.clock.wall()));
    EXPECT_EQ(renew(next, next, {good()})->certificate, got->certificate);
}

// The hub may have heard of it meanwhile, and the board not that it has.
TEST_F(TrustUnheardChange, GetsACertificateForTheSameKeyAlsoOnceItWasHeardOf) {
    test::Board board("board-one", 50);
    journal = board.store().head().incarnation;
    ASSERT_TRUE(at.home.ledger->append(
        {DeviceBoundBody{"board-one", journal, board.signer().public_key()}}));
    const KeyChangedBody told =
        trust::sign_key_change(board.signer(), *next.signer, journal).value();
    board.say(told);
    board.bring_to(*at.home.ledger);
    EXPECT_TRUE(renew(next, next, {told}));
}

TEST_F(TrustUnheardChange, ThatIsNoneBringsNoCertificateForTheSameKey) {
    expect_refused(renew(key, key, {change(next, third, journal)}), Refusal::same_key,
                   "in use already");
    expect_refused(renew(key, key, {change(other, key, journal)}), Refusal::same_key,
                   "in use already");
}

// ---- fetching ----

constexpr std::string_view kTarget = "/api/v1/object?kind=piece&name=x";

TEST_F(TrustUnheardChange, IsFollowedWhereTheBoardFetches) {
    FetchProof proof{"board-one", {}, {good()}};
    proof.signature = next.signer->sign(trust::kFetchPurpose, trust::fetch_digest(kTarget)).value();
    EXPECT_TRUE(at.enrolment->check_fetch(proof, kTarget));
    proof.key_changes.front().by_old = proof.key_changes.front().by_new;
    expect_refused(at.enrolment->check_fetch(proof, kTarget), Refusal::proof, "not the word of");
}

TEST_F(TrustRenewal, AnswersFetchesOfItsDevicesAlone) {
    const auto check = [&](const std::string& device, BoardKey& by,
                           std::string_view target = kTarget) {
        FetchProof proof{device, {}, {}};
        proof.signature =
            by.signer->sign(trust::kFetchPurpose, trust::fetch_digest(target)).value();
        return at.enrolment->check_fetch(proof, kTarget);
    };
    EXPECT_TRUE(check("board-one", key));
    expect_refused(check("board-one", other), Refusal::proof, "not the word of");
    expect_refused(check("board-one", key, "/other"), Refusal::proof, "not the word of");
    expect_refused(check("gone", key), Refusal::proof, "no device");
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    expect_refused(check("board-one", key), Refusal::revoked, "revoked");
}

// ---- what is written to the door ----

class TrustDoorRequest : public TrustUnheardChange {
protected:
    std::string digits() { return to_hex(encode_body(good())); }
    Result<RenewRequest> renewal_with(std::size_t changes, const std::string& each) {
        Json list = Json::array();
        for (std::size_t i = 0; i < changes; ++i) list.push(each);
        Json body = Json::object({{"device", "board-one"},
                                  {"incarnation", journal.text()},
                                  {"csr", trust::to_pem(trust::kCsrLabel, third.csr())},
                                  {"signature", std::string(128, '0')}});
        body.set("key_changes", std::move(list));
        const std::string text = body.text();
        return parse_renew_request(as_bytes(text));
    }
    Result<FetchProof> fetch_with(std::size_t changes, const std::string& each) {
        HttpRequest request;
        std::string list;
        for (std::size_t i = 0; i < changes; ++i) list += (i == 0 ? "" : ",") + each;
        request.headers = {{std::string(trust::kFetchKeyChangesHeader), list}};
        return parse_fetch_proof(request);
    }
};

TEST_F(TrustDoorRequest, HoldsAsManyChangesOfKeyAsAHelloAndNoMore) {
    constexpr std::size_t kMost = sync::kHelloKeyChangesMax;
    const auto renewal = renewal_with(kMost, digits());
    ASSERT_TRUE(renewal) << renewal.error().what;
    EXPECT_EQ(renewal->key_changes, std::vector<KeyChangedBody>(kMost, good()));
    const auto fetch = fetch_with(kMost, digits());
    ASSERT_TRUE(fetch) << fetch.error().what;
    EXPECT_EQ(fetch->key_changes, renewal->key_changes);
    EXPECT_EQ(renewal_with(kMost + 1, digits()).error().code, Errc::invalid);
    EXPECT_EQ(fetch_with(kMost + 1, digits()).error().code, Errc::invalid);
}

TEST_F(TrustDoorRequest, HoldsNothingElseForAChangeOfKey) {
    const std::string longer = digits() + std::string(2 * sync::kHelloKeyChangeBytesMax, '0');
    for (const std::string& wrong : {std::string("zz"), std::string(), digits().substr(4), longer,
                                     to_hex(encode_body(RetiredBody{"board-one", true, "me"}))}) {
        EXPECT_FALSE(renewal_with(1, wrong)) << wrong;
        EXPECT_FALSE(fetch_with(2, wrong)) << wrong;
    }
}

}  // namespace
}  // namespace tributary::hub
