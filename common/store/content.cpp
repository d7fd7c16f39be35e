// Versions, trees and blobs over any store.
#include <utility>

#include "common/hash/hash.h"
#include "common/store/store.h"

namespace tributary {

Result<Version> read_version(Store& store, const VersionId& id) {
    TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain({RecordKind::version, id.digest}));
    return parse_version(plain);
}

Result<Notes> read_notes(Store& store, const NotesId& id) {
    if (id.is_none()) return Notes{};
    TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain({RecordKind::notes, id.digest}));
    return parse_notes(plain);
}

LoadTreeNode tree_loader(Store& store) {
    return [&store](const TreeId& id) { return store.read_plain({RecordKind::tree, id.digest}); };
}

Result<Recipe> read_recipe(Store& store, const BlobId& id, std::uint64_t bytes) {
    Recipe whole{bytes, {}};
    if (bytes > 0 && bytes <= limits::kPieceBytesMax)
        whole.pieces.push_back({PieceId{id.digest}, static_cast<std::uint32_t>(bytes)});
    // Whatever recipes say of it: compaction may have left one whose pieces are gone.
    if (!whole.pieces.empty() && store.has({RecordKind::piece, id.digest})) return whole;
    auto plain = store.read_plain({RecordKind::recipe, id.digest});
    if (!plain && plain.error().code == Errc::not_found && bytes <= limits::kPieceBytesMax)
        return whole;
    if (!plain) return tl::unexpected(std::move(plain).error());
    TRIBUTARY_ASSIGN(Recipe recipe, parse_recipe(*plain));
    if (recipe.blob_bytes != bytes)
        return fail(Errc::corrupt, "the recipe of " + id.text() + " is of another length");
    return recipe;
}

Status read_blob(Store& store, const BlobId& id, std::uint64_t bytes,
                 const std::function<Status(ByteView)>& sink) {
    TRIBUTARY_ASSIGN(const Recipe recipe, read_recipe(store, id, bytes));
    Sha256 hash;
    for (const RecipePiece& piece : recipe.pieces) {
        TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain({RecordKind::piece, piece.id.digest}));
        if (plain.size() != piece.length)
            return fail(Errc::corrupt, "piece " + piece.id.text() + " of " + id.text() +
                                           " has another length than the recipe says");
        hash.update(plain);
        TRIBUTARY_TRY(sink(plain));
    }
    if (hash.finish() != id.digest)
        return fail(Errc::corrupt, "the pieces of " + id.text() + " do not make it up");
    return {};
}

}  // namespace tributary
