#include "hub/store/version_names.h"

namespace tributary::hub {
namespace {

constexpr std::uint32_t kRecipeBytesAPiece = 40;  // schemas/recipe.fbs

}  // namespace

Result<bool> VersionNames::step(std::size_t records, const Needs& needs) {
    if (!begun_) TRIBUTARY_TRY(begin(needs));
    begun_ = true;
    std::size_t names = 0;
    const Needs count = [&](const RecordKey& key) {
        ++names;
        return needs(key);
    };
    const bool is_even = pace_ == Pace::even;
    for (; records > 0 && !is_over() && (is_even || names < kNamesAStep); --records) {
        TRIBUTARY_TRY(next(count));
        ++taken_;
    }
    return is_over();
}

Status VersionNames::next(const Needs& needs) {
    if (owed_ > 0) {
        --owed_;
        return {};
    }
    const Open next = open_.back();
    open_.pop_back();
    if (!next.file_bytes) return take_tree(next.id, needs);
    if (pace_ == Pace::even) owed_ = *next.file_bytes / kFileBytesARecord;
    return take_file(next.id, *next.file_bytes, needs);
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
            open_.push_back({item.target, item.size});
        }
    }
    return {};
}

Status VersionNames::take_file(const Digest& file, std::uint64_t bytes, const Needs& needs) {
    const RecordKey key{RecordKind::recipe, file};
    if (!store_.has(key)) return needs({RecordKind::piece, file});
    TRIBUTARY_TRY(needs(key));
    if (pace_ == Pace::even) {
        TRIBUTARY_ASSIGN(const RecordHeader header, store_.read_header(key));
        if (header.plain_length / kRecipeBytesAPiece > kPiecesARecord * (1 + owed_)) return {};
    }
    TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store_, {file}, bytes));
    for (const RecipePiece& piece : recipe.pieces)
        TRIBUTARY_TRY(needs({RecordKind::piece, piece.id.digest}));
    return {};
}

}  // namespace tributary::hub
