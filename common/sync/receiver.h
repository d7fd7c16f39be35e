// The side that wants: asks for what is missing, checks every frame, has it stored, and answers
// Done only after Committed.
//
//   idle ─Offer→ checking ─→ receiving ⇄ storing ─→ (next page: idle) … ─→ committing ─→ idle, Done
//
// Pure: no I/O, no clock. It has no timer of its own but one that frees memory: a Sender that hears
// nothing offers again, and the answer to that says where we stand. Holds one page and at most one
// record and one credit of bytes; where many share the memory, these only while its owner gives it
// a turn, and while it waits for one no long page.
#pragma once

#include <cstdint>
#include <optional>

#include "common/sync/answer_budget.h"
#include "common/sync/events.h"

namespace tributary::sync {

struct ReceiverOptions {
    std::uint32_t credit_bytes = limits::kFramesInFlightMax * limits::kDataFrameBytes;
    // Content is asked for in turns: while others wait, of so many bytes and the rest of a record,
    // else of a page. 0: as it comes, without asking the owner.
    std::uint64_t turn_bytes = 0;
    // Without content: the turn is given back. A frame takes minutes on a slow link.
    std::uint64_t turn_idle_ms = 300'000;
    std::uint64_t turn_ms_max = 1'800'000;  // likewise, however slowly it goes on
    // Of a page that is kept while its turn waits; a longer one is asked for again.
    std::size_t waiting_page_bytes = 16 * limits::KiB;
    std::uint64_t idle_ms =
        300'000;  // without a message: the page is dropped, a beginning to be kept
    std::uint32_t busy_retry_ms = 30'000;  // said to a Sender that is refused for now
    std::uint32_t full_retry_ms = 30'000;  // likewise, because there is no room for what it has
    // Plans begun, Offers that were answered before, pages that bring nothing: so many at once,
    // then one in a while.
    std::uint32_t offers_at_once = 400;
    std::uint32_t offer_every_ms = 10;
};

struct ReceiverCounters {
    std::uint64_t stream_bytes = 0;  // taken, each byte once
    std::uint64_t dropped_bytes =
        0;  // arrived and not taken: repeats, gaps, old numbers, beyond the credit
    std::uint64_t plans_committed = 0;
    std::uint64_t bad_frames = 0;      // not taken, whoever was to blame
    std::uint64_t unsound_frames = 0;  // of them: not a record, or another than the one offered
    std::uint64_t ignored = 0;         // messages that were old, or could not be right
    std::uint64_t excess = 0;          // Offers that were too many
};

class Receiver {
public:
    explicit Receiver(ReceiverOptions options);

    Actions step(MonoTime now, Event event);
    std::optional<MonoTime> next_deadline() const { return deadline_; }

    const ReceiverCounters& counters() const { return counters_; }
    std::size_t buffered_bytes() const {
        return buffer_.size();
    }  // at most one record and the credit
    // For people: bytes of the present page that are wanted and were not stored yet.
    std::uint64_t bytes_left() const;
    // What came of the record under way, or of that behind one that is being stored; empty:
    // nothing.
    Beginning beginning() const;
    // Something is wanted, and the last message of the Sender is not long ago.
    bool taking() const {
        return (state_ == State::receiving && turn_asked_ == 0) || state_ == State::storing;
    }

private:
    enum class State { idle, checking, receiving, storing, committing };

    void on(const Opened& event);
    void on(const Closed&);
    void on(const MayTake& event);
    void on(ReceivedBefore& event);
    void on(const Rest& event);
    void on(const Tick&);
    void on(TurnGiven& event);
    void on(const TurnWaits& event);
    void on(Checked& event);
    void on(Stored& event);
    void on(Committed& event);
    void on(Arrived& event);
    void on_message(Offer& offer);
    void on_message(Data& data);

    void forget_plan();
    void begin_plan(std::uint64_t plan);
    void take_page(Offer& offer);
    void pass_over_first_record();
    void want();
    void next();
    bool has_turn();
    std::uint64_t part_for_page();
    void ask_for_turn();
    void end_turn();
    void still_waiting();
    void put_aside();
    void arm_idle();
    std::size_t next_missing(std::size_t at) const;
    void advance();
    void page_complete();
    void proceed();
    Status take_record();
    Status check_header(const RecordHeader& header) const;
    bool fits_offer(ByteView begun) const;
    void credit_if_due();
    void wind_up();
    bool may_take() const { return !allowed_ || *allowed_ != 0; }
    void object_failed(const Error& error);
    void refuse(RefuseReason reason, std::string text, std::uint32_t retry_after_ms = 0);
    std::uint32_t retry_ms(const Error& error) const;
    void free_memory();
    void drop_page();
    void ask();
    bool answered(Ticket ticket);
    void send(Body body);

    ReceiverOptions options_;
    AnswerBudget offers_;
    ReceiverCounters counters_;
    Actions out_;
    MonoTime now_;

    State state_ = State::idle;
    bool open_ = false;
    LinkLimits limits_;
    std::optional<std::uint64_t> allowed_;  // bytes of Data; none: any number
    std::optional<MonoTime> deadline_;
    Ticket last_ticket_ = 0;
    Ticket asked_ = 0;    // the one unanswered request; 0: none
    bool stale_ = false;  // its answer is not wanted any more

    std::uint64_t plan_ = 0;         // of the open session; 0: none yet
    std::uint32_t page_number_ = 0;  // the page we are at
    std::uint32_t attempt_ = 0;      // of the last Offer that was answered
    std::uint32_t number_ = 0;       // of our last Next or Want; grows for as long as we live
    std::uint32_t restarts_ = 0;     // of this plan, because something was missing at the commit
    std::optional<Body>
        answer_;  // Done or Refuse: the plan is over, and so we answer each further Offer of it
    // Kept until it is complete, or until its turn has to be waited for.
    std::optional<Offer> page_;
    bool found_out_ = false;  // something of it that its Offer does not say
    std::vector<bool> missing_;
    std::vector<bool> base_held_;
    std::size_t at_ = 0;          // first missing object
    std::uint32_t failures_ = 0;  // of that one

    // What the present Want is about.
    bool has_turn_ = false;
    bool turn_is_over_ = false;  // to be wound up
    std::uint64_t turn_taken_ = 0;
    std::uint64_t turn_part_ = 0;  // that was asked for
    Ticket turn_asked_ = 0;        // an unanswered TakeTurn; 0: none
    MonoTime turn_began_;
    bool said_waiting_ = false;       // to the last Offer
    std::uint32_t credit_bytes_ = 0;  // of it

    std::uint64_t received_ = 0;  // of the present stream
    std::uint64_t credited_ = 0;  // told the Sender
    std::uint32_t frames_since_credit_ = 0;
    bool want_due_ =
        false;  // the stream has a hole, or none runs yet: ask anew from where we stand

    // The record being received, then what follows it. Survives the link, so that a cut costs no
    // more than what was in flight.
    Bytes buffer_;
    RecordKey partial_key_;  // whose beginning the buffer holds
    bool partial_based_ = false;
};

}  // namespace tributary::sync
