// Folds the boards' heads of a repository into its shared branch, by the configured policy
// (common/lineage decides).
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/lineage/history.h"
#include "hub/config/config.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// invalid when a repository's merge rules cannot be read; so a hub says so when it starts.
Status check_policies(const HubConfig& config);

class Merger {
public:
    Merger(Ledger& ledger, const HubConfig& config) : ledger_(ledger), config_(config) {}

    struct Folded {
        VersionId version;          // what the shared branch names now
        std::size_t heads = 0;      // that were folded
        std::size_t conflicts = 0;  // paths that show the base's content until a person decides
    };
    // nullopt when no head has anything the shared branch has not.
    Result<std::optional<Folded>> fold(const std::string& repo);

private:
    lineage::History& history_of(const std::string& repo);

    Ledger& ledger_;
    const HubConfig& config_;
    std::map<std::string, lineage::History>
        histories_;  // kept: each fold then reads only what is new
};

}  // namespace tributary::hub
