#include "common/record/recipe.h"

#include "common/record/flat.h"
#include "recipe_generated.h"

namespace tributary {
namespace {

namespace wire = flat::recipe;

// What the coder takes.
constexpr std::size_t kRecipeBytesMax = limits::kPieceBytesMax;
constexpr std::size_t kPiecesMax = (kRecipeBytesMax - 64) / sizeof(wire::Piece);
static_assert(sizeof(wire::Piece) == 40);

// Null, or what is wrong.
const char* broken_rule(const Recipe& recipe) {
    std::uint64_t sum = 0;
    for (const RecipePiece& piece : recipe.pieces) {
        if (piece.length == 0 || piece.length > limits::kPieceBytesMax)
            return "a piece is empty or longer than 1 MiB";
        if (piece.id.is_none()) return "a piece has no id";
        sum += piece.length;
    }
    return sum == recipe.blob_bytes ? nullptr : "its pieces do not add up to the blob";
}

}  // namespace

Result<Bytes> encode_recipe(const Recipe& recipe) {
    if (recipe.pieces.size() > kPiecesMax)
        return fail(Errc::invalid, "a file of " + std::to_string(recipe.blob_bytes) +
                                       " bytes has more than " + std::to_string(kPiecesMax) +
                                       " pieces; split the file");
    if (const char* broken = broken_rule(recipe))
        return fail(Errc::invalid, std::string("recipe: ") + broken);
    std::vector<wire::Piece> rows;
    rows.reserve(recipe.pieces.size());
    for (const RecipePiece& piece : recipe.pieces)
        rows.emplace_back(
            flatbuffers::span<const std::uint8_t, kDigestBytes>(piece.id.digest.bytes),
            piece.length, piece.element_type, piece.phase,
            static_cast<std::uint8_t>(HashAlgorithm::sha256), std::uint8_t{0});
    flatbuffers::FlatBufferBuilder builder(rows.size() * sizeof(wire::Piece) + 64);
    const auto pieces = builder.CreateVectorOfStructs(rows);
    return flat::finish(builder, wire::CreateRecipe(builder, recipe.blob_bytes, pieces));
}

Result<Recipe> parse_recipe(ByteView bytes) {
    const auto corrupt = [](std::string_view what) {
        return fail(Errc::corrupt, "recipe: " + std::string(what));
    };
    const flat::Root<wire::Recipe> root(bytes, kRecipeBytesMax);
    if (root.get() == nullptr || root.get()->pieces() == nullptr)
        return corrupt("it does not have the form of one");
    Recipe recipe;
    recipe.blob_bytes = root.get()->blob_bytes();
    recipe.pieces.reserve(root.get()->pieces()->size());
    for (const wire::Piece* row : *root.get()->pieces()) {
        if (row->algorithm() != static_cast<std::uint8_t>(HashAlgorithm::sha256) ||
            row->reserved() != 0)
            return corrupt("a piece's id is of an unknown kind");
        RecipePiece& piece = recipe.pieces.emplace_back();
        std::copy_n(row->digest()->begin(), kDigestBytes, piece.id.digest.bytes.begin());
        piece.length = row->length();
        piece.element_type = row->element_type();
        piece.phase = row->phase();
    }
    if (const char* broken = broken_rule(recipe)) return corrupt(broken);
    return recipe;
}

}  // namespace tributary
