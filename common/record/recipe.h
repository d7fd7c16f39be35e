// Recipes: how one node cut a blob into pieces. Looked up by blob id; part of no id, so another cut
// changes no name.
//
// A blob of at most one piece needs none: the blob's digest is the piece's. FlatBuffers,
// schemas/recipe.fbs; the pieces are a vector of fixed structs, so that a recipe delta against the
// parent's recipe costs what changed.
#pragma once

#include <cstdint>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"

namespace tributary {

struct RecipePiece {
    PieceId id;
    std::uint32_t length = 0;  // 1 .. 1 MiB
    std::uint8_t element_type =
        0;                   // codec::ElementType, so that a later version is cut and coded alike
    std::uint8_t phase = 0;  // bytes before the first whole element
    bool operator==(const RecipePiece&) const = default;
};

struct Recipe {
    std::uint64_t blob_bytes = 0;  // the sum of the pieces' lengths
    std::vector<RecipePiece> pieces;
    bool operator==(const Recipe&) const = default;
};

// invalid when lengths are out of range or do not add up.
Result<Bytes> encode_recipe(const Recipe& recipe);
Result<Recipe> parse_recipe(ByteView bytes);

}  // namespace tributary
