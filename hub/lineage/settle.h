// Open merge conflicts: which they are, and how a person settles them.
//
// A settlement is a version of the hub's own journal whose parent is the merge: it is said by
// somebody, so later folds build on it, and what boards recorded before gives way to it.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/env/clock.h"
#include "common/lineage/conflict.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// The paths that a version leaves to a person, in byte order; empty: none.
Result<std::vector<lineage::Conflict>> open_conflicts(Store& store, const Version& version);
// Who differs in them, in byte order: boards, and "the hub" for what was settled before.
std::vector<std::string> boards_of(const std::vector<lineage::Conflict>& conflicts,
                                   const Catalog& catalog);
// "a.log, b.csv and 3 more".
std::string paths_text(const std::vector<lineage::Conflict>& conflicts);

struct Settlement {
    std::map<std::string, VersionId> by_path;  // each open path shows what this version shows
    std::optional<VersionId> rest;             // and all others what this one does
    std::string actor;
};
// What `branch` names now: a version in which nothing is open. invalid when a path is named that is
// not open, conflict when nothing is said for one that is.
Result<VersionId> settle(Ledger& ledger, Clock& clock, const std::string& repo,
                         const std::string& branch, const Settlement& settlement);

}  // namespace tributary::hub
