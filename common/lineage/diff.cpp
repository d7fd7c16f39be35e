#include "common/lineage/diff.h"

#include <algorithm>
#include <unordered_set>

#include "common/base/limits.h"

namespace tributary::lineage {
namespace {

// What a diff reads, and how much more it may.
struct Reader {
    const LoadTreeNode& load;
    const std::uint64_t names_max;
    std::uint64_t names = 0;

    Result<TreeNode> node(const TreeId& id) {
        TRIBUTARY_ASSIGN(const Bytes bytes, load(id));
        TRIBUTARY_ASSIGN(TreeNode node, parse_tree_node(bytes));
        names += node.items.size();
        if (names > names_max)
            return fail(Errc::exhausted,
                        "the versions differ in folders that hold more than " +
                            std::to_string(names_max) +
                            " names, counted wherever they stand, which are not compared at "
                            "once; compare versions that are nearer to each other");
        return node;
    }
};

// Nodes of one directory that are still to be compared, all of one level.
struct Side {
    std::uint8_t level = 0;
    std::vector<TreeItem> items;

    static Result<Side> read(const TreeId& id, Reader& reader) {
        if (id.is_none()) return Side{};
        TRIBUTARY_ASSIGN(TreeNode node, reader.node(id));
        return Side{node.level, std::move(node.items)};
    }

    // Replaces the items, which stand for nodes, by what those nodes hold.
    Status descend(Reader& reader) {
        std::vector<TreeItem> below;
        for (const TreeItem& item : items) {
            TRIBUTARY_ASSIGN(TreeNode node, reader.node(TreeId{item.target}));
            // In order, so that a node which is named twice does not grow at every level.
            if (node.level + 1 != level || node.items.empty() ||
                node.items.front().name != item.name ||
                (!below.empty() && item.name <= below.back().name))
                return fail(Errc::corrupt, "a tree does not fit the nodes below it");
            std::move(node.items.begin(), node.items.end(), std::back_inserter(below));
        }
        items = std::move(below);
        --level;
        return {};
    }
};

void drop_common_nodes(Side& a, Side& b) {
    std::unordered_set<Digest> in_a, common;
    for (const TreeItem& item : a.items) in_a.insert(item.target);
    for (const TreeItem& item : b.items)
        if (in_a.contains(item.target)) common.insert(item.target);
    const auto is_common = [&](const TreeItem& item) { return common.contains(item.target); };
    std::erase_if(a.items, is_common);
    std::erase_if(b.items, is_common);
}

Result<std::vector<ItemPair>> differing(const TreeId& before, const TreeId& after, Reader& reader) {
    std::vector<ItemPair> pairs;
    if (before == after) return pairs;
    TRIBUTARY_ASSIGN(Side a, Side::read(before, reader));
    TRIBUTARY_ASSIGN(Side b, Side::read(after, reader));
    while (a.level > 0 || b.level > 0) {
        if (a.level == b.level) drop_common_nodes(a, b);
        const std::uint8_t level = std::max(a.level, b.level);
        if (a.level == level) TRIBUTARY_TRY(a.descend(reader));
        if (b.level == level) TRIBUTARY_TRY(b.descend(reader));
    }
    auto x = a.items.begin();
    auto y = b.items.begin();
    while (x != a.items.end() || y != b.items.end()) {
        if (y == b.items.end() || (x != a.items.end() && x->name < y->name))
            pairs.push_back({*x++, std::nullopt});
        else if (x == a.items.end() || y->name < x->name)
            pairs.push_back({std::nullopt, *y++});
        else {
            if (*x != *y) pairs.push_back({*x, *y});
            ++x;
            ++y;
        }
    }
    return pairs;
}

Status emit(std::optional<TreeItem> before, std::optional<TreeItem> after, std::string path,
            const std::function<Status(const Change&)>& visit) {
    Change::Kind kind = Change::Kind::changed;
    if (!before)
        kind = Change::Kind::added;
    else if (!after)
        kind = Change::Kind::removed;
    else if (before->target == after->target)
        kind = Change::Kind::mode;
    return visit({kind, std::move(path), std::move(before), std::move(after)});
}

Status diff_below(const TreeId& before, const TreeId& after, const std::string& prefix,
                  std::size_t depth, Reader& reader,
                  const std::function<Status(const Change&)>& visit) {
    if (before == after) return {};
    if (depth >= limits::kTreeDepthMax)
        return fail(Errc::corrupt, "the tree is deeper than " +
                                       std::to_string(limits::kTreeDepthMax) + " directories");
    TRIBUTARY_ASSIGN(const auto pairs, differing(before, after, reader));
    for (const ItemPair& pair : pairs) {
        const std::string path = prefix + (pair.before ? pair.before : pair.after)->name;
        const auto file = [](const std::optional<TreeItem>& item) {
            return item && !item->is_tree() ? item : std::nullopt;
        };
        const auto tree = [](const std::optional<TreeItem>& item) {
            return item && item->is_tree() ? TreeId{item->target} : TreeId{};
        };
        if (file(pair.before) || file(pair.after))
            TRIBUTARY_TRY(emit(file(pair.before), file(pair.after), path, visit));
        TRIBUTARY_TRY(
            diff_below(tree(pair.before), tree(pair.after), path + "/", depth + 1, reader, visit));
    }
    return {};
}

}  // namespace

std::string_view name_of(Change::Kind kind) {
    switch (kind) {
        case Change::Kind::added: return "added";
        case Change::Kind::removed: return "removed";
        case Change::Kind::changed: return "changed";
        case Change::Kind::mode: return "mode";
    }
    return "unknown";
}

Result<std::vector<ItemPair>> differing_items(const TreeId& before, const TreeId& after,
                                              const LoadTreeNode& load) {
    Reader reader{load, UINT64_MAX};
    return differing(before, after, reader);
}

Status diff_trees(const TreeId& before, const TreeId& after, const LoadTreeNode& load,
                  const std::function<Status(const Change&)>& visit, std::uint64_t names_max) {
    Reader reader{load, names_max};
    return diff_below(before, after, "", 0, reader, visit);
}

}  // namespace tributary::lineage
