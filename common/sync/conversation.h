// One end of the conversation with one peer: the session, a Sender and a Receiver behind one step
// function.
//
// Agent: Sender for the uplink, Receiver for pushes; opens sessions. Hub: one Conversation for each
// device, the other way round. Messages of other sessions are dropped and counted; a hub answers
// them with "say Hello again", so a hub that has restarted or an agent that missed something is
// found out at once. A session is an agreement about nothing but the present exchange: all that
// lasts is in the journals.
//
// Pure: no I/O, no clock, no entropy but the seed.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/random.h"
#include "common/sync/answer_budget.h"
#include "common/sync/events.h"
#include "common/sync/receiver.h"
#include "common/sync/sender.h"

namespace tributary::sync {

struct ConversationOptions {
    SenderOptions sender;
    ReceiverOptions receiver;
    LinkLimits limits;
    // Spoken here; both sides take the greatest that they have in common.
    std::uint16_t protocol_min = kProtocolMin;
    std::uint16_t protocol_max = kProtocol;
    std::uint64_t hello_retry_ms =
        1'000;  // agent: before Hello is repeated, doubled up to the next, full jitter
    std::uint64_t hello_retry_ms_max = 60'000;
    std::uint32_t heartbeat_ms =
        60'000;  // agent: Hello within an open session; finds a hub that has restarted
    // hub: Hellos, and messages of no session, that are answered.
    std::uint32_t answers_at_once = 40;
    std::uint32_t answer_every_ms = 500;
};

struct ConversationCounters {
    std::uint64_t other_session = 0;  // messages dropped
    std::uint64_t malformed = 0;      // payloads that did not verify
    std::uint64_t unproven = 0;       // agent: Hellos whose proof did not hold
    std::uint64_t early = 0;          // hub: messages before their session was proven; dropped
    std::uint64_t sessions = 0;       // opened
    std::uint64_t unanswered = 0;     // hub: Hellos dropped because too many came
    std::uint64_t published_bytes = 0;
};

// What a device's broker is to say for it when its connection ends (its MQTT will).
Bytes device_gone();

class Conversation {
public:
    // The seed must differ between nodes and between runs; session and plan ids and all jitter come
    // from it.
    Conversation(Role role, ConversationOptions options, std::uint64_t seed);

    Actions step(MonoTime now, Event event);  // never returns Send or Reopen
    std::optional<MonoTime> next_deadline() const;

    bool is_open() const { return state_ == State::open; }
    // When the other side was last heard of: a Hello that was checked, or a message of the session.
    std::optional<MonoTime> heard() const { return heard_; }
    const ConversationCounters& counters() const { return counters_; }
    const Sender& sender() const { return sender_; }
    const Receiver& receiver() const { return receiver_; }

private:
    enum class State { down, greeting, open };

    void on_tick();
    void on_payload(const PayloadArrived& event);
    void on_described(Described& event);
    void on_agent_hello(std::uint64_t nonce, Hello& hello);
    void ask_for_answer();
    void answer_caller(Described& event);
    void describe_self();
    std::uint64_t heard_boot() const { return state_ == State::open ? peer_boot_ : 0; }
    Hello ours();
    std::optional<std::uint64_t> boot_said(std::uint64_t nonce) const;
    std::uint64_t boot_for(std::uint64_t nonce);
    void on_hub_hello(std::uint64_t nonce, Hello& hello);
    void check_next_hello();
    void on_hello_checked(HelloChecked& event);
    void on_sound_hello(Hello& hello);
    void on_refuse(const Envelope& envelope);
    std::string refused_by_peer(RefuseReason reason, const std::string& text) const;
    void on_gone(const Envelope& envelope);
    void leave();
    void open(const Hello& peer);
    // nullopt: none.
    std::optional<std::uint16_t> protocol_in_common(const Hello& peer) const;
    std::string misfit(const Hello& peer) const;
    void close();
    void reopen(std::uint64_t spread_ms);
    void greet();
    void invite(std::uint32_t spread_ms);
    void publish(Channel channel, Body body);                            // in the open session
    void publish_in(std::uint64_t session, Channel channel, Body body);  // of the ground
    void publish_as(std::uint16_t protocol, std::uint64_t session, Channel channel, Body body);
    void run_sender(Event event);
    void run_receiver(Event event);
    void carry_out(Actions actions, Channel channel);
    Channel sends_on() const { return role_ == Role::agent ? Channel::uplink : Channel::push; }
    Channel receives_on() const { return role_ == Role::agent ? Channel::push : Channel::uplink; }

    Role role_;
    ConversationOptions options_;
    Random random_;
    AnswerBudget answers_;
    Sender sender_;
    Receiver receiver_;
    ConversationCounters counters_;
    Actions out_;
    MonoTime now_;

    State state_ = State::down;
    // Agent: for each life. Hub: of the open session; it says another one to each nonce, so that a
    // Hello which answers it is no older than that.
    std::uint64_t boot_ = 0;
    std::uint64_t nonce_ = 0;      // the agent's part of the session, in both sides' Hello
    std::uint64_t session_ = 0;    // while open
    std::uint16_t protocol_ = 0;   // likewise
    std::uint64_t peer_boot_ = 0;  // as of the open session
    std::uint32_t greetings_ = 0;  // in a row without an answer
    std::optional<MonoTime> deadline_;
    std::optional<MonoTime> heard_;
    Ticket last_ticket_ = 0;
    Ticket asked_ = 0;  // an unanswered Describe; 0: none

    Hello describing_;                  // agent: ours() of the Describe under way
    std::uint64_t describing_for_ = 0;  // and its nonce
    std::uint32_t number_ = 0;          // agent: of its last Hello; hub: of the last one believed
    bool met_ = false;                  // agent: the hub answers in the open session

    struct Caller {
        std::uint64_t nonce = 0;
        Hello hello;
        bool proves = false;
        bool asked = false;  // the Describe under way is for this one
        std::uint64_t boot = 0;
    };
    std::optional<Caller> caller_;  // hub: the Hello to be answered

    // Hub: what it said to whom has not proven itself yet; the oldest first.
    static constexpr std::size_t kAskersMax = 4;
    struct Asker {
        std::uint64_t nonce = 0;
        std::uint64_t boot = 0;
    };
    std::deque<Asker> askers_;

    struct Answer {
        std::uint64_t nonce = 0;
        Hello hello;
    };
    Ticket checking_ = 0;                // agent: an unanswered CheckHello; 0: none
    std::optional<Answer> answer_;       // the Hello that is being checked
    std::optional<Answer> next_answer_;  // the last that came meanwhile
};

}  // namespace tributary::sync
