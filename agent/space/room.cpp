#include "agent/space/room.h"

#include <algorithm>

namespace tributary::agent {
namespace {

// Whether all that was promised then is so now.
bool stand(const std::vector<Receipt>& then, const std::vector<Receipt>& now) {
    return std::ranges::all_of(then, [&](const Receipt& old) {
        return std::ranges::any_of(now, [&](const Receipt& receipt) {
            return receipt.incarnation == old.incarnation && receipt.epoch == old.epoch &&
                   receipt.hub == old.hub && receipt.sequence >= old.sequence;
        });
    });
}

}  // namespace

RoomMaker::RoomMaker(Store& store, AskRule rule, RoomPlan plan)
    : store_(store), ask_rule_(std::move(rule)), plan_(plan) {
    report_.bytes_before = report_.bytes_after = stored();
}

Result<bool> RoomMaker::step() {
    if (compaction_) {
        TRIBUTARY_ASSIGN(const bool done, compaction_->step());
        return done && end_round();
    }
    if (!survey_) TRIBUTARY_TRY(begin_round());
    TRIBUTARY_ASSIGN(const bool whole, survey_->step());
    if (!whole) return false;
    report_.retention = survey_->found();
    survey_.reset();
    // The first round is for what nothing needs any more, too.
    if (round_ > 0 && report_.retention.may_go == 0 && !thins()) return true;
    TRIBUTARY_TRY(begin_compaction());
    return false;
}

Status RoomMaker::begin_round() {
    TRIBUTARY_ASSIGN(RetentionRule rule, ask_rule_());
    receipts_ = rule.receipts;
    if (!plan_.dry_run) rule.given_up.insert(report_.given_up.begin(), report_.given_up.end());
    survey_ = std::make_unique<RetentionSurvey>(store_, std::move(rule));
    return {};
}

Status RoomMaker::begin_compaction() {
    CompactionPlan plan;
    // The survey took its time: what was assigned, refused or taken back meanwhile stays.
    TRIBUTARY_ASSIGN(const RetentionRule rule, ask_rule_());
    const bool left_over = is_left_over();
    const bool thins_now = thins();
    const auto& found = report_.retention;
    const std::vector<VersionId>& candidates = thins_now ? found.middle : found.oldest;
    const std::size_t wanted = left_over ? 0 : how_many(candidates);
    if (thins_now)
        for (std::size_t i = 0; i < wanted; ++i)  // evenly, so that what is left spans the run
            plan.evict.push_back(candidates[i * candidates.size() / wanted]);
    else if (stand(receipts_, rule.receipts))
        plan.evict.assign(candidates.begin(),
                          candidates.begin() + static_cast<std::ptrdiff_t>(wanted));
    std::erase_if(plan.evict, [&](const VersionId& version) {
        return rule.in_use.contains(version) || rule.refused.contains(version);
    });
    plan.also_keep.assign(rule.in_use.begin(), rule.in_use.end());
    plan.target_bytes = plan_.all ? 0 : plan_.target_bytes;
    plan.dry_run = plan_.dry_run;
    // What came from the hub and is not said to be whole yet may be staged; it is safe in the log.
    TRIBUTARY_TRY(store_.commit());
    if (thins_now) TRIBUTARY_TRY(say_thinned(plan.evict));
    std::vector<VersionId> given_up = plan.evict;
    auto begun = store_.compact(plan);
    if (!begun && begun.error().code == Errc::exhausted && round_ == 0 && !thins_now) {
        // No room even to say what goes: first the segments that hold nothing any more.
        given_up.clear();
        plan.evict.clear();
        begun = store_.compact(std::move(plan));
    }
    TRIBUTARY_ASSIGN(compaction_, std::move(begun));
    auto& all = report_.given_up;
    if (plan_.dry_run) all.clear();  // each round has those of the one before
    all.insert(all.end(), given_up.begin(), given_up.end());
    if (thins_now) report_.thinned += given_up.size();
    if (!given_up.empty()) ++doublings_;
    return {};
}

// Only when nothing else has helped.
bool RoomMaker::thins() const {
    const Retention& found = report_.retention;
    return plan_.thin && round_ > 0 && found.may_go == 0 && !found.middle.empty();
}

// In the journal, before they are dropped: the hub then knows that they will not come.
Status RoomMaker::say_thinned(const std::vector<VersionId>& versions) {
    for (const VersionId& version : versions) {
        const auto said = store_.stage_entry(ThinnedBody{version});
        if (said) continue;
        store_.abandon_entries();
        return tl::make_unexpected(said.error());
    }
    return store_.commit();
}

// Whether something that was given up before is still here. It may be so for good, in a segment
// that is mostly alive; then this round costs some reading.
bool RoomMaker::is_left_over() const {
    const auto& last = report_.retention.last_given_up;
    if (round_ > 0 || !last) return false;
    const auto version = read_version(store_, *last);
    return version && store_.has({RecordKind::tree, version->tree.digest});
}

// True when there is no need for another round, or no use in it.
bool RoomMaker::end_round() {
    const CompactionReport& done = compaction_->report();
    const std::uint64_t copied = done.copied_bytes;
    report_.copied_bytes = plan_.dry_run ? copied : report_.copied_bytes + copied;
    report_.damage.insert(report_.damage.end(), done.damage.begin(), done.damage.end());
    const std::uint64_t gone = done.removed_bytes - std::min(done.removed_bytes, copied);
    report_.bytes_after =
        plan_.dry_run ? report_.bytes_before - std::min(gone, report_.bytes_before) : stored();
    compaction_.reset();
    ++round_;
    if (!plan_.all && report_.bytes_after <= plan_.target_bytes) return true;
    return plan_.dry_run && report_.given_up.size() == report_.retention.oldest.size();
}

std::size_t RoomMaker::how_many(const std::vector<VersionId>& candidates) const {
    const Retention& found = report_.retention;
    if (plan_.all || candidates.empty()) return candidates.size();
    // A dry run goes on from where the round before would have left it.
    const std::uint64_t now = plan_.dry_run ? report_.bytes_after : stored();
    const std::uint64_t before = plan_.dry_run ? report_.given_up.size() : 0;
    if (now <= plan_.target_bytes) return 0;  // damage that is to go gives nothing up
    const std::uint64_t needed = now - plan_.target_bytes;
    // A share of counts: no product of bytes and counts, which might not fit.
    const std::uint64_t percent = std::min<std::uint64_t>(100, needed / (now / 100 + 1) + 1);
    const std::uint64_t share = (found.held * percent + 99) / 100;
    const std::uint64_t wanted = before + (share << std::min(doublings_, 16U));
    return static_cast<std::size_t>(
        std::min<std::uint64_t>(std::max<std::uint64_t>(wanted, 1), candidates.size()));
}

}  // namespace tributary::agent
