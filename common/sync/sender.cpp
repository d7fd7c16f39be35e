#include "common/sync/sender.h"

#include <algorithm>
#include <utility>

namespace tributary::sync {
namespace {

// What a Want that goes on behind the last one has to bring, so that nobody has a record read and
// coded for each of its bytes.
constexpr std::uint64_t kStepBytes = 16 * limits::KiB;

// Of the page, as far as the other side says.
std::uint64_t bytes_there(const Page& page, const Want& want) {
    std::uint64_t bytes = want.resume_offset;
    for (std::size_t i = 0; i < page.objects.size(); ++i)
        if (!want.missing[i]) bytes += page.objects[i].stored_length;
    return bytes;
}

}  // namespace

Sender::Sender(SenderOptions options, std::uint64_t seed)
    : options_(options),
      repeats_(options.repeats_at_once, options.repeat_every_ms),
      random_(seed) {}

Actions Sender::step(MonoTime now, Event event) {
    now_ = now;
    std::visit(
        [this](auto& e) {
            if constexpr (requires { on(e); }) on(e);
        },
        event);
    return std::exchange(out_, {});
}

// ---- the session ----

void Sender::on(const Opened& event) {
    open_ = true;
    limits_ = event.limits;
    silences_ = 0;
    if (state_ != State::logging) make_plan();
}

void Sender::on(const Closed&) {
    open_ = false;
    deadline_.reset();
    if (state_ == State::logging) return;  // a receipt in hand is worth keeping
    drop_plan();
    state_ = State::closed;
}

void Sender::on(const Wake&) {
    woken_ = true;
    if (state_ == State::resting || state_ == State::quiet) make_plan();
}

void Sender::on(const MaySend& event) {
    allowed_ = event.bytes;
    const std::uint64_t sent = sent_;
    pump();
    if (sent_ != sent && !deadline_) arm_silence();
}

void Sender::on(const PlanAnew&) {
    if (open_ && state_ != State::logging) make_plan();
}

void Sender::on(const Rest& event) {
    const bool rested = std::exchange(rest_until_, std::nullopt).has_value();
    if (event.ms != 0) rest_until_ = now_ + event.ms;
    if (open_ && state_ != State::logging && (rest_until_ || rested)) make_plan();
}

void Sender::on(const Tick&) {
    if (!deadline_ || now_ < *deadline_) return;
    deadline_.reset();
    if (state_ == State::waiting) {
        if (!std::exchange(reopen_due_, false)) return make_plan();
        out_.emplace_back(Reopen{});
        return wait(options_.trouble_retry_ms);
    }
    if (state_ != State::offered && state_ != State::streaming) return;
    // It is we who keep the other side waiting while nothing is in flight, but a read is under way
    // or what was read may not be sent yet.
    if (state_ == State::streaming && frame_ends_.empty()) {
        if (asked_ != 0) return arm_silence();
        if (unsent() != 0) return;  // until MaySend
    }

    ++counters_.silences;
    ++silences_;
    silent_ = true;
    if (++unanswered_ > options_.silences_max) {
        drop_plan();
        state_ = State::quiet;
        out_.emplace_back(Reopen{});
        return;
    }
    offer();
    arm_silence();
}

// ---- the owner's answers ----

void Sender::make_plan() {
    drop_plan();
    unanswered_ = 0;
    if (rest_until_ && now_ < *rest_until_) {
        state_ = State::waiting;
        deadline_ = rest_until_;
        return;
    }
    rest_until_.reset();
    state_ = State::planning;
    ask();
}

void Sender::on(Planned& event) {
    if (!answered(event.ticket)) return;
    if (!event.something) {
        state_ = State::resting;
        if (woken_) make_plan();
        return;
    }
    plan_ = ++last_plan_;
    attempt_ = 0;
    number_ = 0;
    furthest_ = 0;
    whole_ = false;
    reached_.reset();
    silent_ = false;
    read_page(0);
}

void Sender::read_page(std::uint32_t page) {
    drop_stream();
    deadline_.reset();
    page_ = {};
    page_number_ = page;
    state_ = State::paging;
    ask();
}

void Sender::on(PageRead& event) {
    if (!answered(event.ticket)) return;
    if (!event.page) {
        out_.emplace_back(Trouble{std::move(event.page).error(), {}});
        return wait(options_.trouble_retry_ms);
    }
    page_ = *std::move(event.page);
    state_ = State::offered;
    if (!offered_since_) offered_since_ = now_;
    offer();
    arm_silence();
}

void Sender::on(ObjectRead& event) {
    if (!answered(event.ticket)) return;
    if (!event.frame) {
        out_.emplace_back(Trouble{std::move(event.frame).error(), {}});
        return wait(options_.trouble_retry_ms);
    }
    const SharedFrame frame = *std::move(event.frame);
    TRIBUTARY_CHECK(!frame->empty());
    std::size_t skip = 0;
    // A resume point past the frame's end is of another coding: the Receiver will see that the
    // bytes do not fit together.
    if (std::exchange(first_object_, false))
        skip = std::min<std::size_t>(want_->resume_offset, frame->size() - 1);
    if (unsent() == 0) arm_silence();
    pending_.push_back({frame, skip});
    unsent_ += frame->size() - skip;
    pump();
}

void Sender::on(ReceiptLogged& event) {
    if (!answered(event.ticket)) return;
    drop_plan();
    if (!event.status)
        out_.emplace_back(Trouble{std::move(event.status).error(), {}});
    else
        ++counters_.plans_done;

    if (!open_)
        state_ = State::closed;
    else if (event.status)
        make_plan();
    else
        wait(options_.trouble_retry_ms);
}

// ---- the other side's messages ----

void Sender::on(Arrived& event) {
    if (!open_ || plan_ == 0 || state_ == State::logging) {
        ++counters_.ignored;
        return;
    }
    std::visit(
        [this](auto& message) {
            if constexpr (requires { on_message(message); }) {
                if (message.plan == plan_) return on_message(message);
            }
            ++counters_.ignored;
        },
        event.body);
}

// Whatever costs reading and sending again; what brings the plan on is as much as there is of it.
bool Sender::may_repeat(bool brings_on) {
    if (brings_on || repeats_.take(now_)) return true;
    ++counters_.excess;
    return false;
}

void Sender::on_message(Next& next) {
    const bool loaded = state_ != State::paging;
    const std::uint32_t last = loaded && !page_->last ? page_number_ + 1 : page_number_;
    if (next.number <= number_ || next.page > last) {
        ++counters_.ignored;
        return;
    }
    const bool brings_on = next.page > furthest_;
    if (!may_repeat(brings_on)) return;
    if (brings_on) {
        heard();
        furthest_ = next.page;
        reached_.reset();
    }
    number_ = next.number;
    unanswered_ = 0;
    whole_ = whole_ || next.whole;
    read_page(next.page);
}

void Sender::on_message(Want& want) {
    const bool fits = state_ != State::paging && want.page == page_number_ &&
                      want.missing.size() == page_->objects.size() &&
                      want.base_held.size() == page_->objects.size() && want.credit_bytes > 0 &&
                      std::ranges::find(want.missing, true) != want.missing.end();
    if (want.number <= number_ || !fits) {
        ++counters_.ignored;
        return;
    }
    const std::uint64_t there = bytes_there(*page_, want);
    const bool brings_on = !reached_ || there >= *reached_ + kStepBytes;
    if (!may_repeat(brings_on)) return;
    if (brings_on) reached_ = there;
    heard();
    drop_stream();
    number_ = want.number;
    unanswered_ = 0;
    want_ = std::move(want);
    first_object_ = true;
    silent_ = false;
    state_ = State::streaming;
    arm_silence();
    pump();
}

void Sender::on_message(const Credit& credit) {
    if (!want_ || credit.number != want_->number || credit.through <= credited_ ||
        credit.through > sent_) {
        ++counters_.ignored;
        return;
    }
    counters_.credited_bytes += credit.through - credited_;
    credited_ = credit.through;
    unanswered_ = 0;
    while (!frame_ends_.empty() && frame_ends_.front() <= credited_) frame_ends_.pop_front();
    if (!silent_) silences_ = 0;
    arm_silence();
    pump();
}

void Sender::on_message(Done& done) {
    heard();
    drop_stream();
    if (!silent_) silences_ = 0;
    deadline_.reset();
    done_ = std::move(done);
    state_ = State::logging;
    ask();
}

void Sender::on_message(const Refuse& refuse) {
    heard();
    const Errc code = refuse.reason == RefuseReason::busy ? Errc::unavailable : Errc::denied;
    out_.emplace_back(Trouble{{code, refuse.text}, refuse.reason});
    const bool passes =
        refuse.reason == RefuseReason::busy || refuse.reason == RefuseReason::conflict;
    reopen_due_ = refuse.reason == RefuseReason::conflict;
    wait((passes ? options_.trouble_retry_ms : options_.refused_retry_ms) +
         random_.below(refuse.retry_after_ms));
}

// ---- the stream ----

void Sender::offer() {
    Offer offer;
    offer.plan = plan_;
    offer.page = page_number_;
    offer.attempt = ++attempt_;
    offer.last = page_->last;
    offer.objects = page_->objects;
    offer.entries = page_->entries;
    offer.seal = page_->seal;
    offer.version = page_->version;
    out_.emplace_back(Send{std::move(offer)});
}

std::size_t Sender::data_bytes() const {
    return std::min(limits_.frame_bytes, want_->credit_bytes);
}

// Sends what is read and fits the window, in full frames but for the stream's last; then reads
// ahead.
void Sender::pump() {
    while (state_ == State::streaming) {
        while (next_object_ < want_->missing.size() && !want_->missing[next_object_])
            ++next_object_;
        const bool more = next_object_ < want_->missing.size() || asked_ != 0;
        const std::size_t count = std::min(unsent(), data_bytes());
        if (count == 0 || (count < data_bytes() && more)) break;
        if (frame_ends_.size() >= limits_.frames_in_flight ||
            in_flight_bytes() + count > want_->credit_bytes)
            break;
        if (allowed_ && *allowed_ < count) break;
        send_data(count);
    }
    ask();
}

void Sender::send_data(std::size_t count) {
    Data data{plan_, want_->number, sent_, {}};
    data.bytes.reserve(count);
    while (data.bytes.size() < count) {
        Pending& next = pending_.front();
        const ByteView part =
            ByteView(*next.frame)
                .subspan(next.at)
                .first(std::min(next.frame->size() - next.at, count - data.bytes.size()));
        data.bytes.insert(data.bytes.end(), part.begin(), part.end());
        next.at += part.size();
        if (next.at == next.frame->size()) pending_.pop_front();
    }
    unsent_ -= count;
    sent_ += count;
    frame_ends_.push_back(sent_);
    if (allowed_) *allowed_ -= count;
    counters_.stream_bytes += count;
    out_.emplace_back(Send{std::move(data)});
}

std::uint64_t Sender::bytes_left() const {
    if (!want_) return 0;
    std::uint64_t bytes = unsent();
    for (std::size_t i = next_object_; i < want_->missing.size(); ++i)
        if (want_->missing[i]) bytes += page_->objects[i].stored_length;
    return bytes;
}

void Sender::drop_stream() {
    want_.reset();
    next_object_ = 0;
    first_object_ = false;
    pending_.clear();
    unsent_ = 0;
    sent_ = 0;
    credited_ = 0;
    frame_ends_.clear();
    if (asked_ != 0) stale_ = true;
}

void Sender::drop_plan() {
    drop_stream();
    deadline_.reset();
    offered_since_.reset();
    plan_ = 0;
    page_ = {};
    done_ = {};
    reopen_due_ = false;
}

// ---- waiting and asking ----

void Sender::wait(std::uint64_t delay_ms) {
    const bool reopen = reopen_due_;
    drop_plan();
    reopen_due_ = reopen;
    state_ = State::waiting;
    deadline_ = now_ + (delay_ms / 2 + random_.below(delay_ms / 2 + 1));
}

// The answer to the page that is offered.
void Sender::heard() {
    if (offered_since_) answer_took_ms_ = now_.ms - offered_since_->ms;
    offered_since_.reset();
}

void Sender::arm_silence() {
    std::uint64_t usual = options_.silence_ms;
    if (state_ == State::offered)
        usual = std::max(usual, std::min(3 * answer_took_ms_, options_.usual_silence_ms_max));
    const std::uint64_t doubled = usual << std::min<std::uint32_t>(silences_, 20);
    const std::uint64_t delay_ms = std::min(doubled, options_.silence_ms_max);
    deadline_ = now_ + (delay_ms / 2 + random_.below(delay_ms / 2 + 1));
}

// Asks the owner for what the present state needs, unless an earlier question is still open.
void Sender::ask() {
    if (asked_ != 0) return;
    const Ticket ticket = last_ticket_ + 1;
    switch (state_) {
        case State::planning:
            woken_ = false;
            out_.emplace_back(MakePlan{ticket});
            break;
        case State::paging: out_.emplace_back(ReadPage{ticket, page_number_, whole_}); break;
        case State::logging:
            out_.emplace_back(LogReceipt{ticket, done_.receipt, done_.refused});
            break;
        case State::streaming: {
            if (next_object_ >= want_->missing.size() || unsent() >= data_bytes()) return;
            const std::size_t i = next_object_++;
            out_.emplace_back(ReadObject{ticket, page_->objects[i].key, want_->base_held[i]});
            break;
        }
        default: return;
    }
    asked_ = last_ticket_ = ticket;
    stale_ = false;
}

// True when this is the answer we wait for. An answer that came too late only makes room for the
// next question.
bool Sender::answered(Ticket ticket) {
    if (ticket == 0 || ticket != asked_) return false;
    asked_ = 0;
    if (!std::exchange(stale_, false)) return true;
    if (state_ == State::streaming)
        pump();
    else
        ask();
    return false;
}

}  // namespace tributary::sync
