// Makes room in the store: gives up the oldest versions that may go, and has the store compacted,
// round after round until it is small enough or nothing may go any more.
//
// Each round gives up as large a share of the versions as the share of bytes that is needed, twice
// that in the next one: a version that shares most of its bytes with others gives back little. What
// an earlier run gave up and did not come to win back is won first, so that a run which fails, or
// is killed, over and over does not give up more each time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "agent/space/retention.h"

namespace tributary::agent {

struct RoomPlan {
    std::uint64_t target_bytes = 0;  // of all segments
    // Beside that, gives up all that may go, and compacts what is worth it.
    bool all = false;
    bool dry_run = false;  // nothing is written
    // When nothing may go any more, versions in the middle of a branch go that nobody else has.
    bool thin = false;
};

struct RoomReport {
    std::uint64_t bytes_before = 0;
    std::uint64_t bytes_after = 0;  // a dry run: about
    std::uint64_t copied_bytes = 0;
    std::vector<VersionId> given_up;  // a dry run: would be
    std::uint64_t thinned = 0;        // of these, that nobody else has
    Retention retention;              // before the last round
    std::vector<std::string> damage;  // why some segment was left as it is
};

class RoomMaker {
public:
    // What counts is asked for anew at each round; an error ends all. The store outlives it, and
    // nothing is half recorded there when step() is called.
    using AskRule = std::function<Result<RetentionRule>()>;
    RoomMaker(Store& store, AskRule rule, RoomPlan plan);

    // One bounded piece of work. True when all is done. Nothing is lost when it is not called
    // again.
    Result<bool> step();
    const RoomPlan& plan() const { return plan_; }
    const RoomReport& report() const { return report_; }

private:
    std::uint64_t stored() const { return store_.counters().stored_bytes; }
    Status begin_round();
    Status begin_compaction();
    bool is_left_over() const;
    bool thins() const;
    bool end_round();
    std::size_t how_many(const std::vector<VersionId>& candidates) const;
    Status say_thinned(const std::vector<VersionId>& versions);

    Store& store_;
    const AskRule ask_rule_;
    const RoomPlan plan_;
    RoomReport report_;
    std::vector<Receipt> receipts_;  // that counted when the survey began
    unsigned round_ = 0;
    unsigned doublings_ = 0;  // of the share that is given up
    std::unique_ptr<RetentionSurvey> survey_;
    std::unique_ptr<Compaction> compaction_;
};

}  // namespace tributary::agent
