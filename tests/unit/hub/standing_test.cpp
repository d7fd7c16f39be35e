// Whom the hub does not hear: a topic that is set aside, a board in quarantine.
#include "hub/intake/standing.h"

#include <algorithm>
#include <cerrno>

#include "common/trust/key_change.h"
#include "tests/unit/hub/agent_end.h"

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
