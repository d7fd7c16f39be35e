// What a person may write where a version is meant.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/record/version.h"
#include "common/store/store.h"

namespace tributary::agent {

// A version by, in this order: its whole id (also one that is not held here); `GROUP/NAME@BRANCH`;
// `GROUP/NAME` (its branch main, or its only one); a branch of `repo`, or without `repo` of the one
// repository that has it; the first digits of an id, at least four. not_found, or invalid when it
// could be several: both list what would do.
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
