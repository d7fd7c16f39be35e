// The agent's end of the conversation with the hub: the owner that carries out what the engine
// wants done, over the store and the transport.
//
// Uplink: plans, pages and frames come from Uplink; a receipt is logged before the engine goes on.
// Push: objects are stored only while the installer expects them, and the version is said to be
// whole only after the commit. On the loop's thread; the store is reached through the queue.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "agent/sync/link_budget.h"
#include "agent/sync/push_size.h"
#include "agent/sync/security_log.h"
#include "agent/sync/store_queue.h"
#include "agent/sync/uplink.h"
#include "common/env/loop.h"
#include "common/sync/conversation.h"
#include "common/sync/link_rate.h"

namespace tributary::agent {

class HubLink {
public:
    struct Events {
        std::function<void(Bytes payload, Priority priority)> publish;
        // The hub does not know us, or not any more: it said so, or it has said nothing for three
        // heartbeats although the broker is there. The first contact is to be made again.
        std::function<void()> unknown_to_hub;
        // Who answers does not prove to be a hub whose key we know: perhaps it has another since.
        std::function<void()> unproven;
        // A session is open: the pinned hub is there.
        std::function<void()> opened;
        std::function<void()> closed;  // it ended
        // At each Hello of the hub: in which epoch it is, and where it writes.
        std::function<void(std::uint64_t epoch, const Incarnation& journal)> hub_met;
        // The hub holds another history of our journal: we cannot go on in it, and nothing is
        // offered. Said again with each Hello.
        std::function<void(const Error& why)> split;
        // A receipt is in the log.
        std::function<void(const Receipt& receipt)> receipted;
        std::function<void(sync::Assign documents)> assign_arrived;
        // See agent/update/installer.h.
        std::function<bool()> deciding;
        std::function<bool()> expects_push;
        std::function<bool(const VersionId& version)> admits;
        std::function<void(const VersionId& version)> version_whole;
        std::function<void(const PushSize& size)> push_offered;  // before any of it comes
        // On the worker: makes what came of a push durable, and keeps the beginning of the record
        // that follows in place of an earlier one, also for a later life; empty: there is none.
        std::function<void(Store& store, const sync::Beginning& beginning)> keep = {};
        std::function<std::optional<sync::Beginning>()> kept = {};
        // An object of a push was stored. Called on the worker.
        std::function<void()> push_stored;
        OnRefused refused = {};
        std::uint64_t features = 0;  // what our Hello says
    };

    // All outlive it; `uplink` is used on the queue's worker only. What the budget says replaces
    // what `options` say of frames, credit and heartbeat. The seed must differ between
    // boards and between runs.
    HubLink(Loop& loop, StoreQueue& store, Uplink& uplink, LinkBudget& budget, std::uint64_t seed,
            Events events, sync::ConversationOptions options = {});
    ~HubLink();
    HubLink(const HubLink&) = delete;
    HubLink& operator=(const HubLink&) = delete;

    void on_connected();  // subscriptions are in place
    void on_disconnected();
    void on_payload(Bytes payload);
    void wake();             // something was committed
    void plan_anew();        // what is under way is sealed by a key that is in force no more
    void on_push_decided();  // deciding() is false again, or other versions are admitted
    // The agent stops: what came of a push is kept for a later life.
    void leave();
    // Of a broadcast; dropped when no session is open.
    void report(sync::CastReport report);

    bool session_open() const { return conversation_.is_open(); }
    // Stored bytes that the hub was sent, or did not want, of what follows so many entries, for
    // which it gave a receipt.
    std::uint64_t bytes_passed() const { return bytes_passed_; }
    // Of the page under way: what the hub wants and was not sent yet.
    std::uint64_t page_bytes_left() const { return conversation_.sender().bytes_left(); }
    std::uint64_t receipted() const { return receipted_; }
    const sync::LinkRate& rate() const { return rate_; }
    // Of a version that is being pushed here: bytes of the present page that are still to come.
    std::uint64_t bytes_to_come() const { return conversation_.receiver().bytes_left(); }
    const sync::LinkRate& push_rate() const { return push_rate_; }
    const sync::SenderCounters& sender_counters() const {
        return conversation_.sender().counters();
    }
    // When the hub was last heard of, as far as it proved that it is the pinned one.
    std::optional<MonoTime> heard() const { return conversation_.heard(); }
    // The last thing that went wrong and was not followed by a success; empty: nothing.
    const std::string& trouble() const;

private:
    void step(sync::Event event);
    void keep_to_budget(std::deque<sync::Event>& events);
    void tell_rest(sync::Hello& hello);
    void note_rates();
    void note_passed();
    std::uint64_t plan_bytes() const;
    void count_passed();
    void tell_refused();
    void refuse(SecurityEvent event, std::string why) const;
    std::uint64_t silent_ms() const { return 3 * std::uint64_t{budget_.policy().heartbeat_ms}; }
    // The answer that the engine waits for, if it is known at once.
    std::optional<sync::Event> carry_out(sync::Action& action);
    std::optional<sync::Event> carry_out_push(sync::Action& action);
    bool may_store() const;
    // Has `question` answered on the worker and hands the answer to the engine.
    void ask(std::function<sync::Event(Store&)> question);
    void on_peer_hello(sync::PeerHello hello);
    void log_receipt(sync::LogReceipt receipt);
    void commit_push(const sync::Commit& commit);
    void keep_what_comes(std::uint64_t every_ms);
    void keep(sync::Beginning beginning);
    void recall();
    void on_trouble(const sync::Trouble& trouble);
    static void say(std::string& kept, const Error& error);
    void arm();
    void on_timer();

    Loop& loop_;
    StoreQueue& store_;
    Uplink& uplink_;
    LinkBudget& budget_;
    Events events_;
    sync::Conversation conversation_;
    std::string session_trouble_;  // over when the hub says Hello
    std::string place_trouble_;    // over when its Hello fits our journal
    std::string plan_trouble_;     // over with the next receipt
    sync::LinkRate rate_;
    sync::LinkRate push_rate_;
    std::uint64_t received_bytes_ = 0;
    std::uint64_t malformed_ = 0;          // messages so far
    std::uint64_t unsound_frames_ = 0;     // records so far
    std::uint64_t passed_bytes_ = 0;       // both ways, as the budget knows
    bool rests_ = false;                   // likewise
    std::uint64_t page_bytes_ = 0;         // of the objects of the page that was read last
    std::uint64_t bytes_before_page_ = 0;  // of those of the plan's pages before
    std::uint64_t bytes_passed_ = 0;
    std::uint64_t receipted_ = 0;     // entries, when that began
    std::optional<bool> told_rest_;   // what our last Hello said; none: none yet
    MonoTime told_until_;             // and until when
    std::uint64_t pushed_bytes_ = 0;  // so far
    MonoTime pushed_;                 // when some of them came last
    std::uint64_t kept_bytes_ = 0;    // of them, as they were kept last
    MonoTime kept_;
    bool set_aside_ = true;        // what was kept is not in memory, as far as is known
    bool keeps_beginning_ = true;  // likewise
    bool was_open_ = false;
    std::optional<MonoTime> silent_since_;  // the hub; while the broker is there
    std::unique_ptr<Timer> timer_;
    // Of a push that came before its assignment was checked; the engine asks one thing at a time.
    std::optional<sync::Action> held_back_;
    // Answers that come after our end are dropped.
    std::shared_ptr<HubLink*> self_;
};

}  // namespace tributary::agent
