// Whom the hub does not hear: a topic that is set aside, a board in quarantine.
#include "hub/intake/standing.h"

#include <algorithm>
#include <cerrno>

#include "common/hash/hash.h"
#include "common/trust/key_change.h"
#include "tests/support/random.h"
#include "tests/unit/hub/agent_end.h"
#include "tests/unit/hub/roll_out.h"

namespace tributary::hub {
namespace {

using test::AgentEnd;
using test::Board;
using test::HubHome;

class DeviceLinkThatCounts : public testing::Test {
protected:
    DeviceLinkThatCounts() { board.bind_at(*home.ledger); }
    static constexpr std::uint32_t kMost = 10;
    static constexpr std::uint64_t kAsideMs = Quarantine::kAsideMs;

    Board board{"a", 1};
    HubHome home{2};
    AgentEnd end{board, board.device(), *home.ledger, home.clock, 1, kMost};

    // As anybody can who reaches the board's topic.
    void send_junk(std::uint32_t times) {
        for (std::uint32_t i = 0; i < times; ++i) end.say(Bytes(40, 7));
    }
    // Under its own seal, as no sound agent does.
    void say_wrong_changes_of_key(std::uint32_t times) {
        test::SimEntropy entropy(60);
        const auto next = trust::generate_key(entropy).value();
        for (std::uint32_t i = 0; i < times; ++i) {
            KeyChangedBody body =
                trust::sign_key_change(board.signer(), *next, board.store().head().incarnation)
                    .value();
            body.by_new = body.by_old;
            board.say(body);
        }
        end.wake();
    }
    bool is_quarantined() { return !end.link().quarantine().why().empty(); }
    bool is_heard() { return end.link().quarantine().is_heard(end.now()); }
};

using DeviceLinkAndJunk = DeviceLinkThatCounts;

TEST_F(DeviceLinkAndJunk, SetsATopicAsideForAWhile) {
    end.connect();
    send_junk(kMost);
    EXPECT_TRUE(end.link().connected(end.now()));
    send_junk(1);
    EXPECT_FALSE(end.link().connected(end.now()));
    EXPECT_EQ(std::ranges::count(end.refused, SecurityEvent::quarantined), 1) << "operators";
    EXPECT_NE(end.link().status().last_trouble.find("set aside"), std::string::npos);
    ASSERT_FALSE(end.troubles.empty()) << "the board";
    EXPECT_NE(end.troubles.back().what.find("set aside"), std::string::npos);

    end.receipts.clear();
    board.commit("fleet/data", {{"x", "1"}});
    end.connect();
    end.wait(kAsideMs - 10'000);
    EXPECT_TRUE(end.receipts.empty());
}

TEST_F(DeviceLinkAndJunk, HearsTheBoardAgainByItself) {
    end.connect();
    send_junk(kMost + 1);
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});

    end.wait(kAsideMs + 70'000);

    ASSERT_FALSE(end.receipts.empty());
    EXPECT_EQ(end.receipts.back().whole, std::vector{version});
    EXPECT_TRUE(end.link().status().last_trouble.empty());
}

TEST_F(DeviceLinkAndJunk, HearsTheBoardAtOnceWhenAPersonSaysSo) {
    end.connect();
    send_junk(kMost + 1);
    const std::uint64_t entries = home.ledger->store().head().sequence;
    ASSERT_TRUE(end.link().release(end.now(), "operator"));
    end.wait(70'000);
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(home.ledger->store().head().sequence, entries + 1) << "who released it is on record";
}

// Whoever holds the broker goes on for hours, with all that he can make.
TEST_F(DeviceLinkAndJunk, TrustOfTheBrokersQuarantinesNoBoard) {
    end.connect();
    const Bytes stray =
        sync::encode_message({12345, sync::Channel::uplink, sync::Credit{1, 1, 1}}).value();
    end.twist_page = [&](sync::Page& page) {
        if (!page.entries.empty()) page.seal = Bytes(page.seal.size(), 1);
    };
    end.twist_record = [](Bytes& frame) { frame.back() ^= 1; };
    for (int quarter = 0; quarter < 24; ++quarter) {
        board.commit("fleet/data", {{"x", std::to_string(quarter)}});
        send_junk(kMost + 1);
        for (int i = 0; i < 60; ++i) end.say(stray);
        end.pass(kAsideMs);
    }
    EXPECT_GT(end.link().status().refused, 0u);
    EXPECT_EQ(home.ledger->catalog().device(board.device())->quarantine, "");

    end.twist_page = nullptr;
    end.twist_record = nullptr;
    end.receipts.clear();
    end.wait(kAsideMs + 150'000);
    EXPECT_FALSE(end.receipts.empty()) << "as soon as he ends";
}

TEST_F(DeviceLinkAndJunk, CountsThatOfAnHour) {
    end.connect();
    send_junk(kMost);
    end.pass(3'600'000);
    send_junk(kMost);
    EXPECT_TRUE(is_heard());
}

TEST_F(DeviceLinkAndJunk, AnswersAFloodWithOneMessageAQuarterOfAnHour) {
    send_junk(kMost + 1);
    const std::uint64_t before = end.link().status().sent_bytes;
    send_junk(1'000);
    EXPECT_EQ(end.link().status().sent_bytes, before);
}

TEST_F(DeviceLinkAndJunk, ManyMessagesOfSessionsThatAreOverCountAsOne) {
    end.connect();
    const Bytes stray =
        sync::encode_message({12345, sync::Channel::uplink, sync::Credit{1, 1, 1}}).value();
    for (int i = 0; i < 400; ++i) end.say(stray);
    EXPECT_TRUE(is_heard()) << "a link that breaks makes some";
    for (int i = 0; i < 400; ++i) end.say(stray);
    EXPECT_FALSE(is_heard());
}

TEST_F(DeviceLinkAndJunk, EndsAFloodOfHellos) {
    sync::Hello hello;
    std::uint64_t nonce = 0;
    const auto flood = [&](int hellos) {
        for (int i = 0; i < hellos; ++i)
            end.say(sync::encode_message({++nonce, sync::Channel::uplink, hello}).value());
    };
    flood(400);
    EXPECT_TRUE(is_heard());
    flood(400);
    EXPECT_FALSE(is_heard());
    EXPECT_LT(end.link().status().sent_bytes, 64 * limits::KiB);
}

// Somebody speaks for the board inside its open session, while a version is pushed to it.
class DeviceLinkAndAStorm : public DeviceLinkThatCounts {
protected:
    DeviceLinkAndAStorm() {
        std::string content(as_text(test::Random(1).bytes(200'000)));
        const VersionId first = board.commit("fleet/data", {{"x", content}});
        const Digest base = sha256(as_bytes(content));
        content[5] ^= 1;
        EXPECT_TRUE(board.store().stage_piece({as_bytes(content)}, Store::PieceBase{{base}, {}},
                                              codec::Level::standard));
        const VersionId second = board.commit("fleet/data", {{"x", content}}, {first});
        end.connect();
        end.listen_to_hub = [this](const Bytes& payload) {
            const sync::Envelope said = sync::parse_message(payload).value();
            if (const auto* offer = std::get_if<sync::Offer>(&said.body)) {
                session = said.session;
                offered = *offer;
                ++offers;
            }
            if (std::holds_alternative<sync::Data>(said.body)) ++frames;
        };
        end.disturb = [](std::deque<Bytes>& way) {  // the board itself hears nothing of it
            std::erase_if(way, [](const Bytes& payload) {
                const auto said = sync::parse_message(payload);
                return said && said->channel == sync::Channel::push &&
                       !std::holds_alternative<sync::Next>(said->body) &&
                       !std::holds_alternative<sync::Want>(said->body);
            });
        };
        test::roll_out(*home.ledger, home.clock, second, {board.device()});
        end.link().on_assigned(end.now());
        end.pass(0);
    }
    void say(sync::Channel channel, sync::Body body) {
        end.say(sync::encode_message({session, channel, std::move(body)}).value());
    }
    sync::Want want(std::uint32_t number) const {
        const std::size_t n = offered.objects.size();
        return {offered.plan, 0, number, std::vector<bool>(n, true), std::vector<bool>(n, true), 0,
                1000};
    }

    std::uint64_t session = 0;
    sync::Offer offered;
    int offers = 0;  // to it
    int frames = 0;
};

TEST_F(DeviceLinkAndAStorm, OfWantsSendsLittleAndSetsTheTopicAside) {
    ASSERT_EQ(offers, 1);
    for (std::uint32_t i = 1; i <= 1'000; ++i) say(sync::Channel::push, want(i));
    EXPECT_GT(frames, 0);
    EXPECT_LE(frames, 41);
    EXPECT_FALSE(is_heard());
    EXPECT_GT(end.link().status().refused, 500u);
}

TEST_F(DeviceLinkAndAStorm, OfNextsOffersLittleAndSetsTheTopicAside) {
    for (std::uint32_t i = 1; i <= 1'000; ++i)
        say(sync::Channel::push, sync::Next{offered.plan, 0, i});
    EXPECT_GT(offers, 1);
    EXPECT_LE(offers, 41);
    EXPECT_FALSE(is_heard());
}

TEST_F(DeviceLinkAndAStorm, OfOffersSetsTheTopicAside) {
    sync::Offer offer;
    offer.plan = 1'000;
    for (int i = 0; i < 1'000; ++i, ++offer.attempt) say(sync::Channel::uplink, offer);
    EXPECT_FALSE(is_heard());
}

TEST_F(DeviceLinkAndAStorm, HasNothingCodedOnTheLoop) {
    end.holds_beside = true;
    say(sync::Channel::push, want(1));
    EXPECT_EQ(end.beside.size(), 1u);
    for (std::uint32_t i = 2; i <= 30; ++i) say(sync::Channel::push, want(i));
    EXPECT_EQ(end.beside.size(), 1u) << "one at a time";
    EXPECT_EQ(frames, 0);
    end.work_beside();
    end.pass(0);
    end.work_beside();
    end.pass(0);
    EXPECT_GT(frames, 0);
}

// What a broker, or who listens there, recorded of a whole conversation.
TEST_F(DeviceLinkThatCounts, CountAConversationOfYesterdayAndTakeNothingOfIt) {
    std::vector<Bytes> recorded;
    end.listen = [&](const Bytes& payload) { recorded.push_back(payload); };
    board.commit("fleet/data", {{"x", std::string(as_text(test::Random(1).bytes(200'000)))}});
    end.connect();
    ASSERT_EQ(end.receipts.size(), 1u);
    ASSERT_GT(recorded.size(), 6u);
    end.listen = nullptr;
    end.disconnect();
    end.pass(86'400'000);
    end.connect();
    const std::uint64_t entries = home.ledger->store().head().sequence;
    const JournalHead held = home.ledger->held(board.store().head().incarnation);
    ASSERT_EQ(end.link().status().stray, 0u);

    for (const Bytes& payload : recorded) end.say(payload);

    EXPECT_GE(end.link().status().stray, recorded.size() - 2) << "all but its Hellos";
    EXPECT_TRUE(end.link().connected(end.now()));
    EXPECT_EQ(home.ledger->store().head().sequence, entries);
    EXPECT_EQ(home.ledger->held(board.store().head().incarnation).sequence, held.sequence);
    EXPECT_EQ(end.receipts.size(), 1u);

    for (int times = 0; times < 200 && is_heard(); ++times)
        for (const Bytes& payload : recorded) end.say(payload);
    EXPECT_FALSE(is_heard()) << "again and again";
}

using DeviceLinkThatQuarantines = DeviceLinkThatCounts;

TEST_F(DeviceLinkThatQuarantines, ReadsNothingMoreOfABoardThatSealsTooMuchThatIsWrong) {
    end.connect();
    say_wrong_changes_of_key(kMost);
    EXPECT_FALSE(is_quarantined());
    say_wrong_changes_of_key(1);
    EXPECT_TRUE(is_quarantined());
    EXPECT_FALSE(end.link().connected(end.now()));

    end.receipts.clear();
    board.commit("fleet/data", {{"x", "1"}});
    end.connect();
    end.wait(kAsideMs + 150'000);
    EXPECT_TRUE(end.receipts.empty());
    ASSERT_FALSE(end.troubles.empty());
    EXPECT_NE(end.troubles.back().what.find("quarantined"), std::string::npos);
}

TEST_F(DeviceLinkThatQuarantines, HearsADeviceAgainThatAPersonReleased) {
    end.connect();
    say_wrong_changes_of_key(kMost + 1);
    const VersionId version = board.commit("fleet/data", {{"x", "1"}});

    ASSERT_TRUE(end.link().release(end.now(), "operator"));
    end.wait(70'000);

    EXPECT_FALSE(is_quarantined());
    ASSERT_FALSE(end.receipts.empty());
    EXPECT_EQ(end.receipts.back().whole, std::vector{version});
}

TEST_F(DeviceLinkThatQuarantines, IsStillSoAfterTheHubHasStartedAnew) {
    end.connect();
    say_wrong_changes_of_key(kMost + 1);
    const std::string why = end.link().quarantine().why();
    ASSERT_FALSE(why.empty());

    home.reopen();
    EXPECT_EQ(home.ledger->catalog().device(board.device())->quarantine, why);
    AgentEnd later(board, board.device(), *home.ledger, home.clock, 5, kMost);
    board.commit("fleet/data", {{"x", "1"}});
    later.connect();
    later.wait(70'000);
    EXPECT_EQ(later.link().quarantine().why(), why);
    EXPECT_TRUE(later.receipts.empty());

    ASSERT_TRUE(later.link().release(later.now(), "operator"));
    home.reopen();
    EXPECT_EQ(home.ledger->catalog().device(board.device())->quarantine, "");
    AgentEnd at_last(board, board.device(), *home.ledger, home.clock, 9, kMost);
    at_last.connect();
    EXPECT_FALSE(at_last.receipts.empty());
}

TEST_F(DeviceLinkThatQuarantines, StaysSoWhenTheReleaseCannotBeWritten) {
    end.connect();
    say_wrong_changes_of_key(kMost + 1);
    home.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);
    EXPECT_FALSE(end.link().release(end.now(), "operator"));
    EXPECT_TRUE(is_quarantined());
}

TEST_F(DeviceLinkThatQuarantines, DoesNotBlameTheDeviceForADiskThatFailsHere) {
    end.connect();
    home.files.fail_call(test::SimFiles::Effect::sync, 1, EIO);
    board.commit("fleet/data", {{"x", "1"}});
    for (int hour = 0; hour < 20; ++hour) {
        end.connect();
        end.wait(180'000);
    }
    EXPECT_FALSE(end.link().status().last_trouble.empty());
    EXPECT_FALSE(is_quarantined());
    EXPECT_TRUE(is_heard());
}

}  // namespace
}  // namespace tributary::hub
