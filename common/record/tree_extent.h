// How much a tree stands for. A directory may stand in many places, so sixty small nodes, each
// naming the next one twice, name more paths than anything can visit: what takes trees from others
// asks here first. Each node is read once, wherever it stands.
#pragma once

#include <cstdint>
#include <unordered_map>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/tree.h"

namespace tributary {

struct TreeExtent {
    std::uint64_t paths = 0;  // files and directories below, counted in each place where they
                              // stand; UINT64_MAX when there are more
    std::uint32_t depth = 0;  // directories one in another at the deepest place, itself included
    bool operator==(const TreeExtent&) const = default;
};

// Of nodes that were counted, so that the next version's tree reads only what is new in it. Its
// owner bounds it: about 100 bytes for each node.
using TreeExtents = std::unordered_map<TreeId, TreeExtent>;

// invalid when directories are nested deeper than limits::kTreeDepthMax; corrupt when a node does
// not fit those below it.
Result<TreeExtent> tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known);

// Whether a version may have this tree: invalid, for a person, when it passes kTreePathsMax or
// kTreeDepthMax.
Status check_tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known);

}  // namespace tributary
