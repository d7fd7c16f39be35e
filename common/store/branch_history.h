// What a journal said in the past.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "common/store/store.h"

namespace tributary {

// Where a branch stood in one journal before its first entry later than `at`; nullopt: it had not
// begun there. The journal's own times are believed. Reads the journal up to then.
Result<std::optional<VersionId>> branch_head_at(Store& store, const Incarnation& journal,
                                                const std::string& repo, std::string_view branch,
                                                WallTime at);

}  // namespace tributary
