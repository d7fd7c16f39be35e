#include "common/sync/caster.h"

#include <algorithm>
#include <utility>

namespace tributary::sync {
namespace {

// Fragments of one generation in one pass; who lacks some then is put aside.
constexpr std::uint32_t sent_max(std::uint32_t fragments) { return 2 * fragments + 16; }

// A device that lacks more than this does not share the others' line: what it lacks would be sent
// to all. Nine of ten lack less, or are fewer than ten.
std::uint32_t usual_lack(std::vector<std::uint32_t> lacks) {
    std::ranges::sort(lacks);
    return 2 * lacks[lacks.size() * 9 / 10] + 16;
}

}  // namespace

CasterActions Caster::step(MonoTime now, CasterEvent event) {
    now_ = now;
    if (phase_ != Phase::over) {
        std::visit([this](auto& e) { on(e); }, event);
        advance();
    }
    return std::exchange(out_, {});
}

// ---- events ----

void Caster::on(Invited& event) {
    if (members_.empty()) started_ = now_;
    const auto [at, fresh] = members_.try_emplace(std::move(event.device));
    if (fresh) at->second.heard = now_;
}

void Caster::on(Withdrawn& event) {
    const auto found = members_.find(event.device);
    if (found != members_.end()) finish(found->first, found->second, false);
}

void Caster::on(SessionRenewed& event) {
    const auto found = members_.find(event.device);
    if (found != members_.end()) found->second.number = 0;
}

void Caster::on(Reported& event) {
    const auto found = members_.find(event.device);
    CastReport& report = event.report;
    if (found == members_.end() || found->second.state == Member::State::finished ||
        report.number <= found->second.number) {
        ++counters_.ignored;
        return;
    }
    Member& member = found->second;
    member.number = report.number;
    member.heard = now_;
    // It has started anew, and lost what it had a part of.
    if (report.seen < member.seen) member.joined = serial_;
    member.seen = std::min(report.seen, serial_);
    member.held = std::move(report.held);
    member.lacks = std::move(report.lacks);
    if (report.state != CastState::taking_part)
        return finish(found->first, member, report.state == CastState::whole);
    if (member.state == Member::State::invited) {
        member.state = Member::State::active;
        member.joined = serial_;
    }
}

void Caster::on(const Prepared& event) {
    const auto open = std::ranges::find_if(
        open_, [&](const Open& o) { return o.generation == event.generation && !o.prepared; });
    if (open == open_.end()) return;
    open->prepared = true;
    if (event.generation == known_.size()) known_.push_back({event.fragments, 0});
    if (event.last) total_ = event.generation + 1;
    std::uint32_t needed = 0;  // all of it at first; a further pass may be for less
    for (const auto& [device, member] : members_)
        if (member.state == Member::State::active)
            needed = std::max(needed, lack_of(member, event.generation));
    open->batch_left = pass_ == 1 ? event.fragments : needed;
}

void Caster::on(const NotPrepared&) {
    for (auto& [device, member] : members_) finish(device, member, false);
}

void Caster::on(const Room& event) { room_ = event.fragments; }

// Nobody could be heard meanwhile.
void Caster::on(const Connected&) {
    link_up_ = true;
    for (auto& [device, member] : members_) member.heard = std::max(member.heard, now_);
    for (Open& open : open_) {
        if (open.batch_done) open.batch_done = now_;
        if (open.first_done) open.first_done = now_;
    }
}

void Caster::on(const Disconnected&) {
    link_up_ = false;
    room_ = 0;
}

// ---- what follows from them ----

void Caster::advance() {
    deadline_.reset();
    if (!link_up_) return;
    if (phase_ == Phase::gathering) gather();
    if (phase_ == Phase::casting) {
        drop_silent();
        for (bool more = true; more;) {
            more = std::ranges::any_of(open_, [this](Open& open) { return judge(open); }) ||
                   open_next() || end_pass();
        }
        publish();
    }
    if (phase_ == Phase::finishing) finish_up();
    if (!members_.empty() && count(Member::State::finished) == members_.size()) {
        while (!open_.empty()) close(open_.front().generation);
        phase_ = Phase::over;
        deadline_.reset();
        out_.emplace_back(Over{});
    }
}

void Caster::gather() {
    const MonoTime gathered = started_ + options_.gather_ms;
    if (now_ < gathered) return wake_at(gathered);
    const MonoTime joined = started_ + options_.join_ms;
    if (now_ < joined && count(Member::State::invited) != 0) return wake_at(joined);
    if (count(Member::State::active) >= 2) {
        phase_ = Phase::casting;
    } else {
        phase_ = Phase::finishing;  // for one device its own push does as well
        started_ = now_;
    }
}

void Caster::drop_silent() {
    std::vector<Member*> silent;
    for (auto& [device, member] : members_) {
        if (member.state == Member::State::invited) {
            const MonoTime too_late = member.heard + options_.join_ms;
            if (now_ >= too_late)
                finish(device, member, false);
            else
                wake_at(too_late);
        } else if (member.state == Member::State::active) {
            if (is_lively(member))
                wake_at(member.heard + options_.silent_ms);
            else
                silent.push_back(&member);
        }
    }
    put_aside(silent);
}

// True when it was closed, or is being repaired, so that everything is to be looked at again.
bool Caster::judge(Open& open) {
    if (!open.prepared || open.batch_left > 0) return false;
    if (!open.batch_done) {  // nobody lacked any of it
        close(open.generation);
        return true;
    }
    finish_deaf(open);
    const Standing standing = standing_of(open);
    const MonoTime straggling = *open.first_done + options_.straggler_ms;
    const MonoTime too_long = *open.first_done + options_.silent_ms;
    const bool give_up = now_ >= too_long ||
                         (now_ >= straggling && standing.holding >= standing.waiting.size()) ||
                         open.sent >= sent_max(known_[open.generation].fragments);
    if (standing.waiting.empty() || give_up) {
        put_aside(standing.waiting);
        close(open.generation);
        return true;
    }
    if (repair(open, standing)) return true;
    wake_at(now_ < straggling ? straggling : too_long);
    return false;
}

// Who reports, and has not heard a single fragment: its broker does not let it, as an ACL would.
void Caster::finish_deaf(const Open& open) {
    const MonoTime due = *open.batch_done + options_.report_ms;
    for (auto& [device, member] : members_)
        if (member.state == Member::State::active && member.joined < open.first_serial &&
            member.seen == 0 && member.heard >= due)
            finish(device, member, false);
}

// Once all have said what they lack of it, or those had time enough to say so who did not.
bool Caster::repair(Open& open, const Standing& standing) {
    const MonoTime due = *open.batch_done + options_.report_ms;
    std::vector<std::uint32_t> lacks(standing.holding, 0);
    std::uint32_t most = 0;
    bool all = true;
    for (const Member* member : standing.waiting) {
        const bool knows = member->seen >= open.batch_end || member->heard >= due;
        all = all && knows;
        lacks.push_back(knows ? lack_of(*member, open.generation) : 0);
        most = std::max(most, lacks.back());
    }
    if (!all && now_ < due) {
        wake_at(due);
        return false;
    }
    if (most == 0) return false;  // they are storing it, or were not heard

    const std::uint32_t usual = usual_lack(lacks);
    if (most > usual) {
        std::vector<Member*> unusual;
        for (std::size_t i = 0; i < standing.waiting.size(); ++i)
            if (lacks[standing.holding + i] > usual) unusual.push_back(standing.waiting[i]);
        put_aside(unusual);
        return true;
    }
    open.batch_left = most;
    counters_.repairs += most;
    open.batch_done.reset();
    return false;
}

// The next one that somebody lacks; in a further pass: that two lack, for whom this is cheaper than
// two pushes.
bool Caster::open_next() {
    if (open_.size() == kOpenGenerationsMax || count(Member::State::active) == 0) return false;
    if (std::ranges::any_of(open_, [](const Open& open) { return !open.prepared; })) return false;
    for (; !total_ || cursor_ < *total_; ++cursor_) {
        const bool known = cursor_ < known_.size();
        if (known && pass_ > 1 && lacking(cursor_, false) < 2) continue;
        if (std::ranges::any_of(open_, [&](const Open& o) { return o.generation == cursor_; }))
            continue;
        Open open;
        open.generation = cursor_++;
        open_.push_back(open);
        out_.emplace_back(Prepare{open.generation});
        return true;
    }
    return false;
}

bool Caster::end_pass() {
    if (!open_.empty() || count(Member::State::invited) != 0) return false;
    const bool all_seen = total_ && cursor_ >= *total_;
    if (!all_seen && count(Member::State::active) != 0) return false;
    bool worthwhile = false;
    const auto generations = static_cast<std::uint32_t>(known_.size());
    for (std::uint32_t g = 0; g < generations + (total_ ? 0 : 1) && !worthwhile; ++g)
        worthwhile = lacking(g, true) >= 2;
    if (!worthwhile || pass_ == options_.passes_max) {
        phase_ = Phase::finishing;
        started_ = now_;
        return false;
    }
    ++pass_;
    cursor_ = 0;
    for (auto& [device, member] : members_)
        if (member.state == Member::State::aside && is_lively(member)) {
            member.state = Member::State::active;
            member.joined = serial_;
        }
    return true;
}

// Who has everything may still be making it durable.
void Caster::finish_up() {
    const MonoTime end = started_ + options_.finish_ms;
    for (auto& [device, member] : members_)
        if (member.state != Member::State::finished && (now_ >= end || !holds_all(member)))
            finish(device, member, false);
    wake_at(end);
}

// One batch after another, as far as there is room: so a device that sees the end of a batch knows
// what it lacks.
void Caster::publish() {
    while (room_ > 0) {
        const auto open = std::ranges::find_if(open_, [this](const Open& o) {
            return o.batch_left > 0 && (!sending_ || *sending_ == o.generation);
        });
        if (open == open_.end()) return;
        sending_ = open->generation;
        const auto index =
            static_cast<std::uint32_t>(known_[open->generation].next_index++ % kFragmentsMax);
        ++serial_;
        if (open->first_serial == 0) open->first_serial = serial_;
        ++open->sent;
        --open->batch_left;
        --room_;
        ++counters_.fragments;
        out_.emplace_back(PublishFragment{open->generation, index, serial_, open->batch_left});
        if (open->batch_left == 0) end_batch(*open);
    }
}

void Caster::end_batch(Open& open) {
    sending_.reset();
    open.batch_end = serial_;
    open.batch_done = now_;
    if (!open.first_done) open.first_done = now_;
    wake_at(now_ + options_.report_ms);
}

// ---- members ----

void Caster::finish(const std::string& device, Member& member, bool whole) {
    if (member.state == Member::State::finished) return;
    member.state = Member::State::finished;
    out_.emplace_back(Finished{device, whole});
}

// For the rest of this pass.
void Caster::put_aside(const std::vector<Member*>& members) {
    for (Member* member : members) member->state = Member::State::aside;
    counters_.put_aside += members.size();
}

void Caster::close(std::uint32_t generation) {
    std::erase_if(open_, [&](const Open& open) { return open.generation == generation; });
    out_.emplace_back(Release{generation});
}

void Caster::wake_at(MonoTime when) {
    if (when > now_ && (!deadline_ || when < *deadline_)) deadline_ = when;
}

Caster::Standing Caster::standing_of(const Open& open) {
    Standing standing;
    for (auto& [device, member] : members_) {
        if (member.state != Member::State::active || member.joined >= open.first_serial) continue;
        if (holds(member, open.generation))
            ++standing.holding;
        else
            standing.waiting.push_back(&member);
    }
    return standing;
}

bool Caster::holds(const Member& member, std::uint32_t generation) const {
    return generation < member.held.size() && member.held[generation];
}

bool Caster::holds_all(const Member& member) const {
    if (!total_) return false;
    for (std::uint32_t g = 0; g < *total_; ++g)
        if (!holds(member, g)) return false;
    return true;
}

std::uint32_t Caster::lack_of(const Member& member, std::uint32_t generation) const {
    if (holds(member, generation)) return 0;
    const std::uint32_t all = known_[generation].fragments;
    for (const CastReport::Lack& lack : member.lacks)
        if (lack.generation == generation) return std::min(lack.fragments, all);
    return all;
}

std::size_t Caster::lacking(std::uint32_t generation, bool also_aside) const {
    return static_cast<std::size_t>(std::ranges::count_if(members_, [&](const auto& item) {
        const Member& member = item.second;
        const bool counts = member.state == Member::State::active ||
                            (also_aside && member.state == Member::State::aside);
        return counts && is_lively(member) && !holds(member, generation);
    }));
}

std::size_t Caster::count(Member::State state) const {
    return static_cast<std::size_t>(std::ranges::count_if(
        members_, [&](const auto& item) { return item.second.state == state; }));
}

bool Caster::is_lively(const Member& member) const {
    return now_ < member.heard + options_.silent_ms;
}

bool Caster::serves(const std::string& device) const {
    const auto found = members_.find(device);
    return found != members_.end() && found->second.state != Member::State::finished;
}

std::optional<Caster::Progress> Caster::progress(const std::string& device) const {
    if (!serves(device)) return std::nullopt;
    const std::vector<bool>& held = members_.at(device).held;
    const auto stored = static_cast<std::uint32_t>(std::ranges::count(held, true));
    return Progress{stored, total_};
}

}  // namespace tributary::sync
