#include "common/lineage/merge.h"

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <tuple>
#include <unordered_map>
#include <unordered_set>

#include "common/base/limits.h"

namespace tributary::lineage {
namespace {

constexpr std::size_t kPairsLikeAName = 256;

// What a source (a head or a base) shows at a path; null: nothing.
using Shown = const TreeItem*;

bool same(Shown a, Shown b) { return a == b || (a != nullptr && b != nullptr && *a == *b); }

// What all sources show at a path. Of ten thousand boards that record files of their own, each name
// is shown by one: so those that show something are listed, and work goes with these.
class Row {
public:
    struct Cell {
        std::size_t source;
        Shown item;  // not null
        bool operator<(const Cell& other) const { return source < other.source; }
    };
    // Each source at most once, in any order.
    explicit Row(std::vector<Cell> cells) : cells_(std::move(cells)) {
        std::sort(cells_.begin(), cells_.end());
    }
    Shown at(std::size_t source) const {
        const auto cell = std::lower_bound(cells_.begin(), cells_.end(), Cell{source, nullptr});
        return cell != cells_.end() && cell->source == source ? cell->item : nullptr;
    }
    std::span<const Cell> cells() const { return cells_; }
    // Those of the sources below that.
    std::span<const Cell> cells_before(std::size_t source) const {
        const auto end = std::lower_bound(cells_.begin(), cells_.end(), Cell{source, nullptr});
        return {cells_.begin(), end};
    }

private:
    std::vector<Cell> cells_;  // by source
};

bool all_same(std::span<const Row::Cell> cells) {
    return std::all_of(cells.begin(), cells.end(),
                       [&](const Row::Cell& cell) { return same(cell.item, cells.front().item); });
}

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
    // Heads that do not give way at a path: those that show something, and of each class whether
    // those that show nothing are among them.
    struct Candidates {
        std::vector<Row::Cell> shown;
        std::vector<bool> nothing;
        bool any_nothing() const {
            return std::find(nothing.begin(), nothing.end(), true) != nothing.end();
        }
    };

    Status prepare_bases(History& history);
    std::vector<std::optional<Shown>> by_bases(const Row& row) const;
    Candidates candidates(const Row& row) const;
    std::vector<std::size_t> heads_of(const Row& row, const Candidates& candidates) const;

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
    MergeBudget used_{.names = 0, .bytes = 0};
    std::unordered_set<TreeId> made_;
    std::vector<Head> heads_;
    // Of every source, as items without a name: the heads first, then every base once.
    std::vector<TreeItem> roots_;
    Partings partings_;
    std::vector<std::size_t> class_sizes_;                // heads in each of its classes
    std::vector<std::vector<std::size_t>> base_sources_;  // of each of its base sets
    std::size_t bases_looked_at_ = 0;                     // at each name: the sum of their sizes
    std::uint64_t listed_ = 0;                            // items of directories in RAM
    MergedTree merged_;
};

// Adds to a sum, and takes it away again when it goes.
class Sum {
public:
    explicit Sum(std::uint64_t& of) : of_(of) {}
    ~Sum() { of_ -= added_; }
    Sum(const Sum&) = delete;
    Sum& operator=(const Sum&) = delete;
    void add(std::uint64_t count) {
        of_ += count;
        added_ += count;
    }

private:
    std::uint64_t& of_;
    std::uint64_t added_ = 0;
};

// A directory, and how far it was walked.
struct Listing {
    std::vector<std::size_t> sources;  // that show it
    std::vector<TreeItem> items;       // by name
    std::size_t at = 0;
    bool at_end() const { return at == items.size(); }
    const std::string& name() const { return items[at].name; }
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
        heads_.push_back({id, version.time});
        roots_.push_back(root_item(version.tree));
    }
    TRIBUTARY_ASSIGN(partings_, history.partings(heads));
    class_sizes_.resize(partings_.classes);
    for (const std::uint32_t its_class : partings_.class_of) ++class_sizes_[its_class];
    return prepare_bases(history);
}

Status TreeMerge::prepare_bases(History& history) {
    std::unordered_map<std::uint32_t, std::size_t> sources;
    for (const std::vector<std::uint32_t>& bases : partings_.base_sets) {
        bases_looked_at_ += bases.size();
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

// What each of the base sets shows, if all in it show the same. Strangers part at the beginning,
// where there was nothing.
std::vector<std::optional<Shown>> TreeMerge::by_bases(const Row& row) const {
    std::vector<std::optional<Shown>> shown;
    shown.reserve(base_sources_.size());
    for (const std::vector<std::size_t>& sources : base_sources_) {
        const Shown first = sources.empty() ? nullptr : row.at(sources.front());
        const bool one = std::all_of(sources.begin(), sources.end(), [&](std::size_t source) {
            return same(row.at(source), first);
        });
        shown.push_back(one ? std::optional(first) : std::nullopt);
    }
    return shown;
}

// A head gives way if it shows what it had where it parted from another, which shows something
// else.
TreeMerge::Candidates TreeMerge::candidates(const Row& row) const {
    const std::span<const Row::Cell> heads = row.cells_before(heads_.size());
    std::vector<ClassShows> shows(partings_.classes);
    std::vector<std::size_t> silent = class_sizes_;  // heads of each class that show nothing
    for (const Row::Cell& head : heads) {
        shows[partings_.class_of[head.source]].add(head.item);
        --silent[partings_.class_of[head.source]];
    }
    for (std::size_t its_class = 0; its_class < shows.size(); ++its_class)
        if (silent[its_class] != 0) shows[its_class].add(nullptr);

    std::vector<std::vector<Shown>> yields(partings_.classes);  // what gives way, of each class
    const auto gives_way = [&](std::size_t its_class, Shown item) {
        const std::vector<Shown>& gone = yields[its_class];
        return std::any_of(gone.begin(), gone.end(), [&](Shown what) { return same(what, item); });
    };
    const auto yield = [&](std::uint32_t a, std::uint32_t b, Shown base) {
        if (shows[b].other_than(base) && !gives_way(a, base)) yields[a].push_back(base);
    };
    const std::vector<std::optional<Shown>> bases = by_bases(row);
    for (const Partings::Pair& pair : partings_.pairs)
        if (const std::optional<Shown> base = bases[pair.bases]) {
            yield(pair.a, pair.b, *base);
            yield(pair.b, pair.a, *base);
        }

    Candidates all, left;
    for (const Row::Cell& head : heads) {
        all.shown.push_back(head);
        if (!gives_way(partings_.class_of[head.source], head.item)) left.shown.push_back(head);
    }
    for (std::size_t its_class = 0; its_class < silent.size(); ++its_class) {
        all.nothing.push_back(silent[its_class] != 0);
        left.nothing.push_back(all.nothing.back() && !gives_way(its_class, nullptr));
    }
    // Changes that were undone and done again elsewhere can all give way to each other: then a
    // person or the rule decides among all.
    return left.shown.empty() && !left.any_nothing() ? all : left;
}

// By their numbers.
std::vector<std::size_t> TreeMerge::heads_of(const Row& row, const Candidates& candidates) const {
    std::vector<std::size_t> heads;
    auto next = candidates.shown.begin();
    for (std::size_t i = 0; i < heads_.size(); ++i) {
        const bool shows = next != candidates.shown.end() && next->source == i;
        if (shows) ++next;
        if (shows || (candidates.nothing[partings_.class_of[i]] && row.at(i) == nullptr))
            heads.push_back(i);
    }
    return heads;
}

Result<std::optional<TreeItem>> TreeMerge::merge_path(const std::string& path, const Row& row,
                                                      std::size_t depth) {
    const std::span<const Row::Cell> heads = row.cells_before(heads_.size());
    if (heads.empty()) return std::nullopt;
    if (heads.size() == heads_.size() && all_same(heads)) return *heads.front().item;
    // A name at which many heads differ takes as long as many names.
    used_.names += (heads.size() + partings_.pairs.size() + bases_looked_at_) / kPairsLikeAName;
    TRIBUTARY_TRY(within_budget());
    const Candidates left = candidates(row);
    if (left.shown.empty()) return std::nullopt;
    if (!left.any_nothing() && all_same(left.shown)) return *left.shown.front().item;
    if (std::all_of(left.shown.begin(), left.shown.end(),
                    [](const Row::Cell& head) { return head.item->is_tree(); }))
        return merge_directory(path, row, depth);
    used_.names += heads_.size() / kPairsLikeAName;
    TRIBUTARY_TRY(within_budget());
    return settle(path, row, heads_of(row, left));
}

Result<std::optional<TreeItem>> TreeMerge::merge_directory(const std::string& path, const Row& row,
                                                           std::size_t depth) {
    if (depth >= limits::kTreeDepthMax)
        return fail(Errc::corrupt, "the tree is deeper than " +
                                       std::to_string(limits::kTreeDepthMax) + " directories");
    // Each distinct directory is read once, and walked once for all sources that show it.
    std::map<Digest, Listing> listings;
    Sum listed(listed_);
    for (const Row::Cell& cell : row.cells()) {
        if (!cell.item->is_tree()) continue;
        const auto [listing, fresh] = listings.try_emplace(cell.item->target);
        if (fresh) {
            TRIBUTARY_ASSIGN(listing->second.items, read_tree(TreeId{listing->first}, load_));
            listed.add(listing->second.items.size());
            TRIBUTARY_TRY(within_budget());
        }
        listing->second.sources.push_back(cell.source);
    }
    const auto later = [](const Listing* a, const Listing* b) { return a->name() > b->name(); };
    std::priority_queue<Listing*, std::vector<Listing*>, decltype(later)> by_name(later);
    for (auto& [id, listing] : listings)
        if (!listing.at_end()) by_name.push(&listing);
    std::vector<TreeItem> items;
    while (!by_name.empty()) {
        const std::string& name = by_name.top()->name();
        ++used_.names;
        TRIBUTARY_TRY(within_budget());
        std::vector<Row::Cell> cells;
        while (!by_name.empty() && by_name.top()->name() == name) {
            Listing* const listing = by_name.top();
            by_name.pop();
            for (const std::size_t source : listing->sources)
                cells.push_back({source, &listing->items[listing->at]});
            ++listing->at;
            if (!listing->at_end()) by_name.push(listing);
        }
        used_.names += cells.size() / kPairsLikeAName;
        TRIBUTARY_ASSIGN(auto item, merge_path(path.empty() ? name : path + "/" + name,
                                               Row(std::move(cells)), depth + 1));
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
    if (used_.names > budget_.names || listed_ > budget_.listed)
        return fail(
            Errc::exhausted,
            "the heads differ in folders that hold more than " +
                std::to_string(used_.names > budget_.names ? budget_.names : budget_.listed) +
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
            return copy_of(row.at(*std::max_element(candidates.begin(), candidates.end(), newer)));
        }
        case Rule::union_: {
            Shown only = nullptr;
            for (const std::size_t i : candidates) {
                const Shown item = row.at(i);
                if (item == nullptr) continue;
                if (only != nullptr && !same(only, item))
                    return open_conflict(path, row, candidates);
                only = item;
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
    std::set<std::optional<std::tuple<TreeItem::Type, Digest, std::uint64_t>>> known;
    for (const std::size_t i : candidates) {
        const Shown item = row.at(i);
        const bool fresh =
            item == nullptr ? known.insert(std::nullopt).second
                            : known.insert(std::tuple(item->type, item->target, item->size)).second;
        if (fresh) conflict.sides.push_back({copy_of(item), heads_[i].id});
    }
    used_.bytes += path.size() + (1 + conflict.sides.size()) * sizeof(ConflictSide);
    merged_.conflicts.push_back(std::move(conflict));
    return copy_of(base);
}

// What all candidates that differ had where they parted, if that is one and the same.
Shown TreeMerge::common_base(const Row& row, const std::vector<std::size_t>& candidates) const {
    std::vector<ClassShows> shows(partings_.classes);
    for (const std::size_t i : candidates) shows[partings_.class_of[i]].add(row.at(i));
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
    std::vector<Row::Cell> cells;
    for (const TreeItem& root : roots_) cells.push_back({cells.size(), &root});
    TRIBUTARY_ASSIGN(const auto root, merge_path("", Row(std::move(cells)), 0));
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
    TRIBUTARY_CHECK(budget.parents >= 2);  // the branch, and one more
    if (version.parents.size() > budget.parents) {
        fold.heads_left = version.parents.size() - budget.parents;
        version.parents.resize(budget.parents);
    }
    for (const VersionId& parent : version.parents) {
        TRIBUTARY_ASSIGN(const Version loaded, history.load(parent));
        version.time = std::max(version.time, loaded.time);
    }

    TRIBUTARY_ASSIGN(const auto stated, history.stated_heads(version.parents));
    TRIBUTARY_ASSIGN(fold.tree, merge_trees(history, load, policy, stated, budget));
    version.tree = fold.tree.id;
    fold.conflict_objects = encode_conflicts(fold.tree.conflicts);
    if (fold.conflict_objects.size() > limits::kInputsMax)
        return fail(Errc::exhausted,
                    "the heads conflict at " + std::to_string(fold.tree.conflicts.size()) +
                        " paths, too many for one merge; give these paths another merge rule");
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
