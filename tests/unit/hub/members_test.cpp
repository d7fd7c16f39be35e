#include "hub/store/members.h"

#include "common/trust/key_change.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::Board;
using test::HubHome;

Digest digest_of(std::string_view name) { return sha256(as_bytes(name)); }

Incarnation journal_of(std::uint8_t number) {
    Incarnation journal;
    journal.bytes.fill(number);
    return journal;
}

// Members::apply() with times that grow, as in a journal.
class TrustMembers : public testing::Test {
protected:
    void says(const EntryBody& body) { members.apply(body, {++ms, 0, ClockQuality::synced}); }
    void binds(const std::string& device, std::uint8_t journal, std::string_view key) {
        says(DeviceBoundBody{device, journal_of(journal), Bytes(key.begin(), key.end())});
    }
    void certifies(const std::string& device, std::string_view key) {
        says(CertifiedBody{device, digest_of(key), {1}, {1000}, "enrolled"});
    }
    void issues(const std::string& token, std::uint64_t expires_ms = 1'000'000) {
        says(TokenIssuedBody{digest_of(token), "g", "", {expires_ms}, "me"});
    }

    Members members;
    std::uint64_t ms = 0;
};

TEST_F(TrustMembers, RevocationTakesEverythingThatADeviceHadSoFarAndNothingLater) {
    binds("a", 1, "old");
    certifies("a", "renewed");
    binds("b", 2, "other");
    says(RevokedBody{"a", {}, "me", "lost"});

    EXPECT_TRUE(members.revocation_of("a"));
    EXPECT_TRUE(members.revocation_of(digest_of("old")));
    EXPECT_TRUE(members.revocation_of(digest_of("renewed")));
    EXPECT_TRUE(members.revocation_of(journal_of(1)));
    EXPECT_FALSE(members.revocation_of("b"));
    EXPECT_EQ(members.revoked(), std::set<std::string>{"a"});

    binds("a", 3, "new");

    EXPECT_FALSE(members.revocation_of("a"));
    EXPECT_TRUE(members.check_believed(digest_of("new"), journal_of(3)));
    EXPECT_FALSE(members.check_believed(digest_of("renewed"), journal_of(3)));
    EXPECT_FALSE(members.check_believed(digest_of("new"), journal_of(1)));
    EXPECT_TRUE(members.revoked().empty());
}

TEST_F(TrustMembers, ARevokedKeyStaysRevokedThoughItIsBoundAgain) {
    binds("a", 1, "key");
    says(RevokedBody{"a", {}, "me", "lost"});
    binds("a", 2, "key");

    EXPECT_TRUE(members.revocation_of("a"));
    EXPECT_FALSE(members.check_believed(digest_of("key"), journal_of(2)));
}

TEST_F(TrustMembers, OneKeyCanBeRevokedAlone) {
    binds("a", 1, "old");
    certifies("a", "new");
    says(RevokedBody{"a", digest_of("old"), "me", "renewed"});

    EXPECT_TRUE(members.revocation_of(digest_of("old")));
    EXPECT_FALSE(members.revocation_of(digest_of("new")));
    EXPECT_FALSE(members.revocation_of("a"));
}

TEST_F(TrustMembers, ADecisionIsForgottenOnceItCameTrue) {
    says(AdmittedBody{digest_of("key"), "front", "g", true, "me"});
    EXPECT_TRUE(members.is_promised("front"));
    ASSERT_TRUE(members.admission(digest_of("key")));
    EXPECT_FALSE(members.admission(digest_of("key"))->replaces);

    binds("front", 1, "key");

    EXPECT_FALSE(members.is_promised("front"));
    EXPECT_FALSE(members.admission(digest_of("key")));
}

TEST_F(TrustMembers, ADecisionSaysWhetherItsDeviceWasThere) {
    binds("front", 1, "key");
    says(AdmittedBody{digest_of("next"), "front", "", true, "me"});
    EXPECT_TRUE(members.admission(digest_of("next"))->replaces);
}

TEST_F(TrustMembers, ForgetsFinishedTokensBeforeOpenOnes) {
    issues("open");
    issues("used");
    says(TokenUsedBody{digest_of("used"), "a"});
    for (std::size_t i = 2; i < Members::kTokensMax; ++i) issues("more" + std::to_string(i));
    ASSERT_EQ(members.tokens().size(), Members::kTokensMax);

    issues("one more");

    EXPECT_EQ(members.tokens().size(), Members::kTokensMax);
    EXPECT_TRUE(members.token(digest_of("open")));
    EXPECT_FALSE(members.token(digest_of("used")));
    issues("two more");
    EXPECT_FALSE(members.token(digest_of("open")));  // the oldest of those that are open
}

TEST_F(TrustMembers, ATokenOfBeforeARestoreLetsNobodyIn) {
    issues("of before");
    StartBody start;
    start.continues = journal_of(9);
    says(start);
    issues("of now");
    EXPECT_EQ(members.token(digest_of("of before"))->state, Token::State::revoked);
    EXPECT_EQ(members.token(digest_of("of now"))->state, Token::State::open);
}

TEST_F(TrustMembers, RemembersTheNewestCertificates) {
    for (std::size_t i = 0; i <= Member::kCertificatesMax; ++i)
        certifies("a", "key" + std::to_string(i));
    const Member* member = members.member("a");
    ASSERT_TRUE(member);
    EXPECT_EQ(member->certificates.size(), Member::kCertificatesMax);
    EXPECT_FALSE(member->certificate_of(digest_of("key0")));
    EXPECT_EQ(members.device_of(digest_of("key0")), "a");  // whose key it was is not forgotten
}

// ---- the key of a journal ----

class TrustKeysOfAJournal : public testing::Test {
protected:
    struct Key {
        explicit Key(std::uint64_t seed) : entropy(seed) {}
        test::SimEntropy entropy;
        std::unique_ptr<trust::Signer> signer = trust::generate_key(entropy).value();
        const Bytes& bytes() const { return signer->public_key(); }
    };
    KeyChangedBody change(Key& from, Key& to, std::uint8_t of = 1) {
        return trust::sign_key_change(*from.signer, *to.signer, journal_of(of)).value();
    }
    Bytes in_force() const { return *keys.of(journal_of(1)); }

    Key first{1}, second{2}, third{3};
    JournalKeys keys;
};

TEST_F(TrustKeysOfAJournal, FollowsChangesThatBothKeysSigned) {
    keys.bind(journal_of(1), first.bytes());
    keys.change(journal_of(1), change(first, second));
    EXPECT_EQ(in_force(), second.bytes());
    keys.change(journal_of(1), change(second, third));
    EXPECT_EQ(in_force(), third.bytes());
}

TEST_F(TrustKeysOfAJournal, FollowsMoreChangesThanALifeHas) {
    const KeyChangedBody there = change(first, second), back = change(second, first);
    keys.bind(journal_of(1), first.bytes());
    for (int i = 0; i < 500; ++i) {
        keys.change(journal_of(1), there);
        keys.change(journal_of(1), back);
    }
    keys.change(journal_of(1), there);
    EXPECT_EQ(in_force(), second.bytes());
}

TEST_F(TrustKeysOfAJournal, AChangeThatAKeyDidNotSignChangesNothing) {
    keys.bind(journal_of(1), first.bytes());
    KeyChangedBody by_stranger = change(first, second);
    by_stranger.by_old = change(third, second).by_old;
    KeyChangedBody unagreed = change(first, second);
    unagreed.by_new = change(first, third).by_new;

    keys.change(journal_of(1), by_stranger);
    keys.change(journal_of(1), unagreed);
    keys.change(journal_of(1), change(first, second, 2));  // said in another journal
    keys.change(journal_of(1), change(third, second));     // of a key that is not in force

    EXPECT_EQ(in_force(), first.bytes());
}

TEST_F(TrustKeysOfAJournal, IsTheSameInWhateverOrderTheJournalsCome) {
    keys.change(journal_of(1), change(first, second));
    EXPECT_EQ(keys.of(journal_of(1)), nullptr);
    keys.bind(journal_of(1), first.bytes());
    EXPECT_EQ(in_force(), second.bytes());
    keys.bind(journal_of(1), first.bytes());  // again, for another group
    EXPECT_EQ(in_force(), second.bytes());
}

// ---- through the ledger ----

TEST(Catalog, KnowsTheKeyInForceAlsoAfterARestart) {
    Board board("a", 1);
    HubHome home(2);
    test::SimEntropy entropy(3);
    const auto next = trust::generate_key(entropy).value();
    const Incarnation journal = board.store().head().incarnation;
    board.say(trust::sign_key_change(board.signer(), *next, journal).value());
    board.bring_to(*home.ledger);
    EXPECT_EQ(*home.ledger->catalog().key_of(journal), next->public_key());

    home.reopen();

    EXPECT_EQ(*home.ledger->catalog().key_of(journal), next->public_key());
    EXPECT_EQ(home.ledger->catalog().device_with_key(board.signer().public_key()), "");
}

// Two journals change their keys, in every order of what the hub says and what they say.
TEST(Catalog, BelievesTheSameInWhateverOrderJournalsAreMixed) {
    for (const bool bound_again : {false, true})
        for (const bool a_first : {true, false}) {
            Board a("a", 1), b("b", 2);
            HubHome home(3);
            test::SimEntropy entropy(4);
            const auto next_a = trust::generate_key(entropy).value();
            const auto next_b = trust::generate_key(entropy).value();
            a.bind_at(*home.ledger);
            b.bind_at(*home.ledger);
            const auto change = [&](Board& board, trust::Signer& next) {
                board.say(
                    trust::sign_key_change(board.signer(), next, board.store().head().incarnation)
                        .value());
                board.bring_to(*home.ledger);
            };
            if (a_first) change(a, *next_a);
            ASSERT_TRUE(home.ledger->append(
                {CertifiedBody{"a", trust::key_id(next_a->public_key()), {1}, {5}, "renewed"},
                 RevokedBody{"b", {}, "me", "lost"}}));
            change(b, *next_b);
            if (!a_first) change(a, *next_a);
            if (bound_again) a.bind_at(*home.ledger);
            const auto check = [&] {
                const Catalog& catalog = home.ledger->catalog();
                EXPECT_EQ(*catalog.key_of(a.store().head().incarnation), next_a->public_key());
                EXPECT_EQ(*catalog.key_of(b.store().head().incarnation), next_b->public_key());
                EXPECT_EQ(catalog.device_with_key(next_a->public_key()), "a");
                EXPECT_FALSE(catalog.members().check_believed(trust::key_id(next_b->public_key()),
                                                              b.store().head().incarnation));
                EXPECT_EQ(catalog.device("a")->incarnations.size(), 1u);
            };
            check();
            home.reopen();
            check();
        }
}

}  // namespace
}  // namespace tributary::hub
