#include "common/lineage/overlay.h"

#include "common/base/limits.h"

namespace tributary::lineage {
namespace {

using Items = std::map<std::string, std::optional<TreeItem>>;
using Directory = std::map<std::string, TreeItem>;

Result<Directory> read_directory(const TreeId& tree, const LoadTreeNode& load) {
    TRIBUTARY_ASSIGN(std::vector<TreeItem> items, read_tree(tree, load));
    Directory directory;
    for (TreeItem& item : items) directory.emplace(item.name, std::move(item));
    return directory;
}

class Overlay {
public:
    explicit Overlay(const LoadTreeNode& load) : load_(load) {}

    // `tree`: null where there is no directory yet. What is left, without a name; a target of none:
    // nothing.
    Result<TreeItem> change(const TreeId* tree, const Items& wanted, std::size_t depth) {
        if (depth > limits::kTreeDepthMax)
            return fail(Errc::invalid, "a path is deeper than " +
                                           std::to_string(limits::kTreeDepthMax) + " folders");
        Directory here;
        if (tree) {
            TRIBUTARY_ASSIGN(here, read_directory(*tree, load_));
        }
        for (auto next = wanted.begin(); next != wanted.end();) {
            const std::string name = next->first.substr(0, next->first.find('/'));
            if (name == next->first) {
                put(here, name, next->second);
                ++next;
                continue;
            }
            Items below;
            for (; next != wanted.end() && next->first.starts_with(name + "/"); ++next)
                below.emplace(next->first.substr(name.size() + 1), next->second);
            TRIBUTARY_TRY(change_below(here, name, below, depth));
        }
        if (here.empty() && depth > 0) return TreeItem{};
        std::vector<TreeItem> items;
        for (auto& [name, item] : here) items.push_back(std::move(item));
        TRIBUTARY_ASSIGN(EncodedTree made, encode_tree(std::move(items)));
        for (EncodedTreeNode& node : made.nodes) nodes.push_back(std::move(node));
        return TreeItem{TreeItem::Type::tree, "", made.id.digest, made.size};
    }

    std::vector<EncodedTreeNode> nodes;  // children before parents

private:
    static void put(Directory& here, const std::string& name, std::optional<TreeItem> item) {
        here.erase(name);
        if (!item) return;
        item->name = name;
        here.emplace(name, *std::move(item));
    }

    Status change_below(Directory& here, const std::string& name, const Items& below,
                        std::size_t depth) {
        const auto there = here.find(name);
        const bool found = there != here.end();
        if (found && !there->second.is_tree())
            return fail(Errc::invalid, "'" + name + "' is a file, so nothing can stand below it");
        const TreeId id{found ? there->second.target : Digest{}};
        TRIBUTARY_ASSIGN(TreeItem left, change(found ? &id : nullptr, below, depth + 1));
        if (left.target.is_none())
            put(here, name, std::nullopt);
        else
            put(here, name, std::move(left));
        return {};
    }

    const LoadTreeNode& load_;
};

}  // namespace

Result<std::optional<TreeItem>> find_item(const TreeId& tree, std::string_view path,
                                          const LoadTreeNode& load) {
    TreeId at = tree;
    while (true) {
        const std::size_t slash = path.find('/');
        TRIBUTARY_ASSIGN(const Directory here, read_directory(at, load));
        const auto there = here.find(std::string(path.substr(0, slash)));
        if (there == here.end()) return std::nullopt;
        if (slash == path.npos) return there->second;
        if (!there->second.is_tree()) return std::nullopt;
        at = TreeId{there->second.target};
        path.remove_prefix(slash + 1);
    }
}

Result<EncodedTree> overlay(const TreeId& tree, const Items& items, const LoadTreeNode& load) {
    Overlay overlay(load);
    TRIBUTARY_ASSIGN(const TreeItem root, overlay.change(&tree, items, 0));
    return EncodedTree{TreeId{root.target}, root.size, std::move(overlay.nodes)};
}

}  // namespace tributary::lineage
