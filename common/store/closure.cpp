#include "common/store/closure.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace tributary {
namespace {

// How much of covered versions is read to leave something out: so many items and pieces for each
// of our own, and some more. A large directory of theirs can stand beside each of many small ones
// of ours; past this more is handed out than need be.
constexpr std::uint64_t kBesideForEach = 8;
constexpr std::uint64_t kBesideMore = 4 * 1024 * 1024;

constexpr std::size_t kAllAtOnce = std::numeric_limits<std::size_t>::max();

// Items of this name and kind.
std::vector<TreeItem> same_in(const std::vector<std::vector<TreeItem>>& others,
                              const TreeItem& item) {
    std::vector<TreeItem> same;
    for (const auto& other : others) {
        const auto found = std::ranges::lower_bound(other, item.name, {}, &TreeItem::name);
        if (found != other.end() && found->name == item.name && found->is_tree() == item.is_tree())
            same.push_back(*found);
    }
    return same;
}

}  // namespace

ClosureWalk::ClosureWalk(Store& store, const VersionId& version, std::vector<VersionId> covered,
                         Pieces pieces)
    : store_(store), pieces_(pieces), id_(version), versions_beside_(std::move(covered)) {}

ClosureWalk::ClosureWalk(Store& store, Version version, std::vector<VersionId> covered, Enter enter)
    : store_(store),
      enter_(std::move(enter)),
      version_(std::move(version)),
      versions_beside_(std::move(covered)) {}

Result<bool> ClosureWalk::step(std::size_t records, const Visit& visit) {
    if (!begun_) TRIBUTARY_TRY(begin());
    begun_ = true;
    for (; records > 0 && !is_over(); --records) TRIBUTARY_TRY(next(visit));
    return is_over();
}

Status ClosureWalk::begin() {
    if (id_) {
        TRIBUTARY_ASSIGN(version_, read_version(store_, *id_));
        if (std::ranges::find(versions_beside_, *id_) != versions_beside_.end()) return {};
    }
    std::vector<TreeId> beside;
    std::unordered_set<Digest> covered_notes;
    for (const VersionId& other : versions_beside_) {
        const auto evicted = store_.evicted(other);
        if (!evicted || *evicted) continue;
        const auto known = read_version(store_, other);
        if (!known) continue;
        beside.push_back(known->tree);
        covered_notes.insert(known->notes.digest);
    }
    TRIBUTARY_TRY(open(version_.tree, std::move(beside)));
    if (!version_.notes.is_none() && !covered_notes.contains(version_.notes.digest))
        end_.push_back({RecordKind::notes, version_.notes.digest});
    // A conflict is an object of its own that the merge version names as an input.
    for (const Input& input : version_.inputs)
        if (const RecordKey key{RecordKind::conflict, input.id};
            input.role == "conflict" && store_.has(key))
            end_.push_back(key);
    if (id_) end_.push_back({RecordKind::version, id_->digest});
    return {};
}

Status ClosureWalk::next(const Visit& visit) {
    if (file_) return go_on(*file_, visit);
    if (!open_.empty()) return go_on(open_.back(), visit);
    return visit(end_[at_end_++]);
}

// ---- directories ----

Status ClosureWalk::open(const TreeId& id, std::vector<TreeId> beside) {
    if (std::ranges::find(beside, id) != beside.end()) return {};
    // What stands in many places is handed out once: a few small trees that name each other
    // twice would take longer than the world lasts. What the first place left out is covered.
    if (!walked_.insert(id).second) return {};
    if (open_.size() >= limits::kTreeDepthMax)
        return fail(Errc::corrupt,
                    "directories are nested deeper than " + std::to_string(limits::kTreeDepthMax));
    Directory directory;
    TRIBUTARY_ASSIGN(directory.items, read_directory(id, true, directory.nodes));
    own_ += directory.items.size();
    directory.beside = std::move(beside);
    std::ranges::reverse(directory.beside);
    open_.push_back(std::move(directory));
    return {};
}

// Its items, and the nodes that hold them.
Result<std::vector<TreeItem>> ClosureWalk::read_directory(const TreeId& id, bool own,
                                                          std::vector<TreeId>& nodes) {
    auto items = read_tree(id, [&](const TreeId& node) -> Result<Bytes> {
        const RecordKey key{RecordKind::tree, node.digest};
        if (own && enter_) TRIBUTARY_TRY(enter_(key, 0));
        if (own && !store_.has(key)) absent_ = key;
        nodes.push_back(node);
        return store_.read_plain(key);
    });
    std::ranges::reverse(nodes);  // each was read before those below it
    return items;
}

Status ClosureWalk::go_on(Directory& directory, const Visit& visit) {
    if (!directory.beside.empty()) {
        const TreeId other = directory.beside.back();
        directory.beside.pop_back();
        if (!may_read_beside()) return {};
        std::vector<TreeId> nodes;
        // What is missing there is no trouble.
        auto items = read_directory(other, false, nodes);
        if (!items) return {};
        beside_ += items->size();
        directory.others.push_back(*std::move(items));
        directory.covered.insert(nodes.begin(), nodes.end());
        return {};
    }
    if (directory.at < directory.items.size()) {
        const TreeItem item = std::move(directory.items[directory.at++]);
        return take(item, directory, visit);
    }
    if (directory.node_at < directory.nodes.size()) {
        const TreeId& node = directory.nodes[directory.node_at++];
        return directory.covered.contains(node) ? Status() : visit({RecordKind::tree, node.digest});
    }
    open_.pop_back();
    return {};
}

Status ClosureWalk::take(const TreeItem& item, const Directory& directory, const Visit& visit) {
    std::vector<TreeItem> same = same_in(directory.others, item);
    if (!item.is_tree()) return open_file(item, std::move(same), visit);
    std::vector<TreeId> beside;
    for (const TreeItem& other : same) beside.push_back({other.target});
    return open({item.target}, std::move(beside));
}

// ---- files ----

Status ClosureWalk::open_file(const TreeItem& item, std::vector<TreeItem> beside,
                              const Visit& visit) {
    if (item.size == 0) return {};
    if (std::ranges::find(beside, item.target, &TreeItem::target) != beside.end()) return {};
    const RecordKey recipe_key{RecordKind::recipe, item.target};
    if (enter_) return enter_(recipe_key, item.size);
    if (!store_.has(recipe_key)) {
        if (item.size > limits::kPieceBytesMax) return visit(recipe_key);
        if (pair_) {
            const Recipe whole{item.size, {{{item.target}, static_cast<std::uint32_t>(item.size)}}};
            for (const TreeItem& other : beside)
                if (const auto theirs = read_beside(other)) pair_(whole, *theirs);
        }
        return visit({RecordKind::piece, item.target});
    }
    // Like a tree, a file of many pieces is handed out where it stands first. One of another
    // length is read to be refused.
    const auto [known, first] = walked_files_.emplace(item.target, item.size);
    if (!first && known->second == item.size) return {};
    File file;
    TRIBUTARY_ASSIGN(file.recipe, read_recipe(store_, {item.target}, item.size));
    if (pieces_ == Pieces::by_recipe) return visit(recipe_key);
    own_ += file.recipe.pieces.size();
    file.id = item.target;
    file.beside = std::move(beside);
    std::ranges::reverse(file.beside);
    file_ = std::move(file);
    return {};
}

Status ClosureWalk::go_on(File& file, const Visit& visit) {
    if (!file.beside.empty()) {
        const TreeItem other = std::move(file.beside.back());
        file.beside.pop_back();
        const auto theirs = read_beside(other);
        if (!theirs) return {};
        if (pair_) pair_(file.recipe, *theirs);
        for (const RecipePiece& piece : theirs->pieces) file.covered.insert(piece.id);
        return {};
    }
    if (file.at < file.recipe.pieces.size()) {
        const PieceId& piece = file.recipe.pieces[file.at++].id;
        return file.covered.insert(piece).second ? visit({RecordKind::piece, piece.digest})
                                                 : Status();
    }
    const RecordKey recipe{RecordKind::recipe, file.id};
    file_.reset();
    return visit(recipe);
}

// None: it is not here, or more than enough was read.
std::optional<Recipe> ClosureWalk::read_beside(const TreeItem& other) {
    if (!may_read_beside()) return std::nullopt;
    auto recipe = read_recipe(store_, {other.target}, other.size);
    if (!recipe) return std::nullopt;
    beside_ += recipe->pieces.size();
    return *std::move(recipe);
}

bool ClosureWalk::may_read_beside() const { return beside_ <= kBesideMore + kBesideForEach * own_; }

// ---- the whole of it ----

Status closure_of(Store& store, const VersionId& version, const std::vector<VersionId>& covered,
                  const ClosureWalk::Visit& visit) {
    return ClosureWalk(store, version, covered).step(kAllAtOnce, visit).map([](bool) {});
}

MissingSearch::MissingSearch(Store& store, const VersionId& version,
                             std::vector<VersionId> known_whole, ClosureWalk::Pieces pieces)
    : store_(store), walk_(store, version, std::move(known_whole), pieces) {
    if (const RecordKey key{RecordKind::version, version.digest}; !store.has(key)) missing_ = key;
}

Result<bool> MissingSearch::step(std::size_t records) {
    if (missing_) return true;
    auto walked = walk_.step(records, [this](const RecordKey& key) -> Status {
        if (store_.has(key)) return {};
        missing_ = key;
        return fail(Errc::cancelled, "found");
    });
    if (!missing_) missing_ = walk_.absent();
    return missing_ ? true : walked;
}

Result<std::optional<RecordKey>> first_missing(Store& store, const VersionId& version,
                                               const std::vector<VersionId>& known_whole) {
    MissingSearch search(store, version, known_whole);
    TRIBUTARY_TRY(search.step(kAllAtOnce));
    return search.missing();
}

}  // namespace tributary
