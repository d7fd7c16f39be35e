// One device's conversation with the hub: the owner that answers the engine's questions from the
// ledger.
//
// Uplink: what the device says is checked (seal, chain, wholeness), made durable, and receipted; a
// sealed entry is never rejected for what it says: a version that cannot be whole is named in the
// receipt. Push: an assignment, then the version's closure, coded against what the device runs. One
// thread; everything is answered at once, but a large record once it was checked beside this
// thread, and a commit once its signature was and it is durable.
#pragma once

#include <deque>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/env/clock.h"
#include "common/record/security_event.h"
#include "common/sync/conversation.h"
#include "common/sync/link_rate.h"
#include "hub/intake/beyond_search.h"
#include "hub/intake/commit_group.h"
#include "hub/intake/credit_pool.h"
#include "hub/intake/greeting.h"
#include "hub/intake/last_heard.h"
#include "hub/intake/link_status.h"
#include "hub/intake/offered_entries.h"
#include "hub/intake/push_plan.h"
#include "hub/intake/pushes.h"
#include "hub/intake/readable.h"
#include "hub/intake/sealed.h"
#include "hub/intake/standing.h"
#include "hub/intake/walks.h"
#include "hub/store/judging.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class DeviceLink {
public:
    struct Events {
        std::function<void(const std::string& device, Bytes payload, Priority priority)> publish;
        // Entries of this device became durable; these repositories have new versions.
        std::function<void(const std::string& device, const std::set<std::string>& repos)> advanced;
        // Takes checked entries of one journal into the ledger, now or later, and says how it went.
        // None: the link does it itself, at once.
        std::function<void(JournalPart part, CommitGroup::Done done)> accept = {};
        // Signs the payload of a receipt, now or later; none: the link does it itself, at once.
        std::function<void(MonoTime now, Bytes payload, CommitGroup::Signed then)> sign = {};
        // Does `work` on another thread, then calls `then` on this one. None: the link does both
        // itself, at once.
        std::function<void(std::function<void()> work, std::function<void(MonoTime now)> then)>
            beside = {};
        // Calls back soon, after what else waits. None: the link goes on at once.
        std::function<void(std::function<void(MonoTime now)> then)> later = {};
        // Whether there is room for so many bytes of content (Room). None: there is.
        std::function<Status(std::uint64_t bytes)> admits = {};
        // Nothing is missing of what it offered: it waits for no room.
        std::function<void()> needs_no_room = {};
        // Of which content that is asked for takes its part. None: there is enough.
        CreditPool* credit = nullptr;
        // Bounds how many versions are walked over at a time. None: nothing does.
        Walks* walks = nullptr;
        Pushes* pushes = nullptr;  // of all boards of the hub; there has to be one
        // Of broadcasts (hub/cast); without them every device gets a push.
        std::function<std::optional<sync::CastInvitation>(const InstallState& state)> invite = {};
        std::function<bool(std::uint64_t number)> cast_serves = {};
        std::function<bool(std::uint64_t number)> cast_is_prepared_for = {};
        std::function<void()> session_opened = {};
        std::function<void(sync::CastReport report)> cast_reported = {};
        // Of the newest root document; 0: there is none.
        std::function<std::uint64_t()> root_version = {};
        // Something in this device's name was refused that no sound agent sends.
        std::function<void(SecurityEvent event, std::string why)> refused = {};
    };

    // `offences_max`: see Quarantine.
    DeviceLink(std::string device, Ledger& ledger, Clock& clock, std::uint64_t seed, Events events,
               std::uint32_t offences_max = 0);
    ~DeviceLink();
    DeviceLink(const DeviceLink&) = delete;
    DeviceLink& operator=(const DeviceLink&) = delete;

    void on_payload(MonoTime now, Bytes payload);
    void on_tick(MonoTime now);
    // A broker that takes so long payloads is reached: invites the device, with all others over
    // `spread_ms`.
    void on_connected(MonoTime now, std::uint32_t spread_ms = sync::kSpreadMsMin,
                      std::size_t payload_bytes = SIZE_MAX);
    // Sends the assignments that the device has not answered, and begins to push what they name.
    void on_assigned(MonoTime now);
    void on_leaving(MonoTime now);  // the hub stops: tells the device, and hears it no more
    // There is room for what was not admitted: invites the device likewise.
    void on_room(MonoTime now, std::uint32_t spread_ms = sync::kSpreadMsMin);
    // The last thing after that: what came of versions under way goes to the ledger's memo.
    void keep_what_came();
    // What an earlier life of the hub knew of it.
    void recall(const LastHeard& last);
    // It takes part in a broadcast no more: what it lacks of that assignment is pushed.
    void on_cast_finished(MonoTime now, std::uint64_t number, bool whole);
    // It was revoked, or another board took its place, or it is believed again: no session of
    // before goes on.
    void on_standing_changed(MonoTime now);
    // Out of quarantine, and on record: the device is heard again.
    Status release(MonoTime now, const std::string& actor);
    // In a session, and heard of within its last three heartbeats; its broker says so when it goes.
    bool connected(MonoTime now) const {
        return conversation_.is_open() &&
               now.ms - last_heard_->ms <= 3 * std::uint64_t{heartbeat_ms_};
    }
    bool is_heard(MonoTime now) const { return standing_.is_heard(now); }
    // What comes from the device, of the page under way, and what is pushed to it: at most, for
    // what the device holds of a page is known once it asks for the rest.
    std::uint64_t bytes_to_come() const { return conversation_.receiver().bytes_left(); }
    std::uint64_t bytes_left() const;
    // What holds it up, in words; empty: nothing, or the device rests or is away.
    std::string push_waits_for(MonoTime now) const;
    const sync::LinkRate& uplink_rate() const { return uplink_rate_; }
    const sync::LinkRate& push_rate() const { return push_rate_; }
    std::optional<MonoTime> last_heard() const { return last_heard_; }
    std::optional<MonoTime> next_deadline() const { return conversation_.next_deadline(); }
    const LinkStatus& status() const { return status_; }
    const Quarantine& quarantine() const { return standing_.quarantine(); }

private:
    // Objects of a page or records of a version that are looked at before other boards have their
    // turn.
    static constexpr std::size_t kRecordsATurn = 64;

    // Objects of a page of which it is asked whether they are held, and the answers so far.
    struct Checking {
        sync::Ticket ticket = 0;
        std::vector<sync::OfferedObject> objects;
        std::vector<sync::Held> held;
    };
    // A record that came, and is stored once it was looked at.
    struct Incoming {
        sync::Ticket ticket = 0;
        RecordKey key;
        Bytes frame;
        IncomingRecord record;
        bool bases_read = false;
        std::size_t may_read = 0;                 // of a recipe's pieces, so many from the first on
        Walks::Place place = {};                  // of a version's statement
        std::optional<BeyondSearch> beyond = {};  // likewise
    };
    // A commit that was checked and is being made durable.
    struct Committing {
        sync::Ticket ticket = 0;
        Incarnation incarnation;
        std::vector<Bytes> offered;     // entries, held before or not
        std::size_t fresh = 0;          // of them were not
        std::uint64_t held_before = 0;  // entries of that journal
        // Why changes of key among them change none; they are kept as they are said.
        std::vector<std::string> refused_changes;
    };
    // Entries that are being checked.
    struct CheckedSignature {
        Bytes key;
        Status valid;
    };
    struct Offered {
        sync::Commit commit;
        std::optional<CheckedSignature> signature = {};
        std::size_t key_changes = 0;
        Committing committing = {};
        std::vector<Bytes> fresh = {};  // of its entries
        Walks::Place place = {};        // while they are judged
        std::optional<Judging> judging = {};
        bool in_turns = false;  // more may have changed than what it found
    };
    // A push that is being prepared.
    struct Planning {
        sync::Ticket ticket = 0;
        std::shared_ptr<const PushContent> content;
    };

    void run(MonoTime now, sync::Event event);
    sync::Connected connected_over(std::uint32_t spread_ms = sync::kSpreadMsMin) const;
    // The answer that the engine waits for, if this action asks for one.
    std::optional<sync::Event> carry_out(MonoTime now, sync::Action& action);

    std::uint64_t excess() const;
    std::optional<sync::Event> take_turn(const sync::TakeTurn& turn);
    void end_turn();
    sync::TurnGiven turn_given(sync::Ticket ticket);
    void on_session_over();
    void note(const Error& error);
    void tell_refused(SecurityEvent event, const std::string& why);
    void tell_device(const sync::Refuse& refuse);
    void suspect(MonoTime now, SecurityEvent event, const std::string& what);
    void tell_origin(const Incarnation& incarnation) const;
    void send_assignments(MonoTime now);
    bool takes_part_in_casts() const;
    std::optional<sync::Event> plan_push(MonoTime now, sync::Ticket ticket);
    void review_planning(MonoTime now);
    bool needs_push(MonoTime now) const;
    sync::PageRead read_page(MonoTime now, const sync::ReadPage& page);
    std::optional<sync::Event> read_object(const sync::ReadObject& object);
    Result<sync::Assign> documents_of(const InstallState& state);
    std::optional<sync::Event> check();
    Status admits(const Checking& checked);
    Status keeps_room(std::uint64_t bytes);
    tl::unexpected<Error> as_told(Error error, std::uint64_t bytes);
    std::optional<sync::Held> is_held(const sync::OfferedObject& object);
    std::optional<sync::Event> take_record(MonoTime now, sync::Store& record);
    Status check_bases(ByteView frame);
    std::optional<sync::Event> take_checked(MonoTime now,
                                            const std::shared_ptr<Incoming>& incoming);
    bool look_through(Incoming& incoming);
    bool look_through_pieces(Incoming& incoming);
    sync::Event taken(MonoTime now, const Incoming& incoming, Status staged);
    Status stage(Incoming& incoming);
    Status stage_recipe(Incoming& incoming);
    Status stage_version(Incoming& incoming);
    Result<SealedOffer> check_said(const Offered& offered);
    void commit(MonoTime now, sync::Commit commit);
    void take_offered(MonoTime now, const std::shared_ptr<Offered>& offered);
    bool is_believed(MonoTime now, Offered& offered);
    Result<std::vector<Bytes>> check_entries(const sync::Commit& commit, Committing& committing);
    void judge(MonoTime now, const std::shared_ptr<Offered>& offered);
    void accept(MonoTime now, Offered& offered);
    bool may_walk(Walks::Place& place, std::function<void(MonoTime now)> then, sync::Event if_gone);
    void wait_no_more(MonoTime now);
    Status stage_seal_of(const JournalPart& part, const sync::Commit& commit);
    void on_durable(MonoTime now, const Status& durable);
    void answer_commit(MonoTime now, sync::Ticket ticket, Result<sync::CommitResult> result);
    void give_receipt(MonoTime now, const Committing& done);
    void note_lacking(const VersionId& version, const RecordKey& missing);
    void tell_lacking(MonoTime now, const Outcome& outcome);
    Status ask_for_missing(const JournalPart& part);

    std::string device_;
    Ledger& ledger_;
    Clock& clock_;
    Events events_;
    sync::Conversation conversation_;
    std::deque<sync::Event> to_step_;
    bool stepping_ = false;
    bool left_ = false;
    bool was_open_ = false;     // a session, when it was looked last
    CreditPool::Share credit_;  // while it has a turn
    sync::Ticket turn_ = 0;     // that was asked for last
    Readable readable_;
    std::map<Digest, RecordKey> lacking_;  // by version: what did not arrive of it
    std::optional<MonoTime> told_lacking_;
    std::optional<Checking> checking_;
    std::optional<Committing> committing_;
    // What is answered if the board goes before it has its places to walk.
    std::list<sync::Event> waits_to_walk_;
    std::optional<Planning> planning_;
    LinkStatus status_;
    static constexpr std::uint64_t kBurstMs = 1'000;
    sync::LinkRate uplink_rate_{kBurstMs};
    sync::LinkRate push_rate_;
    std::optional<MonoTime> last_heard_;
    std::uint32_t heartbeat_ms_ = 60'000;                  // as its last Hello said
    std::uint32_t frame_bytes_ = limits::kDataFrameBytes;  // that the broker takes
    std::size_t page_bytes_ = limits::kOfferBytesMax;      // of a page for its link
    Incarnation peer_;                                     // as its last Hello said
    std::uint64_t features_ = 0;                           // likewise
    std::uint64_t refused_for_room_ = 0;                   // plans and records in a row
    std::uint32_t incomplete_ = 0;  // commits in a row that found an object missing
    Standing standing_;
    Greeting greeting_;
    PushPlan push_;
    std::uint32_t push_page_ = 0;  // that was read last
};

}  // namespace tributary::hub
