#include "common/sync/receiver.h"

#include <algorithm>
#include <utility>

namespace tributary::sync {
namespace {

constexpr std::uint32_t kObjectFailuresMax = 3;
constexpr std::uint32_t kRestartsMax = 3;

RefuseReason reason_of(const Error& error) {
    switch (error.code) {
        case Errc::invalid:
        case Errc::corrupt:
        case Errc::unsupported: return RefuseReason::malformed;
        case Errc::denied:
        case Errc::erased: return RefuseReason::denied;
        case Errc::conflict: return RefuseReason::conflict;
        default: return RefuseReason::busy;
    }
}

}  // namespace

Receiver::Receiver(ReceiverOptions options)
    : options_(options), offers_(options.offers_at_once, options.offer_every_ms) {
    options_.credit_bytes =
        std::clamp<std::uint32_t>(options_.credit_bytes, 1, limits::kCreditBytesMax);
}

Actions Receiver::step(MonoTime now, Event event) {
    now_ = now;
    std::visit(
        [this](auto& e) {
            if constexpr (requires { on(e); }) on(e);
        },
        event);
    return std::exchange(out_, {});
}

// ---- the session ----

void Receiver::on(const Opened& event) {
    open_ = true;
    limits_ = event.limits;
    forget_plan();
}

void Receiver::on(const Closed&) {
    open_ = false;
    forget_plan();
}

// Plans belong to a session. What was received of a record does not: it is found again by its key.
void Receiver::forget_plan() {
    if (state_ == State::storing) advance();  // the buffer holds what follows
    begin_plan(0);
}

Beginning Receiver::beginning() const {
    if (state_ != State::storing) return {partial_key_, partial_based_, buffer_};
    const std::size_t next = next_missing(at_ + 1);
    if (next >= missing_.size()) return {};
    return {page_->objects[next].key, base_held_[next], buffer_};
}

// What came of a record, and the turn.
void Receiver::put_aside() {
    if (!buffer_.empty()) out_.emplace_back(KeepBeginning{beginning()});
    buffer_ = {};
    end_turn();
}

void Receiver::begin_plan(std::uint64_t plan) {
    plan_ = plan;
    page_number_ = 0;
    attempt_ = 0;
    restarts_ = 0;
    answer_.reset();
    page_.reset();
    state_ = State::idle;
    if (options_.turn_bytes != 0) put_aside();  // else it stays here
    if (asked_ != 0) stale_ = true;
}

void Receiver::on(const MayTake& event) {
    allowed_ = event.bytes;
    proceed();
}

void Receiver::on(ReceivedBefore& event) {
    if (options_.turn_bytes != 0 || !buffer_.empty()) return;
    if (state_ != State::idle && state_ != State::checking) return;
    partial_key_ = event.beginning.key;
    partial_based_ = event.beginning.based;
    buffer_ = std::move(event.beginning.bytes);
    arm_idle();
}

void Receiver::on(const Rest& event) {
    if (event.ms != 0 && (state_ == State::idle || state_ == State::receiving)) free_memory();
}

void Receiver::on(const Tick&) {
    if (!deadline_ || now_ < *deadline_) return;
    deadline_.reset();
    // What we hold back ourselves is still to come.
    if ((state_ == State::idle || state_ == State::receiving) && may_take())
        free_memory();
    else
        arm_idle();
}

void Receiver::arm_idle() {
    deadline_ = now_ + (has_turn_ ? options_.turn_idle_ms : options_.idle_ms);
}

void Receiver::free_memory() {
    put_aside();
    drop_page();
}

void Receiver::drop_page() {
    page_.reset();
    state_ = State::idle;
    missing_ = {};
    base_held_ = {};
}

// ---- the Sender's messages ----

void Receiver::on(Arrived& event) {
    if (!open_) {
        ++counters_.ignored;
        return;
    }
    std::visit(
        [this](auto& message) {
            if constexpr (requires { on_message(message); })
                on_message(message);
            else
                ++counters_.ignored;
        },
        event.body);
}

void Receiver::on_message(Offer& offer) {
    // A Sender never goes back to an earlier plan; a copy of an earlier Offer would throw us back.
    const bool old = offer.plan < plan_ || (offer.plan == plan_ && offer.attempt <= attempt_);
    const bool brings = offer.last || !offer.objects.empty() || !offer.entries.empty();
    const bool next_page =
        offer.plan == plan_ && offer.page == page_number_ && !page_ && turn_asked_ == 0 && !answer_;
    if (old || state_ == State::committing) {
        ++counters_.ignored;
        return;
    }
    if ((!next_page || !brings) && !offers_.take(now_)) {
        ++counters_.excess;
        return;
    }
    if (offer.plan != plan_) {
        if (state_ == State::storing) advance();
        begin_plan(offer.plan);
    }
    attempt_ = offer.attempt;
    if (!has_turn_) arm_idle();  // a turn is for content
    if (answer_) return send(*answer_);
    if (offer.page != page_number_) return next();
    if (turn_asked_ != 0) return still_waiting();
    if (!page_) return take_page(offer);
    if (state_ != State::receiving) return;
    const bool was_over = turn_is_over_;
    want();
    if (was_over) still_waiting();  // so that it sends no more of what was asked for
}

void Receiver::on_message(Data& data) {
    const bool expected = data.plan == plan_ && data.number == number_ && !data.bytes.empty() &&
                          (has_turn_ || options_.turn_bytes == 0) &&
                          (state_ == State::receiving || state_ == State::storing);
    const bool within_credit = expected && data.offset == received_ &&
                               received_ + data.bytes.size() - credited_ <= credit_bytes_;
    if (!within_credit) {
        counters_.dropped_bytes += data.bytes.size();
        if (expected && data.offset > received_) want_due_ = true;
        if (state_ == State::receiving && want_due_) want();
        return;
    }
    if (!turn_is_over_) arm_idle();  // what is left of it takes no longer
    counters_.stream_bytes += data.bytes.size();
    received_ += data.bytes.size();
    if (allowed_) *allowed_ -= std::min<std::uint64_t>(*allowed_, data.bytes.size());
    ++frames_since_credit_;
    buffer_.insert(buffer_.end(), data.bytes.begin(), data.bytes.end());
    turn_taken_ += data.bytes.size();
    if (has_turn_ && now_ >= turn_began_ + options_.turn_ms_max) turn_is_over_ = true;
    proceed();
}

// ---- turns ----

namespace {

// As it would come: coded as it was offered, or not at all.
std::uint64_t frame_bytes(const OfferedObject& object, bool base_held) {
    const std::uint32_t payload = base_held || object.bases.empty()
                                      ? object.stored_length
                                      : std::max(object.stored_length, object.plain_length);
    return RecordHeader::kFixedBytes + kDigestBytes * object.bases.size() + 8 + payload;
}

std::size_t bytes_in_memory(const Offer& page) {
    std::size_t bytes = page.seal.size() + page.objects.size() * sizeof(OfferedObject);
    for (const OfferedObject& object : page.objects) bytes += object.bases.size() * sizeof(Digest);
    for (const Bytes& entry : page.entries) bytes += sizeof(Bytes) + entry.size();
    return bytes;
}

}  // namespace

// Whether content may be asked for now; else it is asked for when the turn is given.
bool Receiver::has_turn() {
    if (options_.turn_bytes == 0) {
        credit_bytes_ = options_.credit_bytes;
        return true;
    }
    if (!has_turn_ && turn_asked_ == 0) ask_for_turn();
    return has_turn_;
}

// What may be under way of the page or held in memory, by the credit for it.
std::uint64_t Receiver::part_for_page() {
    std::uint64_t bytes = 0, largest = 0;
    for (std::size_t i = at_; i < missing_.size(); ++i) {
        if (!missing_[i]) continue;
        const std::uint64_t frame = frame_bytes(page_->objects[i], base_held_[i]);
        bytes += frame;
        largest = std::max(largest, frame);
    }
    const std::uint64_t window =
        std::min<std::uint64_t>({options_.credit_bytes, bytes,
                                 std::uint64_t{limits_.frame_bytes} * limits_.frames_in_flight});
    credit_bytes_ = static_cast<std::uint32_t>(std::max<std::uint64_t>(window, 1));
    return std::min(bytes, window + largest);
}

void Receiver::ask_for_turn() {
    turn_part_ = part_for_page();
    said_waiting_ = false;
    turn_asked_ = ++last_ticket_;
    out_.emplace_back(TakeTurn{turn_asked_, turn_part_});
}

// As many pages would be held as boards wait, for as long as they do.
void Receiver::on(const TurnWaits& event) {
    if (event.ticket != turn_asked_ || turn_asked_ == 0 || !page_ || found_out_) return;
    if (bytes_in_memory(*page_) > options_.waiting_page_bytes) drop_page();
}

void Receiver::on(TurnGiven& event) {
    if (event.ticket != turn_asked_ || turn_asked_ == 0) return;
    turn_asked_ = 0;
    has_turn_ = true;
    turn_taken_ = 0;
    turn_began_ = now_;
    arm_idle();
    const bool resumes = event.beginning && event.beginning->key == partial_key_ &&
                         event.beginning->based == partial_based_ &&
                         (!page_ || fits_offer(event.beginning->bytes));
    if (resumes) buffer_ = std::move(event.beginning->bytes);
    if (!page_) return next();
    proceed();
}

void Receiver::end_turn() {
    if (!has_turn_ && turn_asked_ == 0) return;
    has_turn_ = false;
    turn_is_over_ = false;
    turn_asked_ = 0;
    want_due_ = true;
    out_.emplace_back(EndTurn{});
}

// So that it does not give us up. It offers at once again, which is not answered.
void Receiver::still_waiting() {
    said_waiting_ = !said_waiting_;
    if (said_waiting_) next();
}

// ---- one page ----

void Receiver::take_page(Offer& offer) {
    page_ = std::move(offer);
    found_out_ = false;
    if (page_->objects.empty()) return page_complete();
    state_ = State::checking;
    ask();
}

void Receiver::on(Checked& event) {
    if (!answered(event.ticket)) return;
    if (!event.status) {
        const Error& error = event.status.error();
        return refuse(reason_of(error), error.what, retry_ms(error));
    }
    const auto& objects = page_->objects;
    TRIBUTARY_CHECK(event.held.size() == objects.size());
    missing_.assign(objects.size(), false);
    base_held_.assign(objects.size(), true);
    for (std::size_t i = 0; i < objects.size(); ++i) {
        missing_[i] = !event.held[i].object;
        if (objects[i].bases.empty() || event.held[i].bases) continue;
        // A base that stands before it on this page will be here in time.
        base_held_[i] = std::ranges::all_of(objects[i].bases, [&](const Digest& base) {
            const RecordKey key{objects[i].key.kind, base};
            return std::any_of(objects.begin(), objects.begin() + static_cast<std::ptrdiff_t>(i),
                               [&](const OfferedObject& earlier) { return earlier.key == key; });
        });
    }
    failures_ = 0;
    at_ = next_missing(0);
    if (at_ == missing_.size()) return page_complete();

    if (partial_key_ != objects[at_].key) pass_over_first_record();
    const bool resumes = partial_key_ == objects[at_].key && partial_based_ == base_held_[at_] &&
                         fits_offer(buffer_);
    if (!resumes) buffer_.clear();
    partial_key_ = objects[at_].key;
    partial_based_ = base_held_[at_];
    if (has_turn_ && part_for_page() > turn_part_) put_aside();  // it was for less
    want_due_ = true;
    state_ = State::receiving;
    proceed();
}

// Its owner held it back, and kept it before what follows it; it is here by now.
void Receiver::pass_over_first_record() {
    const auto first = parse_record_header(buffer_);
    if (!first || first->record_bytes() > buffer_.size()) return;
    buffer_.erase(buffer_.begin(),
                  buffer_.begin() + static_cast<std::ptrdiff_t>(first->record_bytes()));
    const auto next = parse_record_header(buffer_);
    if (!next) return;
    partial_key_ = next->key();
    partial_based_ = next->base_count != 0 || page_->objects[at_].bases.empty();
}

void Receiver::want() {
    if (turn_is_over_) put_aside();
    if (!may_take() || !has_turn()) {
        want_due_ = true;
        return;
    }
    received_ = credited_ = 0;
    frames_since_credit_ = 0;
    want_due_ = false;
    Want want;
    want.plan = plan_;
    want.page = page_number_;
    want.number = ++number_;
    want.missing = missing_;
    want.base_held = base_held_;
    want.resume_offset = static_cast<std::uint32_t>(buffer_.size());
    want.credit_bytes = credit_bytes_;
    send(std::move(want));
}

// Once something that was left out is missing the plan goes on with all of it.
void Receiver::next() { send(Next{plan_, page_number_, ++number_, restarts_ != 0}); }

std::size_t Receiver::next_missing(std::size_t at) const {
    while (at < missing_.size() && !missing_[at]) ++at;
    return at;
}

// Past the object that was just stored.
void Receiver::advance() {
    missing_[at_] = false;
    failures_ = 0;
    at_ = next_missing(at_);
    if (at_ == missing_.size()) {
        buffer_ = {};
        return end_turn();
    }
    partial_key_ = page_->objects[at_].key;
    partial_based_ = base_held_[at_];
}

void Receiver::page_complete() {
    if (has_turn_) put_aside();  // all that was waited for is here
    page_->objects = {};
    missing_ = {};
    base_held_ = {};
    if (page_->last) {
        state_ = State::committing;
        return ask();
    }
    page_.reset();
    state_ = State::idle;
    ++page_number_;
    next();
}

std::uint64_t Receiver::bytes_left() const {
    if (!taking()) return 0;
    std::uint64_t bytes = 0;
    for (std::size_t i = at_; i < missing_.size(); ++i)
        if (missing_[i]) bytes += page_->objects[i].stored_length;
    return bytes - std::min<std::uint64_t>(bytes, buffer_.size());
}

// ---- the stream ----

// Takes the next whole record from the buffer, if one is there; else asks for more where that is
// due.
void Receiver::proceed() {
    if (state_ != State::receiving) return;
    if (const Status taken = take_record(); !taken) {
        ++counters_.unsound_frames;
        return object_failed(taken.error());
    }
    if (state_ != State::receiving) return;
    if (want_due_) return want();
    if (turn_is_over_) return wind_up();
    credit_if_due();
}

Status Receiver::take_record() {
    constexpr std::size_t kBaseCountAt = 20;
    if (buffer_.size() <= kBaseCountAt) return {};
    const std::size_t bases = buffer_[kBaseCountAt];
    if (bases > limits::kBasesMax) return fail(Errc::corrupt, "a record with too many bases");
    if (buffer_.size() < RecordHeader::kFixedBytes + kDigestBytes * bases + 4) return {};
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(buffer_));
    TRIBUTARY_TRY(check_header(header));
    const std::size_t size = header.record_bytes();
    if (options_.turn_bytes != 0 && size > frame_bytes(page_->objects[at_], base_held_[at_])) {
        // Coded anew since it was offered: asked for as what it is, once.
        if (page_->objects[at_].stored_length == header.stored_length)
            return fail(Errc::corrupt, "a record that is larger than it says");
        page_->objects[at_].stored_length = header.stored_length;
        found_out_ = true;
        buffer_ = {};
        end_turn();
        return {};
    }
    if (buffer_.size() < size) {
        buffer_.reserve(size + limits::kDataBytesMax);  // and the start of the next
        return {};
    }

    const auto end = buffer_.begin() + static_cast<std::ptrdiff_t>(size);
    Bytes rest(end, buffer_.end());
    buffer_.resize(size);
    state_ = State::storing;
    asked_ = ++last_ticket_;
    stale_ = false;
    out_.emplace_back(
        Store{asked_, header.key(), std::exchange(buffer_, std::move(rest)), partial_based_});
    return {};
}

Status Receiver::check_header(const RecordHeader& header) const {
    const OfferedObject& offered = page_->objects[at_];
    if (header.key() != offered.key || header.plain_length != offered.plain_length)
        return fail(Errc::corrupt, "another record than the one that was offered");
    for (const Digest& base : header.bases())
        if (!base_held_[at_] || std::ranges::find(offered.bases, base) == offered.bases.end())
            return fail(Errc::corrupt, "a record coded on a base that is not held here");
    return {};
}

// It can go on: not if it was coded on another base than now, or has not said on which.
bool Receiver::fits_offer(ByteView begun) const {
    const auto header = parse_record_header(begun);
    return header && check_header(*header);
}

void Receiver::on(Stored& event) {
    if (!answered(event.ticket)) return;
    state_ = State::receiving;
    if (!event.status) return object_failed(event.status.error());
    advance();
    if (at_ == missing_.size()) return page_complete();
    if (event.turn_is_wanted && turn_taken_ >= options_.turn_bytes) turn_is_over_ = has_turn_;
    proceed();
}

// Asked for once more as it was (the bytes may have been of two codings), then without base, then
// the plan is refused.
void Receiver::object_failed(const Error& error) {
    ++counters_.bad_frames;
    found_out_ = true;
    buffer_.clear();
    const RefuseReason reason = reason_of(error);
    const bool base_missing = error.code == Errc::not_found;
    if (reason != RefuseReason::malformed && !base_missing)
        return refuse(reason, error.what, retry_ms(error));
    if (++failures_ > kObjectFailuresMax)
        return refuse(RefuseReason::malformed,
                      "object " + page_->objects[at_].key.name.text() + ": " + error.what);
    if (failures_ > 1 || base_missing) {
        base_held_[at_] = page_->objects[at_].bases.empty();
        end_turn();  // it may be larger now
    }
    partial_based_ = base_held_[at_];
    want();
}

// Half a window at a time, so that the Sender need not stop.
void Receiver::credit_if_due() {
    const std::uint64_t taken = received_ - credited_;
    const bool due =
        frames_since_credit_ * 2 >= limits_.frames_in_flight || taken * 2 >= credit_bytes_;
    if (taken == 0 || !due || !may_take()) return;
    credited_ = received_;
    frames_since_credit_ = 0;
    send(Credit{plan_, number_, credited_});
}

// A turn ends where nothing is on its way, and no more than a frame of the next record is here. The
// Sender sends whole frames, so credit for less than one is as good as used.
void Receiver::wind_up() {
    const std::uint64_t frame = std::min(limits_.frame_bytes, credit_bytes_);
    if (received_ - credited_ + frame <= credit_bytes_) return;
    const auto header = parse_record_header(buffer_);
    if (buffer_.size() <= frame || !header) return want();
    const std::uint64_t rest = header->record_bytes() - buffer_.size();
    const std::uint64_t frames = (rest + frame - 1) / frame;
    const std::uint64_t allowed = std::min<std::uint64_t>(frames * frame, credit_bytes_);
    credited_ = received_ + allowed - credit_bytes_;
    frames_since_credit_ = 0;
    send(Credit{plan_, number_, credited_});
}

// ---- the end of a plan ----

void Receiver::on(Committed& event) {
    if (!answered(event.ticket)) return;
    state_ = State::idle;
    if (event.result) {
        ++counters_.plans_committed;
        page_.reset();
        auto& refused = event.result->refused;
        if (refused.size() > limits::kRefusedItemsMax) refused.resize(limits::kRefusedItemsMax);
        for (RefusedItem& item : refused)
            item.reason.resize(std::min(item.reason.size(), limits::kReasonBytesMax));
        answer_ = Done{plan_, std::move(event.result->receipt), std::move(refused)};
        return send(*answer_);
    }
    const Error& error = event.result.error();
    if (error.code != Errc::not_found || restarts_ == kRestartsMax) {
        const RefuseReason reason = reason_of(error);
        return refuse(reason, error.what, reason == RefuseReason::busy ? retry_ms(error) : 0);
    }
    ++restarts_;
    page_.reset();
    page_number_ = 0;
    next();
}

void Receiver::refuse(RefuseReason reason, std::string text, std::uint32_t retry_after_ms) {
    free_memory();
    text.resize(std::min(text.size(), limits::kReasonBytesMax));
    answer_ = Refuse{reason, plan_, std::move(text), retry_after_ms};
    send(*answer_);
}

std::uint32_t Receiver::retry_ms(const Error& error) const {
    return error.code == Errc::exhausted ? options_.full_retry_ms : options_.busy_retry_ms;
}

// ---- asking the owner ----

void Receiver::ask() {
    if (asked_ != 0) return;
    if (state_ == State::checking)
        out_.emplace_back(Check{++last_ticket_, page_->objects});
    else if (state_ == State::committing)
        out_.emplace_back(Commit{++last_ticket_, page_->entries, page_->seal, page_->version});
    else
        return;
    asked_ = last_ticket_;
    stale_ = false;
}

// True when this is the answer we wait for. An answer that came too late only makes room for the
// next question.
bool Receiver::answered(Ticket ticket) {
    if (ticket == 0 || ticket != asked_) return false;
    asked_ = 0;
    if (!std::exchange(stale_, false)) return true;
    ask();
    return false;
}

void Receiver::send(Body body) { out_.emplace_back(Send{std::move(body)}); }

}  // namespace tributary::sync
