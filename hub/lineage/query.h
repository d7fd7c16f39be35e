// Questions about the graph, answered as JSON: what differs, where something comes from, what came
// of it, who did what.
#pragma once

#include <string>

#include "common/text/json.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// Files that differ between two versions.
Result<Json> diff_form(Ledger& ledger, const KnownVersion& from, const KnownVersion& to);
// Nodes and edges reached from `id`; direction "up" (what it was made from), "down" (what came of
// it), "both".
Result<Json> lineage_form(Ledger& ledger, const VersionId& id, const std::string& direction,
                          const std::string& depth);
// The hub's own journal, newest first.
Result<Json> audit_form(Ledger& ledger, std::size_t limit);

}  // namespace tributary::hub
