// Keeps the store within its quota.
//
//   0 ──────────── goal ─────── roomy ───── full ── quota
//                  3/4          7/8         one segment less than the quota
//
// Past `roomy` the daemon makes room in the background, down to `goal`: winning space costs writes,
// so it is done seldom and much at a time. It does so too when the disk has no room for another
// segment, though the quota has. At `full` recording makes room itself, by thinning out
// if the config says so, or is refused; the segment above it is what compaction takes on its way. A
// commit that began below `full` is finished, however large it is.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/config/config.h"
#include "agent/space/room.h"
#include "agent/sync/sync_state.h"
#include "common/env/clock.h"
#include "common/env/files.h"

namespace tributary::agent {

struct SpaceLimits {
    std::uint64_t quota_bytes = 0;  // 0: none
    std::uint64_t segment_bytes = limits::kSegmentBytesDevice;

    std::uint64_t full_bytes() const { return quota_bytes - segment_bytes; }
    std::uint64_t roomy_bytes() const {
        return std::min(full_bytes(), quota_bytes - quota_bytes / 8);
    }
    std::uint64_t goal_bytes() const { return quota_bytes - quota_bytes / 4; }
};

// A share is at least kShareBytesMin: on a tiny disk the disk itself is the limit. `disk_bytes` 0:
// not known, then a share is no limit. Small quotas have small segments, so that some can go.
inline constexpr std::uint64_t kShareBytesMin = 64 * limits::MiB;
SpaceLimits space_limits(const SizeOrPercent& quota, std::uint64_t disk_bytes);

// Used where the store is: on the worker, in a daemon.
class SpaceKeeper {
public:
    // All outlive it.
    SpaceKeeper(Files& files, Clock& clock, Store& store, const Config& config, SpaceLimits limits);

    const SpaceLimits& limits() const { return limits_; }
    bool is_full() const;
    bool is_past(std::uint64_t bytes) const;

    // One bounded step of making room in the background, when there is a need and hope; true when
    // there is more to do. To be called while nothing is half recorded, and again after each
    // commit and receipt, and now and then.
    bool work();
    // Before something is recorded: makes room when the store is full, asking `go_on` between
    // steps. exhausted, with the reason, when it stays full; cancelled when `go_on` says no.
    Status admit(const std::function<bool()>& go_on);
    // What a person asks for. Ends what goes on in the background.
    std::unique_ptr<RoomMaker> make_room(RoomPlan plan);

    // ---- what the link with the hub says; where nobody says it, there is no hub in reach ----

    // So long nothing is given up for want of patience: a push that stands still is waited for, and
    // so are the receipts of a hub that is there.
    static constexpr std::uint64_t kPatienceMs = 10 * 60'000;
    void on_hub_there() { hub_there_ = clock_.mono(); }  // said again with each receipt
    void on_hub_gone() { hub_there_.reset(); }
    void on_push_stored() { push_stored_ = clock_.mono(); }  // a part of what is not whole yet

    // What may go, and why not; of now. Reads the journals twice.
    Result<Retention> survey();
    // The same, unless the journals are longer than a person would wait for.
    static constexpr std::uint64_t kBriefEntriesMax = 4096;
    Result<std::optional<Retention>> brief_survey();
    // Why nothing is recorded, by a survey of now, as one sentence; empty: it is, or the next
    // attempt tells.
    std::string refusal(const Result<std::optional<Retention>>& found);

private:
    static constexpr std::uint64_t kRetryMs = 60'000;
    // After an attempt that did not help: the same would not help, either.
    struct Vain {
        std::uint64_t stored_bytes = 0;
        std::optional<Digest> receipt;
        MonoTime at;
        std::optional<Error> error;
        bool thinned = false;  // that was tried, too
    };

    Result<RetentionRule> rule() const;
    bool may_thin() const;
    bool is_vain() const;
    bool is_all_vain() const;
    bool disk_is_low() const;
    bool needs_room() const { return is_past(limits_.roomy_bytes()) || disk_is_low(); }
    std::uint64_t target_bytes() const;
    void ended(const Status& status, const RoomMaker& maker);
    const Error* error_in_vain() const;
    std::string why_not(const Error* error) const;

    Files& files_;
    Clock& clock_;
    Store& store_;
    const std::string install_path_, sync_path_;
    const std::uint32_t keep_versions_;
    const bool thins_;
    const SpaceLimits limits_;
    std::unique_ptr<RoomMaker> maker_;  // at work in the background
    Retention found_;                   // by the last attempt
    std::optional<Vain> vain_;
    std::optional<MonoTime> hub_there_;
    std::optional<MonoTime> push_stored_;
};

}  // namespace tributary::agent
