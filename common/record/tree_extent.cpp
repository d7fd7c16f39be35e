#include "common/record/tree_extent.h"

#include <algorithm>
#include <optional>
#include <vector>

#include "common/base/limits.h"

namespace tributary {
namespace {

std::uint64_t saturating_sum(std::uint64_t a, std::uint64_t b) {
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

tl::unexpected<Error> too_deep() {
    return fail(Errc::invalid, "its folders are nested more than " +
                                   std::to_string(limits::kTreeDepthMax) +
                                   " deep; record a folder nearer to the files");
}

// What is needed of a node while what is below it is measured.
struct Below {
    std::uint8_t level = 0;
    std::size_t items = 0;
    std::vector<TreeId> nodes;
};

Result<Below> read_below(const TreeId& id, const LoadTreeNode& load) {
    TRIBUTARY_ASSIGN(const Bytes bytes, load(id));
    TRIBUTARY_ASSIGN(const TreeNode node, parse_tree_node(bytes));
    Below below{node.level, node.items.size(), {}};
    for (const TreeItem& item : node.items)
        if (item.is_tree()) below.nodes.push_back({item.target});
    return below;
}

// `above`: directories around this node's. `level`: which it must have, when it is a part of one.
Result<TreeExtent> measure(const TreeId& id, std::uint32_t above, std::optional<std::uint8_t> level,
                           const LoadTreeNode& load, TreeExtents& known) {
    if (const auto found = known.find(id); found != known.end()) {
        if (above + found->second.depth > limits::kTreeDepthMax) return too_deep();
        return found->second;
    }
    // Both before anything below is read, so that no tree takes more stack than a legal one.
    if (above >= limits::kTreeDepthMax) return too_deep();
    TRIBUTARY_ASSIGN(const Below below, read_below(id, load));
    if (level && below.level != *level)
        return fail(Errc::corrupt, "tree " + id.text() + " stands at a wrong level");

    const bool split = below.level > 0;
    TreeExtent extent{split ? 0 : below.items, 1};
    for (const TreeId& node : below.nodes) {
        TRIBUTARY_ASSIGN(const TreeExtent part,
                         split ? measure(node, above, below.level - 1, load, known)
                               : measure(node, above + 1, std::nullopt, load, known));
        extent.paths = saturating_sum(extent.paths, part.paths);
        extent.depth = std::max(extent.depth, part.depth + (split ? 0 : 1));
    }
    known.emplace(id, extent);
    return extent;
}

}  // namespace

Result<TreeExtent> tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known) {
    return measure(id, 0, std::nullopt, load, known);
}

Status check_tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known) {
    TRIBUTARY_ASSIGN(const TreeExtent extent, tree_extent(id, load, known));
    if (extent.paths <= limits::kTreePathsMax) return {};
    return fail(Errc::invalid, "its tree stands for more than " +
                                   std::to_string(limits::kTreePathsMax) +
                                   " files and folders; record it in several versions");
}

}  // namespace tributary
