#include "agent/space/space_keeper.h"

#include <algorithm>

#include "agent/space/in_use.h"
#include "agent/sync/uplink.h"
#include "common/base/words.h"
#include "common/text/log.h"

namespace tributary::agent {

SpaceLimits space_limits(const SizeOrPercent& quota, std::uint64_t disk_bytes) {
    SpaceLimits limits;
    limits.quota_bytes = quota.bytes;
    if (quota.percent != 0)
        limits.quota_bytes =
            disk_bytes == 0 ? 0 : std::max(disk_bytes / 100 * quota.percent, kShareBytesMin);
    if (limits.quota_bytes != 0)
        limits.segment_bytes = std::clamp<std::uint64_t>(
            limits.quota_bytes / 16, Store::kBatchBytes, limits::kSegmentBytesDevice);
    return limits;
}

SpaceKeeper::SpaceKeeper(Files& files, Clock& clock, Store& store, const Config& config,
                         SpaceLimits limits)
    : files_(files),
      clock_(clock),
      store_(store),
      install_path_(config.install_path()),
      sync_path_(config.sync_path()),
      keep_versions_(config.store.keep_versions),
      thins_(config.store.when_full == "thin"),
      limits_(limits) {}

bool SpaceKeeper::is_past(std::uint64_t bytes) const {
    return limits_.quota_bytes != 0 && store_.counters().stored_bytes >= bytes;
}

bool SpaceKeeper::is_full() const { return is_past(limits_.full_bytes()); }

bool SpaceKeeper::disk_is_low() const {
    if (limits_.quota_bytes == 0) return false;
    const Status admitted = store_.admits(limits_.segment_bytes);
    return !admitted && admitted.error().code == Errc::exhausted;
}

// On a disk that ends before the quota, two segments at a time.
std::uint64_t SpaceKeeper::target_bytes() const {
    const std::uint64_t stored = store_.counters().stored_bytes;
    const std::uint64_t less = stored - std::min(stored, 2 * limits_.segment_bytes);
    return disk_is_low() ? std::min(less, limits_.goal_bytes()) : limits_.goal_bytes();
}

// What the hub and the installer say now.
Result<RetentionRule> SpaceKeeper::rule() const {
    RetentionRule rule;
    rule.keep_versions = keep_versions_;
    TRIBUTARY_ASSIGN(InUse in_use, read_in_use(files_, install_path_));
    // What came of a push that stands still may go: when it goes on, it is asked for again.
    const bool arriving = push_stored_ && clock_.mono() < *push_stored_ + kPatienceMs;
    if (in_use.downloading && arriving)
        return fail(Errc::unavailable, "an install is downloading; room can be made after that");
    rule.in_use = std::move(in_use.versions);
    const SyncState sync = load_sync_state(files_, sync_path_);
    TRIBUTARY_ASSIGN(const auto journals, own_journals(store_));
    for (const JournalHead& journal : journals) {
        auto receipt = last_receipt(store_, journal.incarnation);
        if (!receipt && !is_damage(receipt.error())) return tl::unexpected(receipt.error());
        if (receipt && *receipt && still_counts(**receipt, sync))
            rule.receipts.push_back(**receipt);
    }
    rule.refused = {sync.refused.begin(), sync.refused.end()};
    return rule;
}

bool SpaceKeeper::is_vain() const {
    if (!vain_) return false;
    if (vain_->error && clock_.mono() >= vain_->at + kRetryMs) return false;
    const auto receipt = store_.latest_receipt(store_.head().incarnation);
    return receipt && *receipt == vain_->receipt &&
           store_.counters().stored_bytes < vain_->stored_bytes + limits_.segment_bytes;
}

// Whether what nobody else has may go. A hub that is in reach will have it soon.
bool SpaceKeeper::may_thin() const {
    return thins_ && (!hub_there_ || clock_.mono() >= *hub_there_ + kPatienceMs);
}

// Also by thinning out, where that is wanted.
bool SpaceKeeper::is_all_vain() const { return is_vain() && (!may_thin() || vain_->thinned); }

void SpaceKeeper::ended(const Status& status, const RoomMaker& maker) {
    found_ = maker.report().retention;
    if (const std::uint64_t thinned = maker.report().thinned; thinned != 0)
        log_warn("the store was full: versions that nobody else has were dropped",
                 {{"versions", thinned}});
    vain_.reset();
    if (!needs_room()) return;
    Vain vain;
    vain.stored_bytes = store_.counters().stored_bytes;
    if (const auto receipt = store_.latest_receipt(store_.head().incarnation))
        vain.receipt = *receipt;
    vain.at = clock_.mono();
    if (!status) vain.error = status.error();
    vain.thinned = maker.plan().thin;
    vain_ = std::move(vain);
}

bool SpaceKeeper::work() {
    if (!maker_) {
        if (!needs_room() || is_vain()) return false;
        maker_ = make_room({.target_bytes = target_bytes()});
    }
    const Result<bool> done = maker_->step();
    if (done && !*done) return true;
    const std::unique_ptr<RoomMaker> maker = std::move(maker_);
    ended(done ? Status() : tl::make_unexpected(done.error()), *maker);
    const RoomReport& report = maker->report();
    if (!done) {
        log_failure(LogLevel::warn, "no room can be made in the store", done.error());
    } else if (report.bytes_after < report.bytes_before) {
        log_info("made room in the store", {{"versions_given_up", report.given_up.size()},
                                            {"bytes_before", report.bytes_before},
                                            {"bytes", report.bytes_after}});
    }
    return false;
}

std::unique_ptr<RoomMaker> SpaceKeeper::make_room(RoomPlan plan) {
    maker_.reset();  // one compaction at a time
    vain_.reset();
    return std::make_unique<RoomMaker>(
        store_, [this] { return rule(); }, plan);
}

Status SpaceKeeper::admit(const std::function<bool()>& go_on) {
    if (!is_full()) return {};
    if (!is_all_vain()) {
        const auto maker = make_room({.target_bytes = limits_.goal_bytes(), .thin = may_thin()});
        Result<bool> done = false;
        while (done && !*done) {
            if (!go_on())
                return fail(
                    Errc::cancelled,
                    "stopped while room was made in the store; nothing was committed, commit "
                    "again");
            done = maker->step();
        }
        ended(done ? Status() : tl::make_unexpected(done.error()), *maker);
    }
    if (!is_full()) return {};
    return fail(Errc::exhausted, why_not(error_in_vain()));
}

Result<Retention> SpaceKeeper::survey() {
    TRIBUTARY_ASSIGN(RetentionRule asked, rule());
    RetentionSurvey survey(store_, std::move(asked));
    for (;;) {
        TRIBUTARY_ASSIGN(const bool whole, survey.step());
        if (whole) return survey.found();
    }
}

Result<std::optional<Retention>> SpaceKeeper::brief_survey() {
    TRIBUTARY_ASSIGN(const auto journals, own_journals(store_));
    std::uint64_t entries = 0;
    for (const JournalHead& journal : journals) entries += journal.sequence;
    if (entries > kBriefEntriesMax) return std::nullopt;
    return survey().map([](Retention found) { return std::optional(std::move(found)); });
}

std::string SpaceKeeper::refusal(const Result<std::optional<Retention>>& found) {
    if (!is_full()) return {};
    if (!found) return why_not(&found.error());
    // Room is made when it is needed.
    if (!*found && !is_all_vain()) return {};
    if (*found) {
        if ((*found)->may_go > 0 && !is_vain()) return {};
        if (may_thin() && !(*found)->middle.empty() && !is_all_vain()) return {};
        found_ = **found;
    }
    return why_not(error_in_vain());
}

const Error* SpaceKeeper::error_in_vain() const {
    return vain_ && vain_->error ? &*vain_->error : nullptr;
}

std::string SpaceKeeper::why_not(const Error* error) const {
    const std::string why = "the store holds " + human_bytes(store_.counters().stored_bytes) +
                            " of its quota of " + human_bytes(limits_.quota_bytes);
    if (error) return why + ", and no room can be made: " + error->what;
    return why + ", and no version may be given up (versions that wait for the hub's receipt: " +
           std::to_string(found_.unreceipted) +
           ", that are the newest of their branches: " + std::to_string(found_.newest) +
           ", that installs need: " + std::to_string(found_.in_use) + ")" +
           (vain_ ? "" : "; the next commit looks for what nothing needs any more") +
           "; let it reach the hub, raise [store] quota, or lower keep_versions";
}

}  // namespace tributary::agent
