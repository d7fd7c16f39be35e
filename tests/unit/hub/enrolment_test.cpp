#include "hub/enrol/enrolment.h"

#include <algorithm>

#include "tests/unit/hub/enrolment_home.h"

namespace tributary::hub {
namespace {

using test::BoardKey;
using test::journal_named;

constexpr std::uint64_t kDayMs = 86'400'000;

// Made with the openssl program: a key, and a request by it with the subject "CN=hub" and
// extensions that ask for an authority, a server, and the name hub.example.
constexpr char kGreedyKey[] = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgMOl/DZ+wEzHf6bnk
+gg98moPdHJhrX1Mu8j5YH63Rz6hRANCAAS3/XbseOr8kCI3nr2ARLMz9SkopSlC
sQucMrPI1bwBMWFrf8Ki/btw9Yg+ArCn+cNoX4ipSpWoAgZZcxzibicJ
-----END PRIVATE KEY-----
)";
constexpr char kGreedyCsr[] = R"(-----BEGIN CERTIFICATE REQUEST-----
MIIBPzCB5gIBADAiMQwwCgYDVQQDDANodWIxEjAQBgNVBAsMCXRyaWJ1dGFyeTBZ
MBMGByqGSM49AgEGCCqGSM49AwEHA0IABLf9dux46vyQIjeevYBEszP1KSilKUKx
C5wys8jVvAExYWt/wqL9u3D1iD4CsKf5w2hfiKlKlagCBllzHOJuJwmgYjBgBgkq
hkiG9w0BCQ4xUzBRMA8GA1UdEwEB/wQFMAMBAf8wCwYDVR0PBAQDAgIEMBMGA1Ud
JQQMMAoGCCsGAQUFBwMBMBwGA1UdEQQVMBOCC2h1Yi5leGFtcGxlhwTAAAIBMAoG
CCqGSM49BAMCA0gAMEUCICexldUWNS/MIllhwGhqZuZQYhd3lHne36jfiqR3u/jp
AiEA2aHX4Ji4Qh1R6T8mrtu7xKb6wWI18o4L1HAzwvqk5Zw=
-----END CERTIFICATE REQUEST-----
)";

class TrustEnrolment : public test::EnrolmentTest {};

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
        EXPECT_EQ(std::search(bytes.begin(), bytes.end(), secret.begin(), secret.end()),
                  bytes.end())
            << name;
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

TEST_F(TrustEnrolment, GivesNothingOfWhatARequestForACertificateAsksFor) {
    ASSERT_TRUE(replace_file(at.home.files, "key.pem", as_bytes(kGreedyKey)));
    key.signer = trust::load_key(at.home.files, "key.pem").value();
    EnrolRequest asked = at.request(journal, key);
    asked.csr = trust::from_pem(trust::kCsrLabel, kGreedyCsr).value();
    asked.secret = at.token();

    const Credentials got = given(at.enrolment->enrol(asked));

    EXPECT_EQ(got.device, "board-one");
    const auto says = trust::parse_certificate(got.certificate).value();
    EXPECT_EQ(says.subject, "board-one");
    EXPECT_TRUE(says.client);
    EXPECT_FALSE(says.server);
    EXPECT_FALSE(says.authority);
    EXPECT_TRUE(says.names.empty() && says.addresses.empty());
}

TEST_F(TrustEnrolment, ABoardOfAFirstContactKeepsItsNameWhenItEnrols) {
    ASSERT_TRUE(at.home.ledger->append({DeviceBoundBody{"plain", journal, key.bytes()},
                                        DeviceBoundBody{"second", elsewhere, other.bytes()}}));
    EXPECT_EQ(given(at.enrol(journal, key, at.token(), "anything")).device, "plain");

    // Without a token an operator decides, and cannot make another device of it.
    ASSERT_TRUE(std::holds_alternative<Waiting>(at.enrol(elsewhere, other).value()));
    EXPECT_EQ(at.enrolment->waiting().boards()[0].device, "second");
    EXPECT_FALSE(at.enrolment->decide(
        {.key = other.id(), .accepted = true, .device = "third", .group = "", .actor = ""}));
    ASSERT_TRUE(at.enrolment->decide(
        {.key = other.id(), .accepted = true, .device = "", .group = "", .actor = ""}));
    EXPECT_EQ(given(at.enrol(elsewhere, other)).device, "second");
    EXPECT_FALSE(at.members().admission(other.id()));
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

// Each is an entry of our journal for good.
TEST_F(TrustEnrolment, BindsSoManyNewJournalsOfADeviceADay) {
    given(at.enrol(journal, key, at.token()));
    const auto begin = [&](std::size_t number) {
        return at.enrol(journal_named(std::to_string(10 + number)), key);
    };
    for (std::size_t i = 1; i < Enrolment::kJournalsADayMax; ++i) given(begin(i));
    const std::uint64_t before = entries();
    expect_refused(begin(50), Refusal::too_often, "within a day");
    EXPECT_EQ(entries(), before);
    given(begin(1));  // one that is known
    at.reopen();
    refusals.clear();
    expect_refused(begin(51), Refusal::too_often, "within a day");
    at.home.clock.advance(86'400'001);
    given(begin(52));
}

TEST_F(TrustEnrolment, WritesNothingForADeviceThatIsNotAnswered) {
    given(at.enrol(journal, key, at.token()));
    const std::uint64_t before = entries();
    EnrolRequest request = at.request(elsewhere, key);
    std::string asked;
    request.may_answer = [&](const std::string& device) {
        asked = device;
        return false;
    };
    EXPECT_FALSE(at.enrolment->enrol(request));
    EXPECT_EQ(asked, "board-one");
    RenewRequest renewal = at.renewal("board-one", journal, key, next);
    renewal.may_answer = request.may_answer;
    EXPECT_FALSE(at.enrolment->renew(renewal));
    EXPECT_EQ(entries(), before);
    request.may_answer = [](const std::string&) { return true; };
    given(at.enrolment->enrol(request));
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
    const Credentials old = given(at.enrol(journal, key, at.token()));
    EXPECT_TRUE(at.members().revoked_serials().empty());
    const Bytes secret = at.token({.group = "", .replaces = "board-one", .actor = "me"});

    const Credentials got = given(at.enrol(elsewhere, other, secret, "anything"));

    EXPECT_EQ(at.members().revoked_serials(),
              std::vector<Bytes>{trust::parse_certificate(old.certificate)->serial});

    EXPECT_EQ(got.device, "board-one");
    EXPECT_TRUE(at.members().check_believed(other.id(), elsewhere));
    EXPECT_FALSE(at.members().check_believed(key.id(), journal));
    EXPECT_FALSE(at.members().revocation_of("board-one"));
    EXPECT_EQ(at.changed, (std::vector<std::string>{"board-one", "board-one"}));
    expect_refused(at.enrol(journal, key, at.token()), Refusal::revoked, "revoked");
    expect_refused(at.enrolment->renew(at.renewal("board-one", journal, key, next)),
                   Refusal::revoked, "revoked");
    // The answer was lost: the same board asks again.
    EXPECT_EQ(given(at.enrol(elsewhere, other, secret)).certificate, got.certificate);
}

TEST_F(TrustEnrolment, LetsNobodyGoOnWhomTheBrokerDeniesForAReasonThatWasLost) {
    const Bytes secret = at.token();
    given(at.enrol(journal, key, secret));
    EXPECT_EQ(at.changed, std::vector<std::string>{"board-one"}) << "the broker may deny the name";
    at.unexplained = "board-one";
    constexpr std::string_view kWhy = "does not know why";
    expect_refused(at.enrol(journal, key), Refusal::revoked, kWhy);
    expect_refused(at.enrol(journal, key, secret), Refusal::revoked, kWhy);
    expect_refused(at.enrolment->renew(at.renewal("board-one", journal, key, next)),
                   Refusal::revoked, kWhy);
    const Bytes signature =
        key.signer->sign(trust::kFetchPurpose, trust::fetch_digest("/x")).value();
    expect_refused(at.enrolment->check_fetch({"board-one", signature, {}}, "/x"), Refusal::revoked,
                   kWhy);

    given(at.enrol(journal, key, at.token({.group = "", .replaces = "board-one", .actor = "me"})));
    EXPECT_EQ(at.changed.size(), 2u);
}

TEST_F(TrustEnrolment, RefusesARevokedKeyInAnyJournal) {
    given(at.enrol(journal, key, at.token()));
    ASSERT_TRUE(at.enrolment->revoke("board-one", "me", "lost"));
    EXPECT_EQ(at.changed, (std::vector<std::string>{"board-one", "board-one"}));
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
