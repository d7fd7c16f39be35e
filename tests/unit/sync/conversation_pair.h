// Two conversations and a link between them.
#pragma once

#include <deque>
#include <optional>
#include <set>

#include "common/sync/conversation.h"
#include "tests/unit/sync/builders.h"

namespace tributary::sync {

inline ConversationOptions small_windows() {
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

    void start_agent(std::uint64_t seed, const ConversationOptions& options = small_windows()) {
        agent.emplace(Role::agent, options, seed);
    }
    void start_hub(std::uint64_t seed, const ConversationOptions& options = small_windows()) {
        hub.emplace(Role::hub, options, seed);
    }
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
            run_one();
        }
    }
    void run_one() {
        const bool up = !to_hub.empty();
        auto& queue = up ? to_hub : to_agent;
        const Bytes payload = std::move(queue.front());
        queue.pop_front();
        up ? step_hub(PayloadArrived{payload}) : step_agent(PayloadArrived{payload});
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
    std::vector<Trouble> hub_troubles;
    std::vector<PeerHello> hub_heard;
    std::uint32_t rest_ms = 0;  // that the agent says
    Status hello_status;        // what the agent's owner finds out about the hub's Hellos
    bool checks_wait = false;   // it takes its time
    std::optional<CheckHello> unchecked;

private:
    void agent_does(Action& action) {
        if (auto* out = std::get_if<Publish>(&action)) to_hub.push_back(out->payload);
        if (auto* ask = std::get_if<Describe>(&action)) {
            Hello hello;
            hello.rest_ms = rest_ms;
            step_agent(Described{ask->ticket, hello});
        }
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
        if (auto* peer = std::get_if<PeerHello>(&action)) hub_heard.push_back(*peer);
        if (auto* trouble = std::get_if<Trouble>(&action)) hub_troubles.push_back(*trouble);
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

inline std::vector<TestRecord> some_records() {
    return {make_record(1, 100), make_record(2, 20'000), make_record(3, 5'000), make_record(4, 1)};
}

}  // namespace tributary::sync
