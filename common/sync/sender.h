// The side that has something: offers it page by page, streams what is wanted, and forgets nothing
// before a receipt is logged.
//
//   resting ─Wake→ planning ─→ paging ─→ offered ─Want→ streaming ─┐
//      ↑                          ↑         └──Next/Want/silence───┤
//      └──────── logging ←─────── └────────────────────────────────┘ Done
//
// Pure: no I/O, no clock. Holds at most one page, the unsent rest of two records, and counters. All
// timers of the protocol live here: on silence the page is offered again, with growing delay, and
// the Receiver answers from where it stands.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include "common/base/random.h"
#include "common/sync/answer_budget.h"
#include "common/sync/events.h"

namespace tributary::sync {

struct SenderOptions {
    // Before a page is offered again, doubled each time in vain.
    std::uint64_t silence_ms = 4'000;
    // What waits for its first answer waits three times as long as the last page did, if that is
    // more, but no longer than this. One of ten thousand that all wait would else offer again and
    // again, and each waits for all the others' Offers.
    std::uint64_t usual_silence_ms_max = 30'000;
    std::uint64_t silence_ms_max = 120'000;
    std::uint32_t silences_max =
        5;  // in a row; then the session is in doubt and nothing more is offered in it
    std::uint64_t refused_retry_ms = 600'000;  // before a refused plan is made anew
    std::uint64_t trouble_retry_ms = 30'000;   // after a read here failed
    // Next and Want that bring the plan no further: so many at once, then one in a while;
    // 0: any number.
    std::uint32_t repeats_at_once = 40;
    std::uint32_t repeat_every_ms = 1'000;
};

struct SenderCounters {
    std::uint64_t stream_bytes = 0;    // handed to the transport in Data, repeats included
    std::uint64_t credited_bytes = 0;  // of them: the other side said that it has them
    std::uint64_t plans_done = 0;
    std::uint64_t silences = 0;
    std::uint64_t ignored = 0;  // messages that were old, or could not be right
    std::uint64_t excess = 0;   // that were too many
};

class Sender {
public:
    Sender(SenderOptions options, std::uint64_t seed);

    Actions step(MonoTime now, Event event);
    std::optional<MonoTime> next_deadline() const { return deadline_; }

    const SenderCounters& counters() const { return counters_; }
    bool resting() const {
        return state_ == State::resting;
    }  // all is receipted, as far as the owner said
    // For checks: bytes of the present stream sent and not credited, and how many may be.
    std::uint64_t in_flight_bytes() const { return sent_ - credited_; }
    // For people: bytes of the present stream that the other side wants and that were not sent.
    std::uint64_t bytes_left() const;
    // Likewise: when what was refused, or could not be read here, is tried again; none: it was not.
    std::optional<MonoTime> tried_again() const {
        return state_ == State::waiting ? deadline_ : std::nullopt;
    }
    // Nothing is to be sent, its owner said.
    bool is_resting() const { return state_ == State::resting; }
    // Likewise: what was offered or sent last is overdue an answer.
    bool unanswered() const { return unanswered_ != 0; }
    std::uint64_t credit_bytes() const { return want_ ? want_->credit_bytes : 0; }

private:
    enum class State {
        closed,
        resting,
        planning,
        paging,
        offered,
        streaming,
        logging,
        waiting,
        quiet
    };

    void on(const Opened& event);
    void on(const Closed&);
    void on(const Wake&);
    void on(const MaySend& event);
    void on(const Rest& event);
    void on(const PlanAnew&);
    void on(const Tick&);
    void on(Planned& event);
    void on(PageRead& event);
    void on(ObjectRead& event);
    void on(ReceiptLogged& event);
    void on(Arrived& event);
    void on_message(Next& next);
    void on_message(Want& want);
    void on_message(const Credit& credit);
    void on_message(Done& done);
    void on_message(const Refuse& refuse);

    void make_plan();
    void read_page(std::uint32_t page);
    void offer();
    void pump();
    void send_data(std::size_t count);
    void drop_plan();
    bool may_repeat(bool brings_on);
    void drop_stream();
    void wait(std::uint64_t delay_ms);
    void arm_silence();
    void heard();
    void ask();
    bool answered(Ticket ticket);
    std::size_t unsent() const { return unsent_; }
    std::size_t data_bytes() const;

    SenderOptions options_;
    AnswerBudget repeats_;
    Random random_;
    SenderCounters counters_;
    Actions out_;
    MonoTime now_;

    State state_ = State::closed;
    bool open_ = false;
    bool woken_ = false;       // since the last MakePlan
    bool reopen_due_ = false;  // when the wait is over
    LinkLimits limits_;
    std::optional<std::uint64_t> allowed_;  // bytes of Data; none: any number
    std::optional<MonoTime> rest_until_;    // the other side wants no plan before
    std::optional<MonoTime> deadline_;
    std::uint32_t silences_ = 0;    // doubles the patience; reset by an answer that needed none
    std::uint32_t unanswered_ = 0;  // deadlines since anything was heard
    bool silent_ = false;           // a deadline passed since the last Want or plan
    std::optional<MonoTime> offered_since_;  // the page, while nobody has answered
    std::uint64_t answer_took_ms_ = 0;       // to the last one
    Ticket last_ticket_ = 0;
    Ticket asked_ = 0;    // the one unanswered request; 0: none
    bool stale_ = false;  // its answer is not wanted any more

    std::uint64_t last_plan_ = 0;
    std::uint64_t plan_ = 0;  // 0: none
    std::uint32_t page_number_ = 0;
    std::uint32_t attempt_ = 0;
    std::uint32_t number_ = 0;              // of the last Next or Want obeyed
    std::uint32_t furthest_ = 0;            // page of this plan that was read
    bool whole_ = false;                    // nothing is left out of it
    std::optional<std::uint64_t> reached_;  // bytes of it that are there, as the last Want said
    SharedPage page_;
    Done done_;  // while logging

    // the stream that answers want_
    std::optional<Want> want_;
    std::size_t next_object_ = 0;  // first that was not asked from the owner
    bool first_object_ = false;    // the next one read is the first: its resumed part is cut off
    struct Pending {               // a frame that was read, from `at` on not yet sent
        SharedFrame frame;
        std::size_t at = 0;
    };
    std::deque<Pending> pending_;
    std::size_t unsent_ = 0;  // bytes of them
    std::uint64_t sent_ = 0;
    std::uint64_t credited_ = 0;
    std::deque<std::uint64_t> frame_ends_;  // of Data in flight
};

}  // namespace tributary::sync
