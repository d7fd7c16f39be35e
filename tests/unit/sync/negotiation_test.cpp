// Which protocol two ends speak that are not of the same release, and what they say when there is
// none.
#include <gmock/gmock.h>

#include "tests/unit/sync/conversation_pair.h"

namespace tributary::sync {
namespace {

using testing::HasSubstr;

constexpr std::uint16_t kBefore = kProtocol - 1;
constexpr std::uint16_t kNext = kProtocol + 1;

ConversationOptions speaking(std::uint16_t min, std::uint16_t max) {
    ConversationOptions options = small_windows();
    options.protocol_min = min;
    options.protocol_max = max;
    return options;
}

// The other end is made up: of a release that may never be.
Bytes hello_of(Role role, std::uint16_t min, std::uint16_t max, std::uint64_t nonce = 5,
               std::uint64_t answers = 0) {
    Hello hello;
    hello.answers = answers;
    hello.number = answers == 0 ? 1 : 2;
    hello.role = role;
    hello.protocol_min = min;
    hello.protocol_max = max;
    hello.boot = 77;
    return encode_message({nonce, Channel::uplink, hello}).value();
}

Envelope the_message(const std::deque<Bytes>& messages) {
    EXPECT_EQ(messages.size(), 1u);
    return parse_message(messages.front()).value();
}

TEST(SyncNegotiation, AHubTakesAnAgentOfTheReleaseBeforeAndOfTheNext) {
    for (const auto& [min, max] : {std::pair(kBefore, kProtocol), std::pair(kProtocol, kNext)}) {
        Pair pair;
        pair.step_hub(PayloadArrived{hello_of(Role::agent, min, max)});
        const auto answer = std::get<Hello>(the_message(pair.to_agent).body);
        pair.step_hub(PayloadArrived{hello_of(Role::agent, min, max, 5, answer.boot)});
        EXPECT_TRUE(pair.hub->is_open()) << min << " to " << max;
        EXPECT_EQ(answer.protocol_min, kProtocolMin);
        EXPECT_EQ(answer.protocol_max, kProtocol);
    }
}

TEST(SyncNegotiation, AnAgentTakesAHubOfTheReleaseBeforeAndOfTheNext) {
    for (const auto& [min, max] : {std::pair(kBefore, kProtocol), std::pair(kProtocol, kNext)}) {
        Pair pair;
        pair.connect();
        const std::uint64_t nonce = the_message(pair.to_hub).session;
        pair.step_agent(PayloadArrived{hello_of(Role::hub, min, max, nonce)});
        EXPECT_TRUE(pair.agent->is_open()) << min << " to " << max;
        EXPECT_TRUE(pair.agent_troubles.empty());
    }
}

TEST(SyncNegotiation, WithoutANumberInCommonTheHubRefusesAndPeopleAtBothEndsReadWhy) {
    Pair pair;
    pair.start_agent(1, speaking(kNext, kNext + 1));
    pair.connect();
    pair.run();
    EXPECT_FALSE(pair.hub->is_open());
    EXPECT_FALSE(pair.agent->is_open());
    EXPECT_EQ(the(pair.agent_troubles).refused, RefuseReason::protocol);
    for (const auto& troubles : {pair.agent_troubles, pair.hub_troubles})
        EXPECT_THAT(the(troubles).error.what,
                    HasSubstr("the hub speaks 1, this agent 2 to 3; install a newer hub"));
}

TEST(SyncNegotiation, AnAgentThatIsTooOldIsToldSo) {
    Pair pair;
    pair.start_hub(2, speaking(kNext, kNext + 1));
    pair.connect();
    pair.run();
    EXPECT_THAT(the(pair.agent_troubles).error.what,
                HasSubstr("the hub speaks 2 to 3, this agent 1; install a newer agent"));
}

TEST(SyncNegotiation, AnAgentOpensNothingWithAHubThatShouldHaveRefused) {
    Pair pair;
    pair.connect();
    const std::uint64_t nonce = the_message(pair.to_hub).session;
    pair.step_agent(PayloadArrived{hello_of(Role::hub, kNext, kNext + 1, nonce)});
    EXPECT_FALSE(pair.agent->is_open());
    EXPECT_THAT(the(pair.agent_troubles).error.what, HasSubstr("no protocol in common"));
}

// All that is said after the Hellos is in the greatest number that both have.
TEST(SyncNegotiation, BothTakeTheGreatestNumberInCommon) {
    struct Case {
        ConversationOptions agent, hub;
        std::uint16_t spoken;
    };
    for (const Case& each :
         {Case{speaking(1, 2), speaking(1, 1), 1},  // hub first to be upgraded,
          Case{speaking(1, 1), speaking(1, 2), 1},  // or the agent
          Case{speaking(1, 2), speaking(2, 3), 2}, Case{speaking(1, 9), speaking(1, 9), 9}}) {
        Pair pair;
        pair.start_agent(1, each.agent);
        pair.start_hub(2, each.hub);
        pair.records = some_records();
        pair.connect();
        std::set<std::uint16_t> spoken;
        while (!pair.to_hub.empty() || !pair.to_agent.empty()) {
            for (const auto* queue : {&pair.to_hub, &pair.to_agent})
                for (const Bytes& payload : *queue) {
                    const Envelope message = parse_message(payload).value();
                    if (std::holds_alternative<Hello>(message.body))
                        EXPECT_EQ(message.protocol, kProtocolOfGround);
                    else
                        spoken.insert(message.protocol);
                }
            pair.run_one();
        }
        EXPECT_TRUE(pair.receipted);
        EXPECT_EQ(spoken, std::set{each.spoken});
    }
}

TEST(SyncNegotiation, AMessageOfAnotherProtocolThanAgreedIsDropped) {
    Pair pair;
    pair.connect();
    pair.run();
    pair.step_hub(SendAssign{{{1}, {2}}});
    Envelope message = the_message(pair.to_agent);
    pair.to_agent.clear();
    message.protocol = kNext;
    pair.step_agent(PayloadArrived{encode_message(message).value()});
    EXPECT_TRUE(pair.assigned.empty());
    EXPECT_EQ(pair.agent->counters().other_session, 1u);
}

TEST(SyncNegotiation, FeatureBitsThatNobodyKnowsMeanNothing) {
    Pair pair;
    Hello hello;
    hello.features = ~std::uint64_t{0};
    pair.step_hub(PayloadArrived{encode_message({5, Channel::uplink, hello}).value()});
    hello.answers = std::get<Hello>(the_message(pair.to_agent).body).boot;
    hello.number = 1;
    pair.to_agent.clear();
    pair.step_hub(PayloadArrived{encode_message({5, Channel::uplink, hello}).value()});
    EXPECT_TRUE(pair.hub->is_open());
    EXPECT_EQ(the(pair.hub_heard).hello.features, ~std::uint64_t{0});
    EXPECT_EQ(pair.to_agent.size(), 1u);
}

// ---- a flood ----

TEST(SyncFlood, OfHellosGetsFewAnswers) {
    Pair pair;
    for (std::uint64_t nonce = 1; nonce <= 10'000; ++nonce)
        pair.step_hub(PayloadArrived{hello_of(Role::agent, kProtocol, kProtocol, nonce)});
    EXPECT_EQ(pair.to_agent.size(), ConversationOptions{}.answers_at_once);
    EXPECT_EQ(pair.hub->counters().unanswered, 10'000u - ConversationOptions{}.answers_at_once);

    pair.now = pair.now + 2 * ConversationOptions{}.answer_every_ms;
    pair.to_agent.clear();
    for (std::uint64_t nonce = 1; nonce <= 100; ++nonce)
        pair.step_hub(PayloadArrived{hello_of(Role::agent, kProtocol, kProtocol, nonce)});
    EXPECT_EQ(pair.to_agent.size(), 2u) << "they grow back one by one";
}

TEST(SyncFlood, OfMessagesOfNoSessionGetsFewAnswers) {
    Pair pair;
    const Bytes stray = encode_message({9, Channel::uplink, Credit{1, 1, 1}}).value();
    for (int i = 0; i < 10'000; ++i) pair.step_hub(PayloadArrived{stray});
    EXPECT_EQ(pair.to_agent.size(), ConversationOptions{}.answers_at_once);
    EXPECT_EQ(pair.hub->counters().other_session, 10'000u);
}

// Whose own messages were among the many is heard as soon as there are fewer.
TEST(SyncFlood, IsOverForASoundAgentWhenItEnds) {
    Pair pair;
    for (std::uint64_t nonce = 1; nonce <= 1'000; ++nonce)
        pair.step_hub(PayloadArrived{hello_of(Role::agent, kProtocol, kProtocol, nonce)});
    pair.to_agent.clear();
    pair.connect();
    pair.run();
    EXPECT_FALSE(pair.agent->is_open());
    pair.tick();
    pair.run();
    EXPECT_TRUE(pair.agent->is_open());
}

}  // namespace
}  // namespace tributary::sync
