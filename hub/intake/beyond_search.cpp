#include "hub/intake/beyond_search.h"

#include <unordered_set>
#include <utility>

#include "common/lineage/conflict.h"

namespace tributary::hub {

BeyondSearch::BeyondSearch(Readable& readable, Store& store, const Version& version)
    : readable_(readable),
      store_(store),
      walk_(store, version, readable.parents_of(version),
            [this](const RecordKey& key) { return enter(key); }),
      tree_(version.tree) {
    // Also one that nobody has: it may come to be here later.
    for (const Input& input : version.inputs)
        if (const RecordKey key{RecordKind::conflict, input.id};
            !beyond_ && input.role == lineage::kConflictRole && !readable_.contains(key))
            beyond_ = key;
}

bool BeyondSearch::step(std::size_t records) {
    if (beyond_) return true;
    const auto over = walk_.step(records, [this](const RecordKey& key) { return look_at(key); });
    if (over && !*over) return false;
    if (!beyond_ && !pieces_.empty()) beyond_ = pieces_.front();
    // What cannot be read need not be its own: why not is no business of others.
    if (!beyond_ && !over) beyond_ = RecordKey{RecordKind::tree, tree_.digest};
    return true;
}

// Before it is looked for: of what is not its board's it must not show whether it is here.
Status BeyondSearch::enter(const RecordKey& key) {
    const bool sent_whole =
        key.kind == RecordKind::recipe && readable_.contains({RecordKind::piece, key.name});
    return sent_whole || readable_.contains(key) ? Status() : stop_at(key);
}

Status BeyondSearch::look_at(const RecordKey& key) {
    if (key.kind == RecordKind::piece) {
        if (!readable_.contains(key)) pieces_.push_back(key);
        return {};
    }
    if (key.kind == RecordKind::recipe) return forgive_pieces_of(key.name);
    if (!pieces_.empty()) return stop_at(pieces_.front());
    return readable_.contains(key) ? Status() : stop_at(key);
}

Status BeyondSearch::stop_at(const RecordKey& key) {
    beyond_ = key;
    return fail(Errc::cancelled, "found");
}

Status BeyondSearch::forgive_pieces_of(const Digest& file) {
    if (pieces_.empty()) return {};
    TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain({RecordKind::recipe, file}));
    TRIBUTARY_ASSIGN(const Recipe recipe, parse_recipe(plain));
    std::unordered_set<Digest> own;
    for (const RecipePiece& piece : recipe.pieces) own.insert(piece.id.digest);
    std::erase_if(pieces_, [&](const RecordKey& piece) { return own.contains(piece.name); });
    return {};
}

}  // namespace tributary::hub
