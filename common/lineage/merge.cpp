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

constexpr std::size_t kPairsLikeAName = 256;

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
    };
    // What the heads of one class show at a path.
    struct ClassShows {
        std::optional<Shown> first;
        bool differ = false;
        void add(Shown item);
        bool other_than(Shown item) const { return differ || (first && !same(*first, item)); }
    };

    // Sources: the heads first, then every base once.
    using Row = std::vector<Shown>;

    Status prepare_bases(History& history);
    std::vector<ClassShows> by_class(const Row& row, const std::vector<std::size_t>& heads) const;
    std::vector<std::optional<Shown>> by_bases(const Row& row) const;
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
    MergeBudget used_{0, 0};
    std::unordered_set<TreeId> made_;
    std::vector<Head> heads_;
    std::vector<std::size_t> all_heads_;  // 0, 1, 2, ...
    std::vector<TreeItem> roots_;         // of every source, as items without a name
    Partings partings_;
    std::vector<std::vector<std::size_t>> base_sources_;  // of each of its base sets
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
        all_heads_.push_back(heads_.size());
        heads_.push_back({id, version.time});
        roots_.push_back(root_item(version.tree));
    }
    TRIBUTARY_ASSIGN(partings_, history.partings(heads));
    return prepare_bases(history);
}

Status TreeMerge::prepare_bases(History& history) {
    std::unordered_map<std::uint32_t, std::size_t> sources;
    for (const std::vector<std::uint32_t>& bases : partings_.base_sets) {
        base_sources_.emplace_back();
        for (const std::uint32_t base : bases) {
            const auto [source, fresh] = sources.try_emplace(base, roots_.size());
            if (fresh) {
                TRIBUTARY_ASSIGN(const Version version, history.load(history.id(base)));
                roots_.push_back(root_item(version.tree));
            }
            base_sources_.back().push_back(source->second);
        }
    }
    return {};
}

void TreeMerge::ClassShows::add(Shown item) {
    if (!first) first = item;
    if (!same(*first, item)) differ = true;
}

std::vector<TreeMerge::ClassShows> TreeMerge::by_class(
    const Row& row, const std::vector<std::size_t>& heads) const {
    std::vector<ClassShows> shows(partings_.classes);
    for (const std::size_t i : heads) shows[partings_.class_of[i]].add(row[i]);
    return shows;
}

// What each of the base sets shows, if all in it show the same. Strangers part at the beginning,
// where there was nothing.
std::vector<std::optional<Shown>> TreeMerge::by_bases(const Row& row) const {
    std::vector<std::optional<Shown>> shown;
    shown.reserve(base_sources_.size());
    for (const std::vector<std::size_t>& sources : base_sources_) {
        const Shown first = sources.empty() ? nullptr : row[sources.front()];
        const bool one = std::all_of(sources.begin(), sources.end(),
                                     [&](std::size_t source) { return same(row[source], first); });
        shown.push_back(one ? std::optional(first) : std::nullopt);
    }
    return shown;
}

// A head gives way if it shows what it had where it parted from another, which shows something
// else.
std::vector<std::size_t> TreeMerge::candidates(const Row& row) const {
    const std::vector<ClassShows> shows = by_class(row, all_heads_);
    std::vector<std::vector<Shown>> yields(partings_.classes);  // what gives way, of each class
    const auto yield = [&](std::uint32_t a, std::uint32_t b, Shown base) {
        if (!shows[b].other_than(base)) return;
        for (const Shown known : yields[a])
            if (same(known, base)) return;
        yields[a].push_back(base);
    };
    const std::vector<std::optional<Shown>> bases = by_bases(row);
    for (const Partings::Pair& pair : partings_.pairs)
        if (const std::optional<Shown> base = bases[pair.bases]) {
            yield(pair.a, pair.b, *base);
            yield(pair.b, pair.a, *base);
        }
    std::vector<std::size_t> found;
    for (const std::size_t i : all_heads_) {
        const std::vector<Shown>& gone = yields[partings_.class_of[i]];
        if (std::none_of(gone.begin(), gone.end(), [&](Shown item) { return same(item, row[i]); }))
            found.push_back(i);
    }
    // Changes that were undone and done again elsewhere can all give way to each other: then a
    // person or the rule decides among all.
    return found.empty() ? all_heads_ : found;
}

Result<std::optional<TreeItem>> TreeMerge::merge_path(const std::string& path, const Row& row,
                                                      std::size_t depth) {
    const auto all_show = [&](const std::vector<std::size_t>& which, Shown what) {
        return std::all_of(which.begin(), which.end(),
                           [&](std::size_t i) { return same(row[i], what); });
    };
    if (all_show(all_heads_, row.front())) return copy_of(row.front());
    // A name at which many heads differ takes as long as many names.
    used_.names += (row.size() + partings_.pairs.size()) / kPairsLikeAName;
    TRIBUTARY_TRY(within_budget());
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
    const std::vector<ClassShows> shows = by_class(row, candidates);
    const std::vector<std::optional<Shown>> bases = by_bases(row);
    std::optional<Shown> common;
    for (const Partings::Pair& pair : partings_.pairs) {
        const ClassShows& a = shows[pair.a];
        const ClassShows& b = shows[pair.b];
        if (!a.first || !b.first || (!a.differ && !b.other_than(*a.first))) continue;
        const std::optional<Shown> base = bases[pair.bases];
        if (!base || (common && !same(*common, *base))) return nullptr;
        common = base;
    }
    return common.value_or(nullptr);
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
