// Two versions of a piece lead to where a third may be expected: each element goes on by a share of
// the step that it took last. What lies there is then the base of any coding.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

// In 64ths of the last step: 1 .. kShareMax.
inline constexpr unsigned kShareMax = 64;
// Of the payload: type and phase, share, the encoding of what follows.
inline constexpr std::size_t kTrendPrelude = 3;

// The share of the step from `before` to `base` with which `piece` is expected best, judged by a
// sample; 0 when that saves too little beside `base` alone.
unsigned choose_share(const Piece& piece, ByteView base, ByteView before, Level level);

// `base`, each element that `before` has too moved on by `share`, into `out` of the same size.
// `type` is of single values and not bytes.
void move_on(ElementType type, std::uint8_t phase, unsigned share, ByteView base, ByteView before,
             ByteSpan out);

}  // namespace tributary::codec
