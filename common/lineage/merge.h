// Folds the advanced heads of device branches into a shared branch.
//
// Which content a path gets depends on the set of *stated* heads alone (History::stated_heads:
// earlier folds undone, ancestors left out), never on the order or the grouping in which they
// arrived. Of two heads that differ at a path, one gives way if it still shows what both had where
// their histories parted (their merge bases; nothing, if they share none) and the other does not.
// What does not give way to any other is a candidate. One candidate content wins; several are
// settled by the policy's rule for that path, directories name by name.
//
// Model weights and other files are never mixed inside: a path shows some head's bytes, or the
// base's while a conflict is open.
#pragma once

#include <span>
#include <vector>

#include "common/base/limits.h"
#include "common/lineage/conflict.h"
#include "common/lineage/history.h"
#include "common/lineage/policy.h"
#include "common/record/tree.h"

namespace tributary::lineage {

struct MergedTree {
    TreeId id;
    std::vector<EncodedTreeNode> nodes;  // to be stored, each once, children before parents
    std::vector<Conflict> conflicts;     // in byte order of path
};
// What a merge may take: a directory can stand in more places than there is time or memory for.
struct MergeBudget {
    std::uint64_t names = limits::kCompareNamesMax;   // in directories in which the heads differ,
                                                      // each counted wherever it stands
    std::uint64_t bytes = limits::kMergeBytesMax;     // of new nodes and open conflicts
    std::uint64_t listed = limits::kCompareNamesMax;  // of different heads' directories, in RAM
    std::size_t parents = limits::kParentsMax;  // of the version, two or more; other heads are left
};
// Of stated heads, which are CHECKed to be at least one. exhausted when it takes more than the
// budget.
Result<MergedTree> merge_trees(History& history, const LoadTreeNode& load, const Policy& policy,
                               std::span<const VersionId> stated_heads,
                               const MergeBudget& budget = {});

// The next version of the shared branch. When one head covers all others there is nothing to
// state: `id` is that head (perhaps the branch's own) and the rest is empty. Else everything named
// here is to be stored, then the version is the branch's next head. It covers as many heads as a
// version may have parents; more are left for the next fold, and the outcome is the same:
//   parents = the branch's head (if any), then the other independent heads by id; incarnation none;
//   author empty; time = the greatest of the parents'; notes = metadata { merge-policy: digest };
//   inputs = one of role `conflict` for each conflict object.
struct Fold {
    VersionId id;
    bool made = false;           // a new version was stated
    std::size_t heads_left = 0;  // independent ones that it does not cover
    Version version;
    Bytes version_bytes;
    Bytes notes_bytes;
    MergedTree tree;
    std::vector<EncodedConflicts> conflict_objects;
};
inline constexpr std::string_view kPolicyNote = "merge-policy";

// `branch`: the shared branch's head, or none when it has none yet. exhausted when they conflict at
// more paths than a version may name, and as merge_trees().
Result<Fold> fold_heads(History& history, const LoadTreeNode& load, const Policy& policy,
                        const VersionId& branch, std::span<const VersionId> heads,
                        const MergeBudget& budget = {});

}  // namespace tributary::lineage
