#include "common/lineage/merge.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <unordered_map>
#include <unordered_set>

#include "common/base/limits.h"

namespace tributary::lineage {
namespace {

// What a source (a head or a base) shows at a path; null: nothing.
using Shown = const TreeItem*;

bool same(Shown a, Shown b) { return a == b || (a != nullptr && b != nullptr && *a == *b); }
bool is_tree_or_nothing(Shown item) { return item == nullptr || item->is_tree(); }

class TreeMerge {
public:
    TreeMerge(const LoadTreeNode& load, const Policy& policy, const MergeBudget& budget)
        : load_(load), policy_(policy), budget_(budget) {}

    Status prepare(History& history, std::span<const VersionId> heads);
    Result<MergedTree> run();

private:
    struct Head {
        VersionId id;
        HybridTime time;
        std::set<std::uint32_t> partings;  // from others that share history with it, as lists
    };

    // Sources: the heads first, then every base once.
    using Row = std::vector<Shown>;
    // The heads of a row by what they show.
    struct Classes {
        std::vector<std::vector<std::size_t>> heads;
        std::vector<std::size_t> of;  // of each head
    };

    Classes classes(const Row& row) const;
    bool gives_way(std::size_t i, const Row& row, const Classes& classes) const;
    std::vector<std::size_t> candidates(const Row& row) const;

    Result<std::optional<TreeItem>> merge_path(const std::string& path, const Row& row,
                                               std::size_t depth);
    Result<std::optional<TreeItem>> merge_directory(const std::string& path, const Row& row,
                                                    std::size_t depth);
    std::optional<TreeItem> settle(const std::string& path, const Row& row,
                                   const std::vector<std::size_t>& candidates);
    std::optional<TreeItem> open_conflict(const std::string& path, const Row& row,
                                          const std::vector<std::size_t>& candidates);
    Status within_budget() const;
    Shown common_base(const Row& row, const std::vector<std::size_t>& candidates) const;

    const LoadTreeNode& load_;
    const Policy& policy_;
    const MergeBudget budget_;
    MergeBudget used_{0, 0, 0};
    std::unordered_set<TreeId> made_;
    std::vector<Head> heads_;
    std::vector<TreeItem> roots_;       // of every source, as items without a name
    std::optional<Partings> partings_;  // of heads_
    std::vector<std::vector<std::size_t>> base_sources_;  // of each of its lists
    MergedTree merged_;
};

TreeItem root_item(const TreeId& tree) {
    TreeItem item;
    item.type = TreeItem::Type::tree;
    item.target = tree.digest;
    return item;
}

std::optional<TreeItem> copy_of(Shown item) {
    return item == nullptr ? std::nullopt : std::optional(*item);
}

Status TreeMerge::prepare(History& history, std::span<const VersionId> heads) {
    for (const VersionId& id : heads) {
        TRIBUTARY_ASSIGN(const Version version, history.load(id));
        heads_.push_back({id, version.time, {}});
        roots_.push_back(root_item(version.tree));
    }
    TRIBUTARY_ASSIGN(partings_, history.partings(heads, budget_.steps));
    for (std::size_t i = 0; i < heads.size(); ++i)
        for (std::size_t j = 0; j < heads.size(); ++j)
            if (i != j && partings_->of(i, j) != 0) heads_[i].partings.insert(partings_->of(i, j));
    std::map<VersionId, std::size_t> known;
    for (const std::vector<VersionId>& bases : partings_->lists()) {
        std::vector<std::size_t>& sources = base_sources_.emplace_back();
        for (const VersionId& base : bases) {
            const auto [at, fresh] = known.try_emplace(base, roots_.size());
            sources.push_back(at->second);
            if (!fresh) continue;
            TRIBUTARY_ASSIGN(const Version version, history.load(base));
            roots_.push_back(root_item(version.tree));
        }
    }
    return {};
}

TreeMerge::Classes TreeMerge::classes(const Row& row) const {
    Classes classes;
    // A head of each class, by what its item names.
    std::unordered_map<Digest, std::vector<std::size_t>> known;
    for (std::size_t i = 0; i < heads_.size(); ++i) {
        std::vector<std::size_t>& alike = known[row[i] == nullptr ? Digest() : row[i]->target];
        const auto like =
            std::ranges::find_if(alike, [&](std::size_t head) { return same(row[head], row[i]); });
        if (like == alike.end()) {
            alike.push_back(i);
            classes.of.push_back(classes.heads.size());
            classes.heads.push_back({i});
        } else {
            classes.of.push_back(classes.of[*like]);
            classes.heads[classes.of[i]].push_back(i);
        }
    }
    return classes;
}

// To one that shows something else, while it shows itself what both had where they parted.
// Strangers part at the beginning, where there was nothing.
bool TreeMerge::gives_way(std::size_t i, const Row& row, const Classes& classes) const {
    std::set<std::uint32_t> unchanged;  // since these partings
    if (row[i] == nullptr) unchanged.insert(0);
    for (const std::uint32_t list : heads_[i].partings)
        if (std::ranges::all_of(base_sources_[list],
                                [&](std::size_t base) { return same(row[base], row[i]); }))
            unchanged.insert(list);
    if (unchanged.empty()) return false;
    for (std::size_t other = 0; other < classes.heads.size(); ++other)
        if (other != classes.of[i] && std::ranges::any_of(classes.heads[other], [&](std::size_t j) {
                return unchanged.contains(partings_->of(i, j));
            }))
            return true;
    return false;
}

std::vector<std::size_t> TreeMerge::candidates(const Row& row) const {
    const Classes shown = classes(row);
    std::vector<std::size_t> found;
    for (std::size_t i = 0; i < heads_.size(); ++i)
        if (!gives_way(i, row, shown)) found.push_back(i);
    // Changes that were undone and done again elsewhere can all give way to each other: then a
    // person or the rule decides among all.
    if (found.empty())
        for (std::size_t i = 0; i < heads_.size(); ++i) found.push_back(i);
    return found;
}

Result<std::optional<TreeItem>> TreeMerge::merge_path(const std::string& path, const Row& row,
                                                      std::size_t depth) {
    const auto all_show = [&](const std::vector<std::size_t>& which, Shown what) {
        return std::all_of(which.begin(), which.end(),
                           [&](std::size_t i) { return same(row[i], what); });
    };
    const std::vector<std::size_t> left = candidates(row);
    if (all_show(left, row[left.front()])) return copy_of(row[left.front()]);
    if (std::all_of(left.begin(), left.end(),
                    [&](std::size_t i) { return is_tree_or_nothing(row[i]); }))
        return merge_directory(path, row, depth);
    return settle(path, row, left);
}

Result<std::optional<TreeItem>> TreeMerge::merge_directory(const std::string& path, const Row& row,
                                                           std::size_t depth) {
    if (depth >= limits::kTreeDepthMax)
        return fail(Errc::corrupt, "the tree is deeper than " +
                                       std::to_string(limits::kTreeDepthMax) + " directories");
    // Each distinct directory is read once; every source walks it with a cursor of its own.
    std::map<Digest, std::vector<TreeItem>> listings;
    struct Cursor {
        std::size_t source;
        const std::vector<TreeItem>* items;
        std::size_t at = 0;
    };
    std::vector<Cursor> cursors;
    for (std::size_t source = 0; source < row.size(); ++source) {
        if (row[source] == nullptr || !row[source]->is_tree()) continue;
        const Digest& id = row[source]->target;
        if (!listings.contains(id)) {
            TRIBUTARY_ASSIGN(listings[id], read_tree(TreeId{id}, load_));
        }
        cursors.push_back({source, &listings[id]});
    }
    std::vector<TreeItem> items;
    while (true) {
        const std::string* name = nullptr;
        for (const Cursor& cursor : cursors)
            if (cursor.at < cursor.items->size())
                if (const std::string& next = (*cursor.items)[cursor.at].name;
                    name == nullptr || next < *name)
                    name = &next;
        if (name == nullptr) break;
        ++used_.names;
        TRIBUTARY_TRY(within_budget());
        Row below(row.size(), nullptr);
        for (Cursor& cursor : cursors)
            if (cursor.at < cursor.items->size() && (*cursor.items)[cursor.at].name == *name)
                below[cursor.source] = &(*cursor.items)[cursor.at++];
        TRIBUTARY_ASSIGN(auto item,
                         merge_path(path.empty() ? *name : path + "/" + *name, below, depth + 1));
        if (item) items.push_back(*std::move(item));
    }
    if (items.empty() && depth > 0) return std::nullopt;  // nothing is left below
    TRIBUTARY_ASSIGN(EncodedTree tree, encode_tree(std::move(items)));
    TreeItem item = root_item(tree.id);
    item.name = path.substr(path.rfind('/') + 1);
    item.size = tree.size;
    for (EncodedTreeNode& node : tree.nodes) {
        if (!made_.insert(node.id).second) continue;
        used_.bytes += node.bytes.size();
        merged_.nodes.push_back(std::move(node));
    }
    TRIBUTARY_TRY(within_budget());
    return item;
}

Status TreeMerge::within_budget() const {
    constexpr const char* kRemedy =
        "; record less in one repository, or bring the heads nearer to each other";
    if (used_.names > budget_.names)
        return fail(Errc::exhausted, "the heads differ in folders that hold more than " +
                                         std::to_string(budget_.names) +
                                         " names, counted wherever they stand" + kRemedy);
    if (used_.bytes > budget_.bytes)
        return fail(Errc::exhausted, "the merge of the heads takes more than " +
                                         std::to_string(budget_.bytes) +
                                         " bytes of folders and conflicts" + kRemedy);
    return {};
}

std::optional<TreeItem> TreeMerge::settle(const std::string& path, const Row& row,
                                          const std::vector<std::size_t>& candidates) {
    switch (policy_.rule_for(path)) {
        case Rule::newest: {
            const auto newer = [&](std::size_t a, std::size_t b) {
                return std::pair(heads_[a].time, heads_[a].id) <
                       std::pair(heads_[b].time, heads_[b].id);
            };
            return copy_of(row[*std::max_element(candidates.begin(), candidates.end(), newer)]);
        }
        case Rule::union_: {
            Shown only = nullptr;
            for (const std::size_t i : candidates) {
                if (row[i] == nullptr) continue;
                if (only != nullptr && !same(only, row[i]))
                    return open_conflict(path, row, candidates);
                only = row[i];
            }
            return copy_of(only);
        }
        case Rule::conflict_: break;
    }
    return open_conflict(path, row, candidates);
}

std::optional<TreeItem> TreeMerge::open_conflict(const std::string& path, const Row& row,
                                                 const std::vector<std::size_t>& candidates) {
    const Shown base = common_base(row, candidates);
    Conflict conflict{path, {copy_of(base), {}}, {}};
    // Heads come in order of id, so the first that shows a content names its side.
    for (const std::size_t i : candidates) {
        const bool known =
            std::any_of(conflict.sides.begin(), conflict.sides.end(),
                        [&](const ConflictSide& side) { return side.item == copy_of(row[i]); });
        if (!known) conflict.sides.push_back({copy_of(row[i]), heads_[i].id});
    }
    used_.bytes += path.size() + (1 + conflict.sides.size()) * sizeof(ConflictSide);
    merged_.conflicts.push_back(std::move(conflict));
    return copy_of(base);
}

// What all candidates that differ had where they parted, if that is one and the same.
Shown TreeMerge::common_base(const Row& row, const std::vector<std::size_t>& candidates) const {
    std::optional<Shown> base;
    for (const std::size_t i : candidates)
        for (const std::size_t j : candidates) {
            if (i >= j || same(row[i], row[j])) continue;
            const std::uint32_t list = partings_->of(i, j);
            if (list == 0) return nullptr;
            for (const std::size_t source : base_sources_[list]) {
                if (base && !same(*base, row[source])) return nullptr;
                base = row[source];
            }
        }
    return base.value_or(nullptr);
}

Result<MergedTree> TreeMerge::run() {
    Row row;
    for (const TreeItem& root : roots_) row.push_back(&root);
    TRIBUTARY_ASSIGN(const auto root, merge_path("", row, 0));
    TRIBUTARY_CHECK(root.has_value());  // every source shows a root
    merged_.id = TreeId{root->target};
    // Whole paths in byte order, which differs from the order of the walk: '/' sorts above '-'.
    std::sort(merged_.conflicts.begin(), merged_.conflicts.end(),
              [](const Conflict& a, const Conflict& b) { return a.path < b.path; });
    return std::move(merged_);
}

}  // namespace

Result<MergedTree> merge_trees(History& history, const LoadTreeNode& load, const Policy& policy,
                               std::span<const VersionId> stated_heads, const MergeBudget& budget) {
    TRIBUTARY_CHECK(!stated_heads.empty());
    TreeMerge merge(load, policy, budget);
    TRIBUTARY_TRY(merge.prepare(history, stated_heads));
    return merge.run();
}

Result<Fold> fold_heads(History& history, const LoadTreeNode& load, const Policy& policy,
                        const VersionId& branch, std::span<const VersionId> heads,
                        const MergeBudget& budget) {
    std::vector<VersionId> all(heads.begin(), heads.end());
    if (!branch.is_none()) all.push_back(branch);
    if (all.empty()) return fail(Errc::invalid, "there are no heads to merge");
    TRIBUTARY_ASSIGN(const std::vector<VersionId> independent, history.independent(all));
    Fold fold;
    if (independent.size() == 1) {
        fold.id = independent.front();
        return fold;
    }
    Version& version = fold.version;
    if (!branch.is_none()) version.parents.push_back(branch);
    for (const VersionId& head : independent)
        if (head != branch) version.parents.push_back(head);
    if (version.parents.size() > limits::kParentsMax)
        return fail(Errc::exhausted, "a version folds at most " +
                                         std::to_string(limits::kParentsMax) +
                                         " heads; fold fewer at once");
    for (const VersionId& parent : version.parents) {
        TRIBUTARY_ASSIGN(const Version loaded, history.load(parent));
        version.time = std::max(version.time, loaded.time);
    }

    TRIBUTARY_ASSIGN(const auto stated, history.stated_heads(all));
    TRIBUTARY_ASSIGN(fold.tree, merge_trees(history, load, policy, stated, budget));
    version.tree = fold.tree.id;
    fold.conflict_objects = encode_conflicts(fold.tree.conflicts);
    if (fold.conflict_objects.size() > limits::kInputsMax)
        return fail(Errc::exhausted, "the heads conflict at " +
                                         std::to_string(fold.tree.conflicts.size()) +
                                         " paths, too many for one merge; fold fewer at once, or "
                                         "give these paths another merge rule");
    for (const EncodedConflicts& object : fold.conflict_objects)
        version.inputs.push_back({object.name, std::string(kConflictRole), ""});
    Notes notes;
    notes.metadata.emplace(kPolicyNote, policy.digest().text());
    TRIBUTARY_ASSIGN(fold.notes_bytes, encode_notes(notes));
    version.notes = notes_id(fold.notes_bytes);
    TRIBUTARY_ASSIGN(fold.version_bytes, encode_version(version));
    fold.id = version_id(fold.version_bytes);
    fold.made = true;
    return fold;
}

}  // namespace tributary::lineage
