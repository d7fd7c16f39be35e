// Questions about the graph, answered as JSON: what differs, where something comes from, what came
// of it, who did what.
#pragma once

#include <map>
#include <string>

#include "common/text/json.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// What one answer may list: a tree can stand for more paths than there is memory for.
class ListBudget {
public:
    Status take(const std::string& path);  // exhausted when this one is too much

private:
    std::uint64_t paths_ = 0;
    std::uint64_t bytes_ = 0;
};

// Files that differ between two versions.
Result<Json> diff_form(Ledger& ledger, const KnownVersion& from, const KnownVersion& to);
// Nodes and edges reached from `id`; direction "up" (what it was made from), "down" (what came of
// it), "both"; nearest first. With `with_dot` also as Graphviz.
Result<Json> lineage_form(Ledger& ledger, const VersionId& id, const std::string& direction,
                          const std::string& depth, bool with_dot);
// What approvers' keys are called, by key id.
using ApproverNames = std::map<Digest, std::string>;
// The hub's own journal, newest first: at most `limit` entries with numbers below `before`. Who is
// in `names` is called so, others as they call themselves.
Result<Json> audit_form(Ledger& ledger, std::size_t limit, std::uint64_t before,
                        const ApproverNames& names = {});

}  // namespace tributary::hub
