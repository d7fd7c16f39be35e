#include "hub/store/version_names.h"

namespace tributary::hub {

Result<bool> VersionNames::step(std::size_t records, const Needs& needs) {
    if (!begun_) TRIBUTARY_TRY(begin(needs));
    begun_ = true;
    std::size_t names = 0;
    const Needs count = [&](const RecordKey& key) {
        ++names;
        return needs(key);
    };
    for (; names < kNamesAStep && records > 0 && !open_.empty(); --records) {
        const Open next = open_.back();
        open_.pop_back();
        if (next.file_bytes)
            TRIBUTARY_TRY(take_recipe(next.id, *next.file_bytes, count));
        else
            TRIBUTARY_TRY(take_tree(next.id, count));
    }
    return open_.empty();
}

Status VersionNames::begin(const Needs& needs) {
    TRIBUTARY_ASSIGN(const Version version, read_version(store_, version_));
    TRIBUTARY_TRY(needs({RecordKind::version, version_.digest}));
    if (!version.notes.is_none()) TRIBUTARY_TRY(needs({RecordKind::notes, version.notes.digest}));
    for (const Input& input : version.inputs)
        if (input.role == "conflict") TRIBUTARY_TRY(needs({RecordKind::conflict, input.id}));
    open_.push_back({version.tree.digest, {}});
    return {};
}

Status VersionNames::take_tree(const Digest& id, const Needs& needs) {
    TRIBUTARY_ASSIGN(const Bytes bytes, store_.read_plain({RecordKind::tree, id}));
    TRIBUTARY_ASSIGN(const TreeNode node, parse_tree_node(bytes));
    TRIBUTARY_TRY(needs({RecordKind::tree, id}));
    for (const TreeItem& item : node.items) {
        if (item.is_tree()) {
            if (trees_.insert(item.target).second) open_.push_back({item.target, {}});
        } else if (item.size != 0) {
            if (store_.has({RecordKind::recipe, item.target}))
                open_.push_back({item.target, item.size});
            else
                TRIBUTARY_TRY(needs({RecordKind::piece, item.target}));
        }
    }
    return {};
}

Status VersionNames::take_recipe(const Digest& file, std::uint64_t bytes, const Needs& needs) {
    TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store_, {file}, bytes));
    TRIBUTARY_TRY(needs({RecordKind::recipe, file}));
    for (const RecipePiece& piece : recipe.pieces)
        TRIBUTARY_TRY(needs({RecordKind::piece, piece.id.digest}));
    return {};
}

}  // namespace tributary::hub
