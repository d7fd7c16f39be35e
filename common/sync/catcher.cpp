#include "common/sync/catcher.h"

#include <algorithm>
#include <utility>

namespace tributary::sync {
namespace {

// That it is whole is said so often, in case a report is lost.
constexpr std::uint32_t kFarewells = 3;

}  // namespace

CatcherActions Catcher::step(MonoTime now, CatcherEvent event) {
    now_ = now;
    std::visit([this](auto& e) { on(e); }, event);
    return std::exchange(out_, {});
}

bool Catcher::wants(const Fragment& fragment) const {
    if (state_ != State::taking_part || fragment.cast != cast_ || holds(fragment.generation))
        return false;
    if (const Part* part = part_of(fragment.generation))
        return part->lacks > 0 && part->bytes == fragment.generation_bytes &&
               !part->have[fragment.index];
    return true;
}

// ---- fragments ----

void Catcher::on(const FragmentArrived& event) {
    if (state_ != State::taking_part) return;
    heard_ = now_;
    silences_ = 0;
    seen_ = std::max(seen_, event.serial);
    if (event.last) total_ = event.generation + 1;
    Part* part = room_for(event);
    const bool is_new = part != nullptr && part->lacks > 0 && !part->have[event.index];
    if (is_new) {
        part->have.set(event.index);
        part->touched = std::max(part->touched, event.serial);
        part->batch_end = std::max(part->batch_end, event.serial + event.left);
        out_.emplace_back(KeepFragment{event.generation, event.index, part->shape});
        if (--part->lacks == 0) out_.emplace_back(StoreGeneration{event.generation, part->bytes});
    }
    report_ends();
    arm();
}

const Catcher::Part* Catcher::part_of(std::uint32_t generation) const {
    const auto found = std::ranges::find(parts_, generation, &Part::generation);
    return found == parts_.end() ? nullptr : &*found;
}

// The part that this fragment belongs to, made if need be; none when it is of no use.
Catcher::Part* Catcher::room_for(const FragmentArrived& event) {
    if (holds(event.generation)) return nullptr;
    if (const Part* part = part_of(event.generation)) return const_cast<Part*>(part);
    if (parts_.size() == kOpenGenerationsMax) {
        // The hub left the one behind of which nothing came for longest. A straggler of that one's
        // time does not drive out what is newer.
        auto oldest = parts_.end();
        for (auto at = parts_.begin(); at != parts_.end(); ++at)
            if (at->lacks > 0 && (oldest == parts_.end() || at->touched < oldest->touched))
                oldest = at;
        if (oldest == parts_.end() || event.serial < oldest->touched) return nullptr;
        out_.emplace_back(ForgetGeneration{oldest->generation});
        parts_.erase(oldest);
    }
    Part part;
    part.generation = event.generation;
    part.bytes = event.generation_bytes;
    part.shape = shape_of(event.generation_bytes, options_.fragment_bytes_max);
    part.lacks = part.shape.fragments;
    return &parts_.emplace_back(part);
}

// Once for each batch that has ended without making its generation whole.
void Catcher::report_ends() {
    bool due = false;
    for (Part& part : parts_) {
        if (part.lacks == 0 || part.batch_end > seen_ || part.told_end == part.batch_end) continue;
        part.told_end = part.batch_end;
        due = true;
    }
    if (due) report();
}

// ---- the owner's answers ----

void Catcher::on(GenerationStored& event) {
    const auto part = std::ranges::find(parts_, event.generation, &Part::generation);
    if (part == parts_.end() || part->lacks > 0) return;
    parts_.erase(part);
    if (state_ != State::taking_part) return;
    if (!event.status) {
        const Errc code = event.status.error().code;
        const bool damaged = code == Errc::corrupt || code == Errc::invalid;
        if (!damaged || ++failures_ > options_.failures_max) return leave(false);
        return report();  // all of it is lacking again
    }
    if (event.generation >= held_.size()) held_.resize(event.generation + 1);
    held_[event.generation] = true;
    ++held_count_;
    report();
    commit_if_all_held();
}

void Catcher::commit_if_all_held() {
    if (!total_ || held_count_ < *total_) return;
    state_ = State::committing;
    deadline_.reset();
    out_.emplace_back(CommitVersion{});
}

void Catcher::on(const VersionCommitted& event) {
    if (state_ == State::committing) leave(event.status.has_value());
}

void Catcher::on(const Unwanted&) {
    if (state_ == State::taking_part || state_ == State::committing) leave(false);
}

void Catcher::leave(bool whole) {
    state_ = whole ? State::whole : State::gone;
    report();
    parts_.clear();
    silences_ = 0;
    arm();
    out_.emplace_back(LeaveCast{whole});
}

// ---- link and time ----

void Catcher::on(const Connected&) {
    connected_ = true;
    if (heard_ == MonoTime{}) heard_ = now_;
    silences_ = 0;
    report();
    arm();
}

void Catcher::on(const Disconnected&) {
    connected_ = false;
    deadline_.reset();
}

void Catcher::on(const Tick&) {
    if (!deadline_ || now_ < *deadline_) return;
    deadline_.reset();
    if (state_ == State::taking_part && now_ >= heard_ + options_.abandoned_ms) return leave(false);
    ++silences_;
    report();
    arm();
}

// The next report, should nothing give cause for one before.
void Catcher::arm() {
    deadline_.reset();
    const bool more =
        state_ == State::taking_part || (state_ == State::whole && silences_ + 1 < kFarewells);
    if (!connected_ || !more) return;
    const std::uint64_t delay_ms =
        std::min(options_.silence_ms << std::min(silences_, 20u), options_.silence_ms_max);
    deadline_ = now_ + (delay_ms / 2 + random_.below(delay_ms / 2 + 1));
}

void Catcher::report() {
    CastReport report;
    report.cast = cast_;
    report.number = ++number_;
    report.state = state_ == State::whole  ? CastState::whole
                   : state_ == State::gone ? CastState::leaving
                                           : CastState::taking_part;
    report.seen = seen_;
    report.held = held_;
    for (const Part& part : parts_) report.lacks.push_back({part.generation, part.lacks});
    out_.emplace_back(SendCastReport{std::move(report)});
}

}  // namespace tributary::sync
