#include "hub/enrol/contact.h"

#include <set>

#include "agent/sync/pins.h"
#include "tests/unit/hub/board.h"

namespace tributary::hub {
namespace {

using test::HubHome;

class FirstContactWithAHub : public testing::Test {
protected:
    struct Key {
        explicit Key(std::uint64_t seed) : entropy(seed) {}
        test::SimEntropy entropy;
        std::unique_ptr<trust::Signer> signer = trust::generate_key(entropy).value();
    };
    static Incarnation journal(const std::string& digits) {
        std::string text = digits;
        text.resize(32, '0');
        return Incarnation::parse(text).value();
    }
    Result<agent::Pins> meet(const Incarnation& of, Key& by, const std::string& name) {
        TRIBUTARY_ASSIGN(const Json request, agent::contact_request(of, *by.signer, name));
        TRIBUTARY_ASSIGN(const Json answer, contact.answer(request));
        return agent::parse_contact_answer(answer);
    }

    HubHome home{1};
    HubConfig config;
    Contact contact{*home.ledger, config, {}};
    Key key{2}, other{3};
};

TEST_F(FirstContactWithAHub, GivesTheSameAnswerEachTime) {
    const auto first = meet(journal("ab"), key, "Board One");
    const auto again = meet(journal("ab"), key, "another name");
    ASSERT_TRUE(first && again);
    EXPECT_EQ(first->device, "board-one");
    EXPECT_EQ(first->hub_keys, std::vector<Bytes>{home.ledger->signer().public_key()});
    EXPECT_TRUE(*again == *first);
}

TEST_F(FirstContactWithAHub, KeepsTheDeviceOfAKeyWhoseJournalIsNew) {
    ASSERT_TRUE(meet(journal("ab"), key, "board"));
    EXPECT_EQ(meet(journal("cd"), key, "elsewhere")->device, "board");
    EXPECT_EQ(home.ledger->catalog().device("board")->incarnations.size(), 2u);
}

TEST_F(FirstContactWithAHub, DeniesAKnownJournalToAnotherKey) {
    ASSERT_TRUE(meet(journal("ab"), key, "board"));
    const auto thief = meet(journal("ab"), other, "board");
    ASSERT_FALSE(thief);
    EXPECT_EQ(thief.error().code, Errc::denied);
}

TEST_F(FirstContactWithAHub, DeniesAKeyWithoutProofOfHoldingIt) {
    Json request = agent::contact_request(journal("ab"), *key.signer, "board").value();
    request.set("public_key", trust::public_key_pem(other.signer->public_key()));
    const auto answer = contact.answer(request);
    ASSERT_FALSE(answer);
    EXPECT_EQ(answer.error().code, Errc::denied);
    EXPECT_TRUE(home.ledger->catalog().devices().empty());
}

TEST_F(FirstContactWithAHub, DeniesARevokedKeyInAnyJournal) {
    ASSERT_TRUE(meet(journal("ab"), key, "board"));
    ASSERT_TRUE(home.ledger->append({RevokedBody{"board", {}, "me", "lost"}}));
    for (const char* digits : {"ab", "cd"}) {
        const auto answer = meet(journal(digits), key, "board");
        ASSERT_FALSE(answer) << digits;
        EXPECT_EQ(answer.error().what, kRevoked) << digits;
    }
}

TEST_F(FirstContactWithAHub, NeverHandsOutAnIdThatIsTaken) {
    const std::string digits = "0123456789abcde";
    std::set<std::string> ids;
    for (std::uint64_t i = 0; i < 14; ++i) {
        Key stranger(100 + i);
        // All journals begin with the same digits, as only somebody who means it can have it.
        const auto met = meet(journal(digits + to_hex(Bytes{std::uint8_t(i + 1)})), stranger, "x");
        if (!met) {
            EXPECT_EQ(met.error().code, Errc::conflict);
            continue;
        }
        EXPECT_TRUE(ids.insert(met->device).second) << met->device;
    }
    EXPECT_EQ(ids.size(), 13u);
}

}  // namespace
}  // namespace tributary::hub
