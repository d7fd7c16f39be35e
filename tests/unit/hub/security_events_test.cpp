// What a hub refuses is in its journal, by device where that is proven, and counted; and what
// boards say they refused is told apart from it.
#include <algorithm>
#include <cerrno>

#include "common/trust/seal.h"
#include "hub/store/security_log.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

constexpr std::uint64_t kDayMs = 86'400'000;

class TrustHubsEvents : public testing::Test {
protected:
    TrustHubsEvents() { board.bind_at(*home.ledger); }
    std::vector<SecurityEventBody> said() {
        std::vector<SecurityEventBody> found;
        Store& store = home.ledger->store();
        EXPECT_TRUE(store.read_entries(store.head().incarnation, 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain).value();
            const auto body = parse_body(entry.header.kind, entry.body).value();
            if (const auto* one = std::get_if<SecurityEventBody>(&body)) found.push_back(*one);
            return true;
        }));
        return found;
    }
    AgentEnd agent(const std::string& as = "a") {
        return AgentEnd(board, as, *home.ledger, home.clock, ++seed);
    }

    Board board{"a", 1};
    HubHome home{2};
    std::uint64_t seed = 100;
};

TEST_F(TrustHubsEvents, StandInItsJournalOnceADayForEachDevice) {
    SecurityLog log(*home.ledger, home.clock, {0});
    for (int i = 0; i < 300; ++i) log.note({0}, {"bad_seal", "a", "by another key", ""});
    log.note({0}, {"door_csr", "", "no request", "192.0.2.7"});
    ASSERT_EQ(said().size(), 2u);
    EXPECT_EQ(said()[0], (SecurityEventBody{"bad_seal", "a", 1, "by another key", ""}));
    EXPECT_EQ(said()[1], (SecurityEventBody{"door_csr", "", 1, "no request", "192.0.2.7"}));
    log.flush({kDayMs});
    ASSERT_EQ(said().size(), 3u);
    EXPECT_EQ(said()[2].count, 299u);
    EXPECT_EQ(log.counted().at("bad_seal"), 300u);
    const Device& device = *home.ledger->catalog().device("a");
    EXPECT_EQ(device.refused_here.at("bad_seal").count, 300u);
    EXPECT_EQ(home.ledger->catalog().strangers().at("door_csr").address, "192.0.2.7");
}

TEST_F(TrustHubsEvents, OfStrangersShareOneLaneAKind) {
    SecurityLog log(*home.ledger, home.clock, {0});
    for (int i = 0; i < 2000; ++i)
        log.note({0}, {"door_proof", "", "x", "192.0.2." + std::to_string(i)});
    EXPECT_EQ(said().size(), 1u);
}

TEST_F(TrustHubsEvents, AreNoMoreAfterARestart) {
    SecurityLog(*home.ledger, home.clock, {0}).note({0}, {"bad_seal", "a", "x", ""});
    home.reopen();
    EXPECT_EQ(home.ledger->catalog().device("a")->refused_here.at("bad_seal").count, 1u);
    SecurityLog(*home.ledger, home.clock, {0}).note({0}, {"bad_seal", "a", "x", ""});
    EXPECT_EQ(said().size(), 1u);
}

TEST_F(TrustHubsEvents, GoOnCountingWhenTheStoreFails) {
    SecurityLog log(*home.ledger, home.clock, {0});
    home.files.fail_call(test::SimFiles::Effect::append, 1, ENOSPC);
    log.note({0}, {"bad_seal", "a", "x", ""});
    EXPECT_EQ(log.counted().at("bad_seal"), 1u);
    EXPECT_TRUE(said().empty());
    log.flush({3'600'000});
    EXPECT_TRUE(said().empty()) << "a store that failed is closed until the hub starts anew";
    home.reopen();
    SecurityLog(*home.ledger, home.clock, {0}).note({0}, {"bad_seal", "a", "x", ""});
    EXPECT_EQ(said().size(), 1u) << "and no day has to pass for what was not written";
}

// ---- which ----

class TrustHubsEventsOfSeals : public TrustHubsEvents {
protected:
    // What the hub refuses when entries of board "a" are under a seal by this key.
    std::vector<SecurityEvent> refused_under(trust::Signer& key) {
        board.commit("fleet/data", {{"x", "1"}});
        AgentEnd end = agent();
        end.twist_page = [&](sync::Page& page) {
            if (page.entries.empty()) return;
            const EntryView last = parse_entry(page.entries.back()).value();
            page.seal =
                trust::seal_head(key, last.header.incarnation, last.header.sequence, last.hash)
                    .value();
        };
        end.connect();
        return end.refused;
    }
};

TEST_F(TrustHubsEventsOfSeals, AKeyThatNobodyKnows) {
    test::SimEntropy entropy(9);
    const auto thief = trust::generate_key(entropy).value();
    EXPECT_EQ(refused_under(*thief), std::vector{SecurityEvent::bad_seal});
}

TEST_F(TrustHubsEventsOfSeals, TheKeyOfAnotherDevice) {
    Board other("b", 3);
    other.bind_at(*home.ledger);
    EXPECT_EQ(refused_under(other.signer()), std::vector{SecurityEvent::bad_seal});
}

TEST_F(TrustHubsEvents, AJournalOfAnotherDevice) {
    Board other("b", 3);
    other.bind_at(*home.ledger);
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent("b");
    end.connect();
    ASSERT_FALSE(end.refused.empty());
    EXPECT_EQ(end.refused.front(), SecurityEvent::foreign_journal);
}

TEST_F(TrustHubsEvents, AMessageThatIsNone) {
    AgentEnd end = agent();
    end.say(Bytes{1, 2, 3});
    EXPECT_EQ(end.refused, std::vector{SecurityEvent::malformed_message});
}

TEST_F(TrustHubsEvents, ARevokedDeviceThatSpeaks) {
    ASSERT_TRUE(home.ledger->append({RevokedBody{"a", {}, "me", "lost"}}));
    AgentEnd end = agent();
    end.connect();
    ASSERT_FALSE(end.refused.empty());
    EXPECT_EQ(end.refused.front(), SecurityEvent::revoked);
}

TEST_F(TrustHubsEvents, AHistoryThatThisHubDoesNotHave) {
    AgentEnd end = agent();
    end.twist_hello = [&](sync::Hello& hello) {
        const JournalHead own = home.ledger->store().head();
        hello.witness = {own.incarnation, own.sequence + 5, own.hash};
    };
    end.connect();
    EXPECT_EQ(end.refused, std::vector{SecurityEvent::history_contradicted});
}

// ---- of boards ----

TEST_F(TrustHubsEvents, OfBoardsAreTheBoardsWord) {
    board.say(SecurityEventBody{"hub_unproven", "", 5, "who answers", ""});
    board.say(SecurityEventBody{"hub_unproven", "b", 7, "and again", ""});
    board.bring_to(*home.ledger);
    const Device& device = *home.ledger->catalog().device("a");
    EXPECT_TRUE(device.refused_here.empty());
    EXPECT_EQ(device.refused_by_it.at("hub_unproven").count, 12u);
    EXPECT_EQ(device.refused_by_it.at("hub_unproven").detail, "and again");
}

TEST_F(TrustHubsEvents, OfBoardsTakeNoMoreRoomThanThereIsForThem) {
    for (int i = 0; i < 200; ++i)
        board.say(SecurityEventBody{"made_up_" + std::to_string(i), "", UINT64_MAX, "", ""});
    board.bring_to(*home.ledger);
    const Device& device = *home.ledger->catalog().device("a");
    EXPECT_LE(device.refused_by_it.size(), Catalog::kEventsMax + 1);
    EXPECT_EQ(device.refused_by_it.at("other").count, UINT64_MAX);
}

}  // namespace
}  // namespace tributary::hub
