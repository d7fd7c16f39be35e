// Which versions this board may give up: what the hub has promised to keep, but for the newest of
// each branch and what is installed; and models of the hub that are not installed any more.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/document.h"
#include "common/store/store.h"

namespace tributary::agent {

struct RetentionRule {
    std::uint32_t keep_versions = 1;  // of each branch, its head among them
    // The hub's last word that still counts; none: nothing may go. It must be about this journal,
    // and what it or an earlier one refused stays.
    std::optional<Receipt> receipt;
    std::unordered_set<VersionId> refused;
    // In a slot, or of an install under way; held here or not.
    std::unordered_set<VersionId> in_use;
};

// What is held of this board's journal, and of what its install entries name. A version counts
// where the first of these reasons keeps it.
struct Retention {
    std::uint64_t held = 0;
    std::uint64_t unreceipted = 0;  // the hub does not have it, or not whole
    std::uint64_t in_use = 0;
    std::uint64_t newest = 0;  // of its branch
    std::uint64_t may_go = 0;
    // Those that may go, the oldest first; at most kEvictedMax.
    std::vector<VersionId> oldest;
    std::optional<VersionId> last_given_up;  // the newest of those that are not held any more
};

// Reads the journal twice, in bounded steps: how long each branch is, then what may go. Age is a
// place in the journal, so that no clock can mislead it. What is recorded meanwhile stays. The
// store outlives it.
class RetentionSurvey {
public:
    RetentionSurvey(Store& store, RetentionRule rule);

    // True when found() is whole.
    Result<bool> step();
    const Retention& found() const { return found_; }

private:
    static constexpr std::size_t kEntriesInStep = 128;

    bool is_receipted(std::uint64_t sequence, const EntryHash& entry,
                      const VersionId& version) const;
    Status judge(const EntryView& entry);
    Status judge(std::uint64_t sequence, const EntryHash& entry, const CommitBody& commit);
    Status judge(const InstallBody& install);
    void may_go(const VersionId& version);

    Store& store_;
    RetentionRule rule_;
    JournalHead head_;  // as it was at the beginning
    std::uint64_t next_ = 1;
    bool counted_ = false;
    struct Branch {
        std::uint64_t versions = 0;
        std::uint64_t passed = 0;  // in the second reading
    };
    std::map<std::pair<std::string, std::string>, Branch> branches_;
    std::unordered_set<VersionId> installed_;  // judged
    Retention found_;
};

}  // namespace tributary::agent
