#include "common/sync/conversation.h"

#include <gtest/gtest.h>

#include <deque>
#include <functional>
#include <set>

#include "tests/unit/sync/builders.h"

namespace tributary::sync {
namespace {

ConversationOptions small_windows() {
    ConversationOptions options;
    options.limits = {1024, 4};
    options.receiver.credit_bytes = 4096;
    return options;
}

// An agent with some records to send and a hub, joined by a link that carries messages in order and
// can be cut.
class Pair {
public:
    Pair() { start_agent(1), start_hub(2); }

    void start_agent(std::uint64_t seed) { agent.emplace(Role::agent, small_windows(), seed); }
    void start_hub(std::uint64_t seed) { hub.emplace(Role::hub, small_windows(), seed); }
    void connect() { step_agent(Connected{}); }

    // Until nothing moves; before message number `cut_at` the link drops with all that is on it,
    // and comes back.
    void run(std::size_t cut_at = SIZE_MAX) {
        while (!to_hub.empty() || !to_agent.empty()) {
            if (messages++ == cut_at) {
                to_hub.clear();
                to_agent.clear();
                step_agent(Disconnected{});
                step_agent(Connected{});
                continue;
            }
            auto& queue = to_hub.empty() ? to_agent : to_hub;
            const bool up = !to_hub.empty();
            const Bytes payload = std::move(queue.front());
            queue.pop_front();
            up ? step_hub(PayloadArrived{payload}) : step_agent(PayloadArrived{payload});
        }
    }
    void tick() {
        now = agent->next_deadline().value();
        step_agent(Tick{});
    }
    void step_agent(Event event) {
        for (Action& action : agent->step(now, std::move(event))) agent_does(action);
    }
    void step_hub(Event event) {
        for (Action& action : hub->step(now, std::move(event))) hub_does(action);
    }

    std::optional<Conversation> agent;
    std::optional<Conversation> hub;
    MonoTime now{1000};
    std::deque<Bytes> to_hub;
    std::deque<Bytes> to_agent;
    std::size_t messages = 0;
    std::vector<TestRecord> records;
    bool receipted = false;
    std::set<RecordKey> hub_holds;
    std::vector<PeerHello> agent_heard;
    std::vector<Assign> assigned;
    std::vector<Trouble> agent_troubles;
    Status hello_status;       // what the agent's owner finds out about the hub's Hellos
    bool checks_wait = false;  // it takes its time
    std::optional<CheckHello> unchecked;

private:
    void agent_does(Action& action) {
        if (auto* out = std::get_if<Publish>(&action)) to_hub.push_back(out->payload);
        if (auto* ask = std::get_if<Describe>(&action)) step_agent(Described{ask->ticket, {}});
        if (auto* ask = std::get_if<CheckHello>(&action)) {
            unchecked = *ask;
            if (!checks_wait) step_agent(HelloChecked{ask->ticket, hello_status});
        }
        if (auto* peer = std::get_if<PeerHello>(&action)) agent_heard.push_back(*peer);
        if (auto* trouble = std::get_if<Trouble>(&action)) agent_troubles.push_back(*trouble);
        if (auto* assign = std::get_if<AssignArrived>(&action))
            assigned.push_back(assign->documents);
        if (auto* ask = std::get_if<MakePlan>(&action))
            step_agent(Planned{ask->ticket, !receipted && !records.empty()});
        if (auto* ask = std::get_if<ReadPage>(&action)) {
            Page page;
            page.last = true;
            for (const TestRecord& record : records) page.objects.push_back(record.offered);
            step_agent(PageRead{ask->ticket, page});
        }
        if (auto* ask = std::get_if<ReadObject>(&action))
            for (const TestRecord& record : records)
                if (record.offered.key == ask->key)
                    return step_agent(ObjectRead{ask->ticket, record.frame});
        if (auto* ask = std::get_if<LogReceipt>(&action)) {
            receipted = true;
            step_agent(ReceiptLogged{ask->ticket, {}});
        }
    }
    void hub_does(Action& action) {
        if (auto* out = std::get_if<Publish>(&action)) to_agent.push_back(out->payload);
        if (auto* ask = std::get_if<Describe>(&action)) step_hub(Described{ask->ticket, {}});
        if (auto* ask = std::get_if<MakePlan>(&action)) step_hub(Planned{ask->ticket, false});
        if (auto* ask = std::get_if<Check>(&action)) {
            Checked checked{ask->ticket, {}};
            for (const OfferedObject& object : ask->objects)
                checked.held.push_back({hub_holds.contains(object.key), false});
            step_hub(checked);
        }
        if (auto* ask = std::get_if<Store>(&action)) {
            hub_holds.insert(ask->key);
            step_hub(Stored{ask->ticket, {}});
        }
        if (auto* ask = std::get_if<Commit>(&action))
            step_hub(Committed{ask->ticket, CommitResult{{1}, {}}});
    }
};

std::vector<TestRecord> some_records() {
    return {make_record(1, 100), make_record(2, 20'000), make_record(3, 5'000), make_record(4, 1)};
}

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
