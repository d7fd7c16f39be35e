#include "common/store/closure.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace tributary {
namespace {

// How much of covered versions is read to leave something out: so many items and pieces for each
// of our own, and some more. A large directory of theirs can stand beside each of many small ones
// of ours; past this more is handed out than need be.
constexpr std::uint64_t kBesideForEach = 8;
constexpr std::uint64_t kBesideMore = 4 * 1024 * 1024;

class ClosureWalk {
public:
    ClosureWalk(Store& store, const std::function<Status(const RecordKey&)>& visit)
        : store_(store), load_covered_(tree_loader(store)), visit_(visit) {
        load_ = [this](const TreeId& id) -> Result<Bytes> {
            const RecordKey key{RecordKind::tree, id.digest};
            if (!store_.has(key)) absent_ = key;
            return load_covered_(id);
        };
    }

    // A tree node that had to be read and is not here.
    const std::optional<RecordKey>& absent() const { return absent_; }

    Status version(const VersionId& id, const std::vector<VersionId>& covered) {
        TRIBUTARY_ASSIGN(const Version version, read_version(store_, id));
        if (std::ranges::find(covered, id) != covered.end()) return {};
        TRIBUTARY_TRY(below(version, covered));
        return visit_({RecordKind::version, id.digest});
    }

    Status below(const Version& version, const std::vector<VersionId>& covered) {
        std::vector<TreeId> beside;
        std::unordered_set<Digest> covered_notes;
        for (const VersionId& other : covered) {
            const auto evicted = store_.evicted(other);
            if (!evicted || *evicted) continue;
            const auto known = read_version(store_, other);
            if (!known) continue;
            beside.push_back(known->tree);
            covered_notes.insert(known->notes.digest);
        }
        TRIBUTARY_TRY(tree(version.tree, beside, 0));
        if (!version.notes.is_none() && !covered_notes.contains(version.notes.digest))
            TRIBUTARY_TRY(visit_({RecordKind::notes, version.notes.digest}));
        // A conflict is an object of its own that the merge version names as an input.
        for (const Input& input : version.inputs)
            if (const RecordKey key{RecordKind::conflict, input.id};
                input.role == "conflict" && store_.has(key))
                TRIBUTARY_TRY(visit_(key));
        return {};
    }

private:
    Status tree(const TreeId& id, const std::vector<TreeId>& beside, std::size_t depth) {
        if (std::ranges::find(beside, id) != beside.end()) return {};
        // What stands in many places is handed out once: a few small trees that name each other
        // twice would take longer than the world lasts. What the first place left out is covered.
        if (!walked_.insert(id).second) return {};
        if (depth >= limits::kTreeDepthMax)
            return fail(Errc::corrupt, "directories are nested deeper than " +
                                           std::to_string(limits::kTreeDepthMax));
        TRIBUTARY_ASSIGN(const std::vector<TreeItem> items, read_tree(id, load_));
        own_ += items.size();
        std::vector<std::vector<TreeItem>> others;
        std::vector<TreeId> compared;
        for (const TreeId& other : beside) {
            if (!may_read_beside()) break;
            auto read = read_tree(other, load_covered_);
            if (!read) continue;
            beside_ += read->size();
            others.push_back(*std::move(read));
            compared.push_back(other);
        }

        for (const TreeItem& item : items) {
            std::vector<TreeItem> same_name;
            for (const auto& other : others) {
                const auto found = std::ranges::lower_bound(other, item.name, {}, &TreeItem::name);
                if (found != other.end() && found->name == item.name &&
                    found->is_tree() == item.is_tree())
                    same_name.push_back(*found);
            }
            if (item.is_tree()) {
                std::vector<TreeId> below;
                for (const TreeItem& other : same_name) below.push_back({other.target});
                TRIBUTARY_TRY(tree({item.target}, below, depth + 1));
            } else {
                TRIBUTARY_TRY(blob(item, same_name));
            }
        }
        return tree_nodes(id, compared);
    }

    // The nodes of one directory that none of the covered directories shares, children first.
    Status tree_nodes(const TreeId& id, const std::vector<TreeId>& beside) {
        std::unordered_set<TreeId> covered;
        for (const TreeId& other : beside) collect_nodes(other, covered);
        return own_nodes(id, covered);
    }

    void collect_nodes(const TreeId& id, std::unordered_set<TreeId>& nodes) {
        if (!nodes.insert(id).second) return;
        const auto bytes = load_covered_(id);
        if (!bytes) return;
        const auto node = parse_tree_node(*bytes);
        if (!node || node->level == 0) return;
        for (const TreeItem& child : node->items) collect_nodes({child.target}, nodes);
    }

    Status own_nodes(const TreeId& id, const std::unordered_set<TreeId>& covered) {
        if (covered.contains(id)) return {};
        TRIBUTARY_ASSIGN(const Bytes bytes, load_(id));
        TRIBUTARY_ASSIGN(const TreeNode node, parse_tree_node(bytes));
        if (node.level > 0)
            for (const TreeItem& child : node.items)
                TRIBUTARY_TRY(own_nodes({child.target}, covered));
        return visit_({RecordKind::tree, id.digest});
    }

    Status blob(const TreeItem& file, const std::vector<TreeItem>& beside) {
        if (file.size == 0) return {};
        for (const TreeItem& other : beside)
            if (other.target == file.target) return {};
        const RecordKey recipe_key{RecordKind::recipe, file.target};
        if (!store_.has(recipe_key))
            return visit_(file.size > limits::kPieceBytesMax
                              ? recipe_key
                              : RecordKey{RecordKind::piece, file.target});
        // Like a tree, a file of many pieces is handed out where it stands first. One of another
        // length is read to be refused.
        const auto [known, first] = walked_files_.emplace(file.target, file.size);
        if (!first && known->second == file.size) return {};
        TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store_, {file.target}, file.size));
        own_ += recipe.pieces.size();
        std::unordered_set<PieceId> covered;
        for (const TreeItem& other : beside) {
            if (!may_read_beside()) break;
            const auto theirs = read_recipe(store_, {other.target}, other.size);
            if (!theirs) continue;
            beside_ += theirs->pieces.size();
            for (const RecipePiece& piece : theirs->pieces) covered.insert(piece.id);
        }
        for (const RecipePiece& piece : recipe.pieces)
            if (covered.insert(piece.id).second)
                TRIBUTARY_TRY(visit_({RecordKind::piece, piece.id.digest}));
        return visit_(recipe_key);
    }

    bool may_read_beside() const { return beside_ <= kBesideMore + kBesideForEach * own_; }

    Store& store_;
    LoadTreeNode load_;
    LoadTreeNode load_covered_;  // what is missing there is no trouble
    std::optional<RecordKey> absent_;
    std::unordered_set<TreeId> walked_;
    std::unordered_map<Digest, std::uint64_t> walked_files_;  // that have a recipe; their length
    std::uint64_t own_ = 0;                                   // items and pieces read so far
    std::uint64_t beside_ = 0;                                // likewise, of covered versions
    const std::function<Status(const RecordKey&)>& visit_;
};

}  // namespace

Status closure_of(Store& store, const VersionId& version, const std::vector<VersionId>& covered,
                  const std::function<Status(const RecordKey&)>& visit) {
    return ClosureWalk(store, visit).version(version, covered);
}

Status closure_below(Store& store, const Version& version, const std::vector<VersionId>& covered,
                     const std::function<Status(const RecordKey&)>& visit) {
    return ClosureWalk(store, visit).below(version, covered);
}

Result<std::optional<RecordKey>> first_missing(Store& store, const VersionId& version,
                                               const std::vector<VersionId>& known_whole) {
    if (!store.has({RecordKind::version, version.digest}))
        return RecordKey{RecordKind::version, version.digest};
    std::optional<RecordKey> missing;
    const std::function<Status(const RecordKey&)> stop_at_missing =
        [&](const RecordKey& key) -> Status {
        if (store.has(key)) return {};
        missing = key;
        return fail(Errc::cancelled, "found");
    };
    ClosureWalk walk(store, stop_at_missing);
    const Status walked = walk.version(version, known_whole);
    if (!missing) missing = walk.absent();
    if (missing || walked) return missing;
    return tl::make_unexpected(walked.error());
}

}  // namespace tributary
