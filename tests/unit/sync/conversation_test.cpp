#include "common/sync/conversation.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <array>

#include "tests/unit/sync/conversation_pair.h"

namespace tributary::sync {
namespace {

using testing::AllOf;
using testing::Gt;
using testing::Lt;

TEST(SyncConversation, DeliversEverythingOnceOverASoundLink) {
    Pair pair;
    pair.records = some_records();
    pair.connect();
    pair.run();
    EXPECT_TRUE(pair.receipted);
    EXPECT_EQ(pair.hub_holds.size(), 4u);
    std::size_t bytes = 0;
    for (const TestRecord& record : pair.records) bytes += record.frame.size();
    EXPECT_EQ(pair.agent->sender().counters().stream_bytes, bytes);
}

TEST(SyncConversation, CutAtAnyMessageCostsAtMostOneWindow) {
    std::size_t bytes = 0;
    for (const TestRecord& record : some_records()) bytes += record.frame.size();
    std::size_t cuts = 0;
    for (std::size_t cut_at = 1;; ++cut_at, ++cuts) {
        Pair pair;
        pair.records = some_records();
        pair.connect();
        pair.run(cut_at);
        ASSERT_TRUE(pair.receipted) << cut_at;
        EXPECT_LE(pair.agent->sender().counters().stream_bytes,
                  bytes + small_windows().receiver.credit_bytes)
            << cut_at;
        if (pair.messages <= cut_at) break;
    }
    EXPECT_GT(cuts, 20u);
}

TEST(SyncConversation, FindsAHubThatRestartedByTheNextHeartbeat) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.start_hub(3);
    pair.tick();
    pair.run();
    EXPECT_EQ(pair.agent->counters().sessions, 2u);
    EXPECT_TRUE(pair.hub->is_open());
}

TEST(SyncConversation, OpensNothingForAHelloThatIsNotThePinnedHubs) {
    Pair pair;
    pair.hello_status = fail(Errc::denied, "another hub");
    pair.records = some_records();
    pair.connect();
    pair.run();
    for (int i = 0; i < 10; ++i) pair.tick(), pair.run();
    EXPECT_FALSE(pair.agent->is_open());
    EXPECT_TRUE(pair.hub_holds.empty());
    EXPECT_TRUE(pair.agent_heard.empty());
    EXPECT_FALSE(pair.agent->heard());
    EXPECT_EQ(pair.agent->counters().unproven, 11u);
    ASSERT_FALSE(pair.agent_troubles.empty());
    EXPECT_TRUE(pair.agent_troubles[0].session);
}

TEST(SyncConversation, AFalseHelloWithinASessionChangesNothing) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.hello_status = fail(Errc::denied, "another hub");
    pair.start_hub(3);  // another boot: believed, it would end the session
    pair.tick();
    pair.run();
    EXPECT_TRUE(pair.agent->is_open());
    EXPECT_EQ(pair.agent->counters().sessions, 1u);
}

TEST(SyncConversation, WhileAHelloIsBeingCheckedNothingIsSent) {
    Pair pair;
    pair.checks_wait = true;
    pair.records = some_records();
    pair.connect();
    pair.run();
    EXPECT_FALSE(pair.agent->is_open());
    EXPECT_TRUE(pair.to_hub.empty());
    pair.checks_wait = false;
    pair.step_agent(HelloChecked{pair.unchecked->ticket, {}});
    pair.run();
    EXPECT_TRUE(pair.receipted);
}

TEST(SyncConversation, AHelloCheckedAfterItsSessionWasGivenUpOpensNothing) {
    Pair pair;
    pair.checks_wait = true;
    pair.connect();
    pair.run();
    const Ticket late = pair.unchecked->ticket;
    pair.step_agent(Disconnected{});
    pair.to_hub.clear();
    pair.step_agent(Connected{});
    pair.step_agent(HelloChecked{late, {}});
    EXPECT_FALSE(pair.agent->is_open());
    pair.checks_wait = false;
    pair.run();
    EXPECT_TRUE(pair.agent->is_open());
}

TEST(SyncConversation, ADeviceWhoseConnectionEndedIsNotInASession) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_hub(PayloadArrived{device_gone()});
    EXPECT_FALSE(pair.hub->is_open());
}

TEST(SyncConversation, AWillThatComesLateCostsOneNewSession) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_hub(PayloadArrived{device_gone()});
    pair.records = some_records();
    pair.step_agent(Wake{});
    pair.run();
    pair.tick();
    pair.run();
    EXPECT_TRUE(pair.receipted);
    EXPECT_TRUE(pair.hub->is_open());
}

TEST(SyncConversation, AHubThatLeavesEndsTheSessionAtBothSides) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_hub(Leave{});
    pair.run();
    EXPECT_FALSE(pair.hub->is_open());
    EXPECT_FALSE(pair.agent->is_open());
    ASSERT_EQ(pair.agent_troubles.size(), 1u);
    EXPECT_EQ(pair.agent_troubles[0].refused, RefuseReason::gone);
}

TEST(SyncConversation, AHubThatLeavesWhileItsHelloIsBeingCheckedIsNotThere) {
    Pair pair;
    pair.checks_wait = true;
    pair.connect();
    pair.run();
    const Ticket late = pair.unchecked->ticket;
    pair.step_hub(Leave{});
    pair.run();
    pair.step_agent(HelloChecked{late, {}});
    EXPECT_FALSE(pair.agent->is_open());
    ASSERT_EQ(pair.agent_troubles.size(), 1u);
    EXPECT_EQ(pair.agent_troubles[0].refused, RefuseReason::gone);
}

TEST(SyncConversation, GreetsAtOnceWhenARestartedHubKnowsNothingOfTheSession) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.start_hub(3);
    pair.records = some_records();
    pair.step_agent(Wake{});
    pair.run();
    pair.tick();  // the delay that spreads a fleet
    pair.run();
    EXPECT_TRUE(pair.receipted);
}

TEST(SyncConversation, InvitedByAHubThatStarted) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.start_hub(3);
    pair.step_hub(Connected{});
    pair.run();
    EXPECT_FALSE(pair.agent->is_open());
    pair.tick();
    pair.run();
    EXPECT_TRUE(pair.agent->is_open());
}

// When an agent of this seed, which was in a session, says Hello again.
std::uint64_t said_again_after_ms(std::uint64_t seed, const Bytes& refuse) {
    Pair pair;
    pair.start_agent(seed);
    pair.connect();
    pair.run();
    EXPECT_TRUE(pair.agent->is_open());
    pair.step_agent(PayloadArrived{refuse});
    EXPECT_FALSE(pair.agent->is_open());
    return pair.agent->next_deadline().value().ms - pair.now.ms;
}

TEST(SyncConversation, AFleetThatIsCalledAtOnceComesEvenlySpread) {
    constexpr std::uint32_t kSpreadMs = 80'000;
    Pair starting;
    starting.step_hub(Connected{kSpreadMs});
    const Bytes call = starting.to_agent.front();
    std::array<int, 8> of_eighth{};
    for (std::uint64_t seed = 1; seed <= 400; ++seed) {
        const std::uint64_t after_ms = said_again_after_ms(seed, call);
        ASSERT_LT(after_ms, kSpreadMs);
        ++of_eighth.at(static_cast<std::size_t>(after_ms / (kSpreadMs / 8)));
    }
    for (const int agents : of_eighth) EXPECT_THAT(agents, AllOf(Gt(25), Lt(75)));
}

TEST(SyncConversation, HellosThatNobodyAnswersAreRepeatedWithFullJitter) {
    std::uint64_t least = UINT64_MAX, most = 0;
    for (std::uint64_t seed = 1; seed <= 100; ++seed) {
        Pair pair;
        pair.start_agent(seed);
        pair.connect();
        for (int i = 0; i < 8; ++i) pair.tick();
        const std::uint64_t wait_ms = pair.agent->next_deadline().value().ms - pair.now.ms;
        least = std::min(least, wait_ms);
        most = std::max(most, wait_ms);
    }
    EXPECT_LT(least, 10'000u);
    EXPECT_GT(most, 50'000u);
    EXPECT_LE(most, 61'000u);
}

// Outside a session anybody who reaches the topic may have said it.
TEST(SyncConversation, NobodySilencesAnAgentForMoreThanTenMinutes) {
    for (const RefuseReason reason : {RefuseReason::unknown_session, RefuseReason::denied}) {
        const Bytes refuse =
            encode_message({0, Channel::push, Refuse{reason, 0, "", UINT32_MAX}}).value();
        std::uint64_t most = 0;
        for (std::uint64_t seed = 1; seed <= 20; ++seed)
            most = std::max(most, said_again_after_ms(seed, refuse));
        EXPECT_LE(most, 600'000u);
    }
}

TEST(SyncConversation, AHubBelievesARestOf25Hours) {
    constexpr std::uint32_t kBelievedMs = 25 * 3'600'000;
    Pair pair;
    pair.rest_ms = UINT32_MAX;
    pair.connect();
    pair.run();
    EXPECT_EQ(pair.hub_heard.back().hello.rest_ms, kBelievedMs);
    EXPECT_EQ(pair.hub->sender().tried_again(), pair.now + kBelievedMs);
}

TEST(SyncConversation, AHubBelievesAHeartbeatOf10sTo12h) {
    const std::map<std::uint32_t, std::uint32_t> believed{
        {0, 10'000}, {30'000, 30'000}, {UINT32_MAX, 12 * 3'600'000}};
    for (const auto& [said, ms] : believed) {
        ConversationOptions options;
        options.heartbeat_ms = said;
        Pair pair;
        pair.start_agent(1, options);
        pair.connect();
        pair.run();
        EXPECT_EQ(pair.hub_heard.back().hello.heartbeat_ms, ms);
    }
}

// Each takes what both can: of the greater end nothing may come that is too much for the smaller.
TEST(SyncConversation, TheSmallerLimitsOfTheTwoHold) {
    ConversationOptions small = small_windows(), great = small_windows();
    small.limits = {1024, 2};
    great.limits = {4096, 8};
    great.receiver.credit_bytes = small.receiver.credit_bytes = 64 * limits::KiB;
    for (const bool hub_is_small : {true, false}) {
        Pair pair;
        pair.start_agent(1, hub_is_small ? great : small);
        pair.start_hub(2, hub_is_small ? small : great);
        pair.records = some_records();
        pair.connect();
        std::size_t frames = 0;
        while (!pair.to_hub.empty() || !pair.to_agent.empty()) {
            for (const Bytes& payload : pair.to_hub) {
                const Envelope message = parse_message(payload).value();
                const auto* data = std::get_if<Data>(&message.body);
                if (data == nullptr) continue;
                ++frames;
                ASSERT_LE(data->bytes.size(), 1024u) << hub_is_small;
            }
            pair.run_one();
        }
        EXPECT_TRUE(pair.receipted);
        EXPECT_GT(frames, 25u);
    }
}

TEST(SyncConversation, DropsMessagesOfAnotherSession) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_agent(
        PayloadArrived{encode_message({99, Channel::push, make_offer(1, some_records())}).value()});
    EXPECT_EQ(pair.agent->counters().other_session, 1u);
    EXPECT_TRUE(pair.to_hub.empty());
}

TEST(SyncConversation, NothingOfAHubsEarlierLifeFitsEvenWhenItsHelloIsHeard) {
    Pair pair;
    pair.connect();
    const Bytes hello = pair.to_hub.front();
    pair.run();
    pair.start_hub(3);
    pair.step_hub(PayloadArrived{hello});  // a late copy opens a session the agent is not in
    pair.to_agent.pop_front();             // the answer is lost
    pair.step_hub(SendAssign{{{1}, {2}}});
    pair.run();
    EXPECT_TRUE(pair.assigned.empty());
}

TEST(SyncConversation, CarriesAnAssignment) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_hub(SendAssign{{{1}, {2}}});
    pair.run();
    EXPECT_EQ(the(pair.assigned), (Assign{{1}, {2}}));
}

TEST(SyncConversation, SurvivesBytesThatAreNoMessage) {
    Pair pair;
    pair.connect();
    pair.run();
    for (const Bytes& noise : {Bytes{}, Bytes(16), Bytes(200'000, 0xff)})
        pair.step_agent(PayloadArrived{noise});
    EXPECT_EQ(pair.agent->counters().malformed, 3u);
    EXPECT_TRUE(pair.agent->is_open());
}

}  // namespace
}  // namespace tributary::sync
