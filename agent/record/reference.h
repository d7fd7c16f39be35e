// What a person may write where a version is meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/record/version.h"
#include "common/store/store.h"

namespace tributary::agent {

// A version as common/lineage/reference.h says, among the branches of the journals held here. What
// begins with a repository held here is in that repository; else it is an expression in `repo`, or
// without `repo` in the one repository that has the branch. not_found, or conflict when it could be
// several: both list what would do. unsupported for tags, aliases and devices' refs, which are the
// hub's.
Result<VersionId> resolve_version(Store& store, std::string_view text,
                                  const std::optional<std::string>& repo = {});

// The newest row of a branch: our journal's, else (after a new incarnation began) that of whichever
// journal held here has it.
Result<std::optional<VersionRow>> find_branch_head(Store& store, const std::string& repo,
                                                   std::string_view branch);

// `[ROLE=]REF`; the role is train_data unless given.
Result<Input> resolve_input(Store& store, std::string_view text,
                            const std::optional<std::string>& repo = {});

}  // namespace tributary::agent
