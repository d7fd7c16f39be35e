// Which versions this board may give up: what the hub has promised to keep, but for the newest of
// each branch and what is installed; and models of the hub that are not installed any more.
//
// A board has more than one journal when it had to begin anew: each continues the one before, and a
// branch goes on through all of them.
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
    // The hub's last words that still count, one about a journal; of a journal without any nothing
    // may go. What they or earlier ones refused stays.
    std::vector<Receipt> receipts;
    std::unordered_set<VersionId> refused;
    // In a slot, or of an install under way; held here or not.
    std::unordered_set<VersionId> in_use;
    // By the one who asks: they may still be whole, when others share all they have.
    std::unordered_set<VersionId> given_up;
};

// An entry is written about each of these.
inline constexpr std::size_t kThinnedMax = 1024;

// A record that cannot be read: what it says is not known, and lets nothing go.
inline bool is_damage(const Error& error) {
    return error.code == Errc::corrupt || error.code == Errc::not_found;
}

// This board's journals, as far as they are held, the oldest first.
Result<std::vector<JournalHead>> own_journals(Store& store);

// What is held of this board's journals, and of what their install entries name. A version counts
// where the first of these reasons keeps it.
struct Retention {
    std::uint64_t held = 0;
    std::uint64_t unreceipted = 0;  // the hub does not have it, or not whole
    std::uint64_t in_use = 0;
    std::uint64_t newest = 0;  // of its branch
    std::uint64_t may_go = 0;
    // Those that may go: what the hub sent and never ran, then the oldest first; at most
    // kEvictedMax.
    std::vector<VersionId> oldest;
    // Of what has no receipt every second version of a branch, but for the first, the newest
    // keep_versions and what is in use; the oldest first, at most kThinnedMax. For when_full
    // "thin": nobody else has these.
    std::vector<VersionId> middle;
    std::optional<VersionId> last_given_up;  // the newest of those that are not held any more
};

// Reads the journals twice, in bounded steps: how long each branch is, then what may go. Age is a
// place in a journal, so that no clock can mislead it. What is recorded meanwhile stays. The store
// outlives it.
class RetentionSurvey {
public:
    RetentionSurvey(Store& store, RetentionRule rule);

    // True when found() is whole.
    Result<bool> step();
    const Retention& found() const { return found_; }

private:
    static constexpr std::size_t kEntriesInStep = 128;
    struct Branch {
        std::uint64_t versions = 0;
        std::uint64_t passed = 0;       // in the second reading
        std::uint64_t unreceipted = 0;  // of those that are held
    };

    Status begin();
    Status read_some(const JournalHead& journal);
    bool is_receipted(const EntryView& entry, const VersionId& version) const;
    bool is_said_again(const EntryView& entry, const VersionId& version) const;
    Status judge(const EntryView& entry);
    Status judge(const EntryView& entry, const CommitBody& commit);
    Status judge(const InstallBody& install);
    void may_go(const VersionId& version, bool never_ran = false);
    void may_be_thinned(Branch& branch, const VersionId& version);

    Store& store_;
    RetentionRule rule_;
    std::vector<JournalHead> journals_;  // as they were at the beginning
    bool begun_ = false;
    std::size_t at_journal_ = 0;
    std::uint64_t next_ = 1;  // entry of that journal
    bool counted_ = false;
    std::map<std::pair<std::string, std::string>, Branch> branches_;
    std::unordered_set<VersionId> newest_;     // of their branches
    std::unordered_set<VersionId> listed_;     // as those that may go
    std::unordered_set<VersionId> installed_;  // judged
    Retention found_;
    std::ptrdiff_t never_ran_ = 0;  // of found_.oldest
};

}  // namespace tributary::agent
