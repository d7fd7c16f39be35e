// Folds the boards' heads of a repository into its shared branch, by the configured policy
// (common/lineage decides).
#pragma once

#include <optional>
#include <string>

#include "hub/config/config.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

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
    Ledger& ledger_;
    const HubConfig& config_;
};

}  // namespace tributary::hub
