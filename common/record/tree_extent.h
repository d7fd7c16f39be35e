// How much a tree stands for. A directory may stand in many places, so sixty small nodes, each
// naming the next one twice, name more paths than anything can visit: what takes trees from others
// asks here first. Each node is read once, wherever it stands.
#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

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

// Measures a tree, a few nodes at a time; `known` may be changed between two steps, and outlives
// it.
class TreeMeasure {
public:
    TreeMeasure(const TreeId& id, TreeExtents& known) : known_(known), next_(Next{id, 0, {}}) {}

    // Reads so many nodes more at most; nullopt: there are others. invalid when directories are
    // nested deeper than limits::kTreeDepthMax; corrupt when a node does not fit those below it.
    Result<std::optional<TreeExtent>> step(std::size_t nodes, const LoadTreeNode& load);

private:
    struct Next {
        TreeId id;
        std::uint32_t above = 0;            // directories around it
        std::optional<std::uint8_t> level;  // which it must have, when it is a part of one
    };
    // A node of which those below are being measured.
    struct Open {
        TreeId id;
        std::uint32_t above = 0;
        std::uint8_t level = 0;
        TreeExtent extent;
        std::vector<TreeId> below;  // the next one last
    };
    Status open(const LoadTreeNode& load);
    void close(const TreeExtent& extent);
    void find_next();

    TreeExtents& known_;
    std::optional<Next> next_;  // none: all was measured
    std::vector<Open> open_;    // one below another
    TreeExtent whole_;
};

// All at once.
Result<TreeExtent> tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known);

// Whether a version may have a tree: invalid, for a person, when it passes kTreePathsMax or
// kTreeDepthMax.
Status check_tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known);
Status check_tree_extent(const TreeExtent& extent);  // of one that was measured

}  // namespace tributary
