// What differs between two trees. Equal subtrees are not read, nor are equal nodes of directories
// that are split.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/record/tree.h"

namespace tributary::lineage {

struct Change {
    enum class Kind : std::uint8_t {
        added,
        removed,
        changed,  // other bytes (and perhaps another mode)
        mode,     // same bytes, executable bit changed
    };
    Kind kind = Kind::added;
    std::string path;
    std::optional<TreeItem> before;  // files only: a directory is what is in it
    std::optional<TreeItem> after;
    bool operator==(const Change&) const = default;
};
std::string_view name_of(Change::Kind kind);

// Every file that differs, in byte order of each level; a file that became a directory is removed,
// then what is below it added. A none id is the empty tree. Stops at the visitor's first error;
// exhausted when the nodes that differ hold more than `names_max` names, each counted wherever it
// stands: a directory can stand in more places than there is time for.
Status diff_trees(const TreeId& before, const TreeId& after, const LoadTreeNode& load,
                  const std::function<Status(const Change&)>& visit,
                  std::uint64_t names_max = limits::kCompareNamesMax);

// The same for one directory alone, directories among the items: name, and its item in each.
struct ItemPair {
    std::optional<TreeItem> before;
    std::optional<TreeItem> after;
};
Result<std::vector<ItemPair>> differing_items(const TreeId& before, const TreeId& after,
                                              const LoadTreeNode& load);

}  // namespace tributary::lineage
