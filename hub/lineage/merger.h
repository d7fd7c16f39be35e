// Folds the boards' heads of a repository into its shared branch, by the configured policy
// (common/lineage decides).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/lineage/history.h"
#include "common/lineage/merge.h"
#include "hub/config/config.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// invalid when a repository's merge rules cannot be read; so a hub says so when it starts.
Status check_policies(const HubConfig& config);

class Merger {
public:
    Merger(Ledger& ledger, const HubConfig& config, const lineage::MergeBudget& budget = {})
        : ledger_(ledger), config_(config), budget_(budget) {}

    struct Folded {
        VersionId version;          // what the shared branch names now
        std::size_t heads = 0;      // that were folded
        std::size_t conflicts = 0;  // paths that show the base's content until a person decides
    };
    // nullopt when no head has anything the shared branch has not. More heads than a version may
    // cover are folded by several, one after the other. Heads that take more than one merge may
    // (exhausted) are left alone: the same answer follows at once, until a head or the branch
    // moves.
    Result<std::optional<Folded>> fold(const std::string& repo);
    // Whether a fold now would give the answer it gave before.
    bool leaves_alone(const std::string& repo) const;

private:
    struct Work {
        VersionId branch;
        std::vector<VersionId> heads;
        bool operator==(const Work&) const = default;
    };
    struct LeftAlone {
        Work work;
        Error why;
    };
    Work work_of(const std::string& repo) const;
    Result<lineage::Fold> make_fold(const std::string& repo, const Work& work);
    Status stage(const lineage::Fold& fold);
    lineage::History& history_of(const std::string& repo);

    Ledger& ledger_;
    const HubConfig& config_;
    const lineage::MergeBudget budget_;
    std::map<std::string, lineage::History>
        histories_;  // kept: each fold then reads only what is new
    std::map<std::string, LeftAlone> left_alone_;
};

}  // namespace tributary::hub
