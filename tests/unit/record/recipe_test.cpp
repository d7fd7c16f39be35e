#include "common/record/recipe.h"

#include <gtest/gtest.h>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

Recipe recipe_of(std::size_t pieces) {
    Recipe recipe;
    for (std::size_t i = 0; i < pieces; ++i) {
        const auto length = static_cast<std::uint32_t>(1000 + i);
        recipe.pieces.push_back({{sha256(as_bytes(std::to_string(i)))}, length, 1, 3});
        recipe.blob_bytes += length;
    }
    return recipe;
}

TEST(Recipe, ReadsBackWhatWasWritten) {
    for (const std::size_t pieces : {0u, 1u, 1000u}) {
        const Recipe recipe = recipe_of(pieces);
        const auto bytes = encode_recipe(recipe);
        ASSERT_TRUE(bytes);
        EXPECT_EQ(parse_recipe(*bytes), recipe);
    }
}

TEST(Recipe, CostsFortyBytesAPiece) {
    EXPECT_EQ(encode_recipe(recipe_of(101))->size() - encode_recipe(recipe_of(1))->size(), 4000u);
}

TEST(Recipe, RefusesLengthsThatDoNotAddUp) {
    Recipe recipe = recipe_of(3);
    recipe.blob_bytes += 1;
    EXPECT_EQ(encode_recipe(recipe).error().code, Errc::invalid);

    recipe = recipe_of(3);
    recipe.pieces[1].length = 0;
    EXPECT_FALSE(encode_recipe(recipe));
    recipe.pieces[1].length = limits::kPieceBytesMax + 1;
    EXPECT_FALSE(encode_recipe(recipe));
}

// What is too large to be stored must be told while it is made.
TEST(Recipe, TellsThatAFileHasTooManyPieces) {
    const auto largest = encode_recipe(recipe_of(26212));
    ASSERT_TRUE(largest);
    EXPECT_LE(largest->size(), limits::kPieceBytesMax);
    const auto bytes = encode_recipe(recipe_of(26213));
    ASSERT_FALSE(bytes);
    EXPECT_EQ(bytes.error().code, Errc::invalid);
}

TEST(Recipe, RefusesDamageOrReadsALegalRecipe) {
    const Bytes bytes = *encode_recipe(recipe_of(3));
    for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
        Bytes changed = bytes;
        changed[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
        if (const auto parsed = parse_recipe(changed); parsed) {
            ASSERT_TRUE(encode_recipe(*parsed));
        }
    }
    for (std::size_t length = 0; length < bytes.size(); ++length)
        EXPECT_FALSE(parse_recipe(ByteView(bytes).first(length))) << length;
}

}  // namespace
}  // namespace tributary
