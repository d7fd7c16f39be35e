#include "common/record/tree_extent.h"

#include <algorithm>
#include <limits>
#include <utility>

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

}  // namespace

Result<std::optional<TreeExtent>> TreeMeasure::step(std::size_t nodes, const LoadTreeNode& load) {
    while (next_) {
        if (const auto found = known_.find(next_->id); found != known_.end()) {
            if (next_->above + found->second.depth > limits::kTreeDepthMax) return too_deep();
            close(found->second);
        } else if (nodes == 0) {
            return std::nullopt;
        } else {
            --nodes;
            TRIBUTARY_TRY(open(load));
        }
        find_next();
    }
    return whole_;
}

Status TreeMeasure::open(const LoadTreeNode& load) {
    // Before anything below is read, so that no tree takes more room than a legal one.
    if (next_->above >= limits::kTreeDepthMax) return too_deep();
    TRIBUTARY_ASSIGN(const Bytes bytes, load(next_->id));
    TRIBUTARY_ASSIGN(const TreeNode node, parse_tree_node(bytes));
    if (next_->level && node.level != *next_->level)
        return fail(Errc::corrupt, "tree " + next_->id.text() + " stands at a wrong level");
    Open opened{
        next_->id, next_->above, node.level, {node.level > 0 ? 0 : node.items.size(), 1}, {}};
    for (const TreeItem& item : node.items)
        if (item.is_tree()) opened.below.push_back({item.target});
    std::ranges::reverse(opened.below);
    open_.push_back(std::move(opened));
    return {};
}

// To what stands above.
void TreeMeasure::close(const TreeExtent& extent) {
    if (open_.empty()) {
        whole_ = extent;
        return;
    }
    Open& above = open_.back();
    above.below.pop_back();
    above.extent.paths = saturating_sum(above.extent.paths, extent.paths);
    above.extent.depth = std::max(above.extent.depth, extent.depth + (above.level > 0 ? 0 : 1));
}

void TreeMeasure::find_next() {
    next_.reset();
    while (!open_.empty() && open_.back().below.empty()) {
        const Open done = std::move(open_.back());
        open_.pop_back();
        known_.emplace(done.id, done.extent);
        close(done.extent);
    }
    if (open_.empty()) return;
    const Open& in = open_.back();
    next_ = in.level > 0 ? Next{in.below.back(), in.above, in.level - 1}
                         : Next{in.below.back(), in.above + 1, std::nullopt};
}

Result<TreeExtent> tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known) {
    TRIBUTARY_ASSIGN(const std::optional<TreeExtent> extent,
                     TreeMeasure(id, known).step(std::numeric_limits<std::size_t>::max(), load));
    return *extent;
}

Status check_tree_extent(const TreeId& id, const LoadTreeNode& load, TreeExtents& known) {
    TRIBUTARY_ASSIGN(const TreeExtent extent, tree_extent(id, load, known));
    return check_tree_extent(extent);
}

Status check_tree_extent(const TreeExtent& extent) {
    if (extent.paths <= limits::kTreePathsMax) return {};
    return fail(Errc::invalid, "its tree stands for more than " +
                                   std::to_string(limits::kTreePathsMax) +
                                   " files and folders; record it in several versions");
}

}  // namespace tributary
