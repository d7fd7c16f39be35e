// What a hub believes of a board's word: whose key seals, who was revoked, and what a board knows
// of the hub's own history.
#include <algorithm>

#include "common/trust/hello.h"
#include "common/trust/key_change.h"
#include "hub/intake/device_link.h"
#include "hub/intake/history_check.h"
#include "tests/unit/hub/agent_end.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

class TrustDeviceLink : public testing::Test {
protected:
    TrustDeviceLink() { board.bind_at(*home.ledger); }
    AgentEnd agent(Board& of) { return AgentEnd(of, "a", *home.ledger, home.clock, ++seed); }
    const Bytes& key_in_force() {
        return *home.ledger->catalog().key_of(board.store().head().incarnation);
    }
    std::uint64_t held() { return home.ledger->held(board.store().head().incarnation).sequence; }

    Board board{"a", 1};
    HubHome home{2};
    std::uint64_t seed = 100;
};

// ---- key changes ----

TEST_F(TrustDeviceLink, FollowsAChangeOfKeyWithinOneOffer) {
    board.commit("fleet/data", {{"x", "1"}});
    board.change_key(50);
    board.commit("fleet/data", {{"x", "2"}});
    AgentEnd end = agent(board);

    end.connect();

    ASSERT_EQ(end.receipts.size(), 1u);
    EXPECT_EQ(held(), board.store().head().sequence);
    EXPECT_EQ(key_in_force(), board.signer().public_key());
    board.change_key(51);
    board.change_key(52);
    AgentEnd later = agent(board);
    later.connect();
    EXPECT_EQ(later.receipts.size(), 1u);
    EXPECT_EQ(key_in_force(), board.signer().public_key());
}

TEST_F(TrustDeviceLink, BelievesNoSealOfTheOldKeyAfterTheChange) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd old_end = agent(board);  // it seals with the key of now
    test::SimEntropy entropy(50);
    const auto next = trust::generate_key(entropy).value();
    board.say(
        trust::sign_key_change(board.signer(), *next, board.store().head().incarnation).value());

    old_end.connect();

    EXPECT_TRUE(old_end.receipts.empty());
    ASSERT_FALSE(old_end.troubles.empty());
    EXPECT_EQ(held(), 0u);
}

class TrustWrongKeyChange : public TrustDeviceLink {
protected:
    // Says it, seals with the key of before, and looks what came of it.
    void expect_no_change(const KeyChangedBody& body, std::string_view why) {
        const Bytes before = key_in_force();
        board.say(body);
        AgentEnd end = agent(board);
        end.connect();
        ASSERT_EQ(end.receipts.size(), 1u);  // what is sealed is kept
        EXPECT_EQ(held(), board.store().head().sequence);
        EXPECT_EQ(key_in_force(), before);
        EXPECT_EQ(end.link().status().refused, 1u);
        home.reopen();
        EXPECT_EQ(key_in_force(), before) << why;
    }
    KeyChangedBody change(trust::Signer& from) {
        return trust::sign_key_change(from, *next, board.store().head().incarnation).value();
    }

    test::SimEntropy entropy{60};
    std::unique_ptr<trust::Signer> next = trust::generate_key(entropy).value();
    std::unique_ptr<trust::Signer> thief = trust::generate_key(entropy).value();
};

TEST_F(TrustWrongKeyChange, ChangesNothingWithoutTheOldKeysWord) {
    KeyChangedBody body = change(board.signer());
    body.by_old = change(*thief).by_old;
    expect_no_change(body, "old");
}

TEST_F(TrustWrongKeyChange, ChangesNothingWithoutTheNewKeysWord) {
    KeyChangedBody body = change(board.signer());
    body.by_new = body.by_old;
    expect_no_change(body, "new");
}

TEST_F(TrustWrongKeyChange, ChangesNothingWhenItWasSaidInAnotherJournal) {
    Board other("b", 3);
    expect_no_change(
        trust::sign_key_change(board.signer(), *next, other.store().head().incarnation).value(),
        "replayed");
}

// ---- revocation ----

TEST_F(TrustDeviceLink, HearsARevokedDeviceNoMoreInTheMiddleOfASession) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.connect();
    ASSERT_TRUE(end.link().connected(end.now()));
    const std::uint64_t before = held();

    ASSERT_TRUE(home.ledger->append({RevokedBody{"a", {}, "me", "lost"}}));
    end.link().on_standing_changed(end.now());
    board.commit("fleet/data", {{"x", "2"}});
    end.pass(1000);
    end.wait(60'000);

    EXPECT_FALSE(end.link().connected(end.now()));
    EXPECT_EQ(held(), before);
    EXPECT_TRUE(std::ranges::any_of(end.troubles, [](const Error& error) {
        return error.what.find("revoked") != std::string::npos;
    }));
}

TEST_F(TrustDeviceLink, TakesNothingThatARevokedDeviceHasOnItsWay) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = [&](sync::Page&) {
        ASSERT_TRUE(home.ledger->append({RevokedBody{"a", {}, "me", "lost"}}));
    };

    end.connect();

    EXPECT_EQ(held(), 0u);
    EXPECT_TRUE(end.receipts.empty());
}

TEST_F(TrustDeviceLink, AnswersARevokedDeviceOnceWhateverItSends) {
    ASSERT_TRUE(home.ledger->append({RevokedBody{"a", {}, "me", "lost"}}));
    AgentEnd end = agent(board);
    int said = 0;
    end.overhear = [&](const sync::Body& body) {
        said += std::holds_alternative<sync::Refuse>(body);
    };
    for (int i = 0; i < 50; ++i) end.say(Bytes(100, 7));
    EXPECT_EQ(said, 1);
    EXPECT_EQ(end.link().status().revoked, 50u);
}

TEST_F(TrustDeviceLink, ListensToTheBoardThatReplacesAnotherAndNotToTheOtherOne) {
    board.commit("fleet/data", {{"x", "1"}});
    Board replacement("a", 9);
    ASSERT_TRUE(home.ledger->append({RevokedBody{"a", {}, "me", "replaced"},
                                     DeviceBoundBody{"a", replacement.store().head().incarnation,
                                                     replacement.signer().public_key()}}));

    AgentEnd old_end = agent(board);
    old_end.connect();
    EXPECT_FALSE(old_end.link().connected(old_end.now()));
    EXPECT_EQ(held(), 0u);
    EXPECT_GT(old_end.link().status().revoked, 0u);

    replacement.commit("fleet/data", {{"x", "2"}});
    AgentEnd end = agent(replacement);
    end.connect();
    EXPECT_EQ(end.receipts.size(), 1u);
}

// Its session goes on without a Hello: the seal itself is refused.
TEST_F(TrustDeviceLink, RefusesTheSealOfOneRevokedKey) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    end.twist_page = [&](sync::Page&) {
        ASSERT_TRUE(home.ledger->append(
            {RevokedBody{"a", trust::key_id(board.signer().public_key()), "me", "copied"}}));
    };
    end.connect();
    EXPECT_EQ(held(), 0u);
    EXPECT_EQ(end.link().status().revoked, 1u);
}

// ---- what both say of the hub ----

TEST_F(TrustDeviceLink, SaysTheTimeAndItsRootInEachHello) {
    AgentEnd end = agent(board);
    std::uint64_t time_ms = 0;
    end.overhear = [&](const sync::Body& body) {
        if (const auto* hello = std::get_if<sync::Hello>(&body)) time_ms = hello->time_ms;
    };
    end.connect();
    EXPECT_LE(time_ms, home.clock.wall().ms);
    EXPECT_GT(time_ms + 15 * 60'000, home.clock.wall().ms);
}

// ---- its Hello ----

class TrustBoardsHello : public TrustDeviceLink {
protected:
    void expect_nothing_is_believed(
        const std::function<void(sync::Hello&, std::uint64_t nonce)>& twist) {
        board.commit("fleet/data", {{"x", "1"}});
        AgentEnd end = agent(board);
        end.twist_signed_hello = twist;
        end.connect();
        EXPECT_FALSE(end.link().connected(end.now()));
        EXPECT_EQ(end.link().status().unproven, 1u);
        EXPECT_EQ(std::ranges::count(end.refused, SecurityEvent::board_unproven), 1);
        EXPECT_NE(end.link().status().last_trouble.find("not signed by the key"),
                  std::string::npos);
        EXPECT_EQ(end.link().status().other_history, "");
        EXPECT_TRUE(end.receipts.empty());
        ASSERT_FALSE(end.troubles.empty()) << "the board is told";
        EXPECT_EQ(end.troubles[0].code, Errc::denied);
    }
};

TEST_F(TrustBoardsHello, ThatIsNotSignedIsNotBelieved) {
    expect_nothing_is_believed([](sync::Hello& hello, std::uint64_t) { hello.proof.clear(); });
}

TEST_F(TrustBoardsHello, SignedByAnotherKeyIsNotBelieved) {
    Board thief("a", 9);
    expect_nothing_is_believed([&](sync::Hello& hello, std::uint64_t nonce) {
        hello.proof =
            thief.signer()
                .sign(trust::kAgentHelloPurpose, trust::agent_hello_digest(nonce, "a", hello))
                .value();
    });
}

TEST_F(TrustBoardsHello, SignedForAnotherSessionIsNotBelieved) {
    expect_nothing_is_believed([&](sync::Hello& hello, std::uint64_t nonce) {
        hello.proof =
            board.signer()
                .sign(trust::kAgentHelloPurpose, trust::agent_hello_digest(nonce + 1, "a", hello))
                .value();
    });
}

TEST_F(TrustBoardsHello, WhoseWitnessWasChangedIsNotBelieved) {
    expect_nothing_is_believed([](sync::Hello& hello, std::uint64_t) {
        hello.witness = {hello.head.incarnation, 1'000'000, {}};
    });
}

TEST_F(TrustBoardsHello, WhoseRestWasChangedIsNotBelieved) {
    expect_nothing_is_believed([](sync::Hello& hello, std::uint64_t) { hello.rest_ms = 1; });
}

TEST_F(TrustBoardsHello, WithAStrangersChangeOfKeyIsNotBelieved) {
    Board thief("a", 9);
    expect_nothing_is_believed([&](sync::Hello& hello, std::uint64_t nonce) {
        hello.key_changes = {encode_body(
            trust::sign_key_change(thief.signer(), thief.signer(), hello.head.incarnation)
                .value())};
        hello.proof =
            thief.signer()
                .sign(trust::kAgentHelloPurpose, trust::agent_hello_digest(nonce, "a", hello))
                .value();
    });
}

// Whoever taps the broker has all that a board ever said, and says it again.
TEST_F(TrustBoardsHello, RepeatedLaterCostsAnAnswerAndNothingElse) {
    board.commit("fleet/data", {{"x", "1"}});
    AgentEnd end = agent(board);
    std::vector<Bytes> tapped;
    end.listen = [&](const Bytes& payload) { tapped.push_back(payload); };
    end.connect();
    ASSERT_TRUE(end.link().connected(end.now()));
    const std::vector<Bytes> first_session = std::exchange(tapped, {});
    end.link().on_standing_changed(end.now());  // which ends it, and invites the board
    end.wait(60'000);
    ASSERT_TRUE(end.link().connected(end.now()));
    const std::vector<Bytes> this_session = std::exchange(tapped, {});
    end.troubles.clear();
    const LinkStatus before = end.link().status();
    std::size_t said = 0, repeated = 0;
    end.overhear = [&](const sync::Body& body) {
        ASSERT_TRUE(std::holds_alternative<sync::Hello>(body) ||
                    std::holds_alternative<sync::Refuse>(body));
        ++said;
    };

    for (const auto& session : {first_session, this_session})
        for (const Bytes& payload : session)
            if (std::holds_alternative<sync::Hello>(sync::parse_message(payload)->body)) {
                end.say(payload);
                ++repeated;
            }

    EXPECT_GE(repeated, 4u);
    EXPECT_EQ(said, repeated);
    EXPECT_TRUE(tapped.empty()) << "the board has nothing to say to that";
    EXPECT_TRUE(end.troubles.empty());
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(end.link().status().other_history, before.other_history);
    EXPECT_EQ(end.link().status().rests_until, before.rests_until);
    end.overhear = nullptr;
    board.commit("fleet/data", {{"x", "2"}});
    end.wake();
    EXPECT_EQ(end.receipts.size(), 2u) << "in the session that was open all the time";
}

TEST_F(TrustBoardsHello, AnOldOneOpensNothingAtAHubThatHasStartedAnewEither) {
    AgentEnd end = agent(board);
    std::vector<Bytes> tapped;
    end.listen = [&](const Bytes& payload) { tapped.push_back(payload); };
    end.connect();
    ASSERT_TRUE(end.link().connected(end.now()));
    AgentEnd restarted = agent(board);
    for (const Bytes& payload : tapped) restarted.say(payload);
    EXPECT_FALSE(restarted.link().connected(restarted.now()));
}

// A hub that was put back believes the key of then; the board shows how it came to the one of now.
TEST_F(TrustBoardsHello, ByANewKeyIsBelievedOfAHubThatNeverHeardOfIt) {
    board.change_key(50);
    board.change_key(51);
    AgentEnd end = agent(board);
    end.connect();
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(end.link().status().unproven, 0u);
}

TEST_F(TrustBoardsHello, OfAJournalThatNobodyBoundSendsTheBoardToItsFirstContact) {
    Board stranger("a", 9);
    AgentEnd end = agent(stranger);
    end.connect();
    EXPECT_FALSE(end.link().connected(end.now()));
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_NE(end.troubles[0].what.find("unknown_device"), std::string::npos);
    EXPECT_EQ(end.link().status().unproven, 0u) << "nobody knows who should have signed it";
}

class TrustHubsHistory : public TrustDeviceLink {
protected:
    sync::JournalPoint point() {
        const JournalHead head = home.ledger->store().head();
        return {head.incarnation, head.sequence, head.hash};
    }
    std::string trouble_with(const sync::JournalPoint& shown) {
        AgentEnd end = agent(board);
        end.twist_hello = [&](sync::Hello& hello) { hello.witness = shown; };
        end.connect();
        EXPECT_EQ(end.link().status().other_history, contradiction(*home.ledger, shown).value());
        return end.link().status().other_history;
    }
};

TEST_F(TrustHubsHistory, IsTheOneThatTheBoardSaw) {
    const sync::JournalPoint early = point();
    ASSERT_TRUE(home.ledger->append({RetiredBody{"a", false, "me"}}));
    EXPECT_EQ(trouble_with(early), "");
    EXPECT_EQ(trouble_with(point()), "");
    EXPECT_EQ(trouble_with({}), "");
}

TEST_F(TrustHubsHistory, ThatWasRewrittenShows) {
    sync::JournalPoint shown = point();
    shown.hash.digest.bytes[0] ^= 1;
    EXPECT_NE(trouble_with(shown).find("rewritten or put back"), std::string::npos);
}

TEST_F(TrustHubsHistory, ThatWasPutBackShows) {
    sync::JournalPoint shown = point();
    shown.sequence += 1;
    EXPECT_NE(trouble_with(shown).find("which ends at"), std::string::npos);
}

TEST_F(TrustHubsHistory, ThatWasBegunAnewShows) {
    sync::JournalPoint shown = point();
    shown.incarnation.bytes.fill(7);
    EXPECT_NE(trouble_with(shown).find("never wrote"), std::string::npos);
}

TEST_F(TrustHubsHistory, MayLackWhatAnHonestRestoreLost) {
    sync::JournalPoint lost = point();
    lost.sequence += 5;
    sync::JournalPoint rewritten = point();
    rewritten.hash.digest.bytes[0] ^= 1;
    home.ledger.reset();
    home.ledger = Ledger::open(home.files, home.clock, home.entropy, "hub", test::in_memory_index(),
                               Epoch::next)
                      .value();
    EXPECT_EQ(trouble_with(lost), "");
    EXPECT_NE(trouble_with(rewritten), "");
}

TEST_F(TrustHubsHistory, ThatARestoreLostIsToldToTheOperator) {
    sync::JournalPoint lost = point();
    lost.sequence += 5;
    const sync::JournalPoint kept = point();
    EXPECT_EQ(lost_history(*home.ledger, lost), "") << "no restore: that is another matter";
    home.ledger.reset();
    home.ledger = Ledger::open(home.files, home.clock, home.entropy, "hub", test::in_memory_index(),
                               Epoch::next)
                      .value();
    AgentEnd end = agent(board);
    end.twist_hello = [&](sync::Hello& hello) { hello.witness = lost; };
    end.connect();
    EXPECT_NE(end.link().status().lost_history.find("up to entry " + std::to_string(lost.sequence) +
                                                    ", and this store ends at " +
                                                    std::to_string(kept.sequence)),
              std::string::npos)
        << end.link().status().lost_history;
    EXPECT_EQ(lost_history(*home.ledger, kept), "");
}

TEST_F(TrustHubsHistory, OfTheEpochOfNowIsNotToldAsLost) {
    home.ledger.reset();
    home.ledger = Ledger::open(home.files, home.clock, home.entropy, "hub", test::in_memory_index(),
                               Epoch::next)
                      .value();
    ASSERT_TRUE(home.ledger->append({RevokedBody{"b", {}, "me", "lost"}}));
    sync::JournalPoint shown;
    AgentEnd end = agent(board);
    end.twist_hello = [&](sync::Hello& hello) { hello.witness = shown; };
    board.commit("fleet/data", {{"x", "1"}});
    end.connect();
    ASSERT_EQ(end.receipts.size(), 1u);
    shown = point();  // as the receipt said
    end.link().on_standing_changed(end.now());
    end.wait(60'000);
    ASSERT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(lost_history(*home.ledger, shown), "");
    EXPECT_EQ(end.link().status().lost_history, "");
    EXPECT_EQ(end.link().status().other_history, "");
}

}  // namespace
}  // namespace tributary::hub
