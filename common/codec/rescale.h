// Weights of eight bits stand for what they are by a scale, and perhaps a zero, of each row. Where
// training moved those, all numbers of a row moved with them, though hardly a weight did. So each
// row of the base is moved as far as its numbers tell, and is then the base of any coding; the
// scales themselves, which lie in other tensors, are not asked.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// Rows are not shorter, so that what is said of them is little beside them.
inline constexpr std::uint32_t kRescaledRowMin = 16;
// Nor longer than the payload can say.
inline constexpr std::uint32_t kRescaledRowMax = (1U << 24) - 1;

// Of the payload, besides how far rows move: type and phase, length and column of rows, how two
// parts are coded and how long they are, and the encoding of what follows.
inline constexpr std::size_t kRescaledPrelude = 16;

// How far each row of a piece moves: a number v to (v * (64 + gain) + 32 * shift + 32) >> 6, kept
// within eight bits; both are numbers of eight bits with a sign.
struct RowMoves {
    ByteView gains;
    ByteView shifts;
};

// Whether the piece's numbers have scales that may have moved.
bool may_be_rescaled(const Piece& piece, ByteView base);
// Those of a piece as the coding takes them: short ones together, and one that is all there is as
// long as the piece.
Rows rows_to_rescale(const Piece& piece);
std::size_t row_count(std::size_t elements, const Rows& rows);

// Fills in how far the base's rows have moved to those of `piece`, by least squares. Both have
// row_count() bytes. False when none has.
bool fit_rows(const Piece& piece, const Rows& rows, ByteView base, ByteSpan gains, ByteSpan shifts);

// The first `elements` of `base` moved, what is left of it as it is, into `out` of the same size.
void move_rows(ElementType type, std::size_t elements, const Rows& rows, const RowMoves& moves,
               ByteView base, ByteSpan out);

}  // namespace tributary::codec
