// Planes of small steps are mostly 0, and a code of whole bits spends one on each of these. A bit
// for each byte, eight of them a symbol, costs a fraction of that, and the bytes that are left are
// few.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "common/base/bytes.h"

namespace tributary::codec {

// Bytes of the mask: bit i mod 8 of byte i / 8 says that byte i is not 0.
constexpr std::size_t mask_bytes(std::size_t count) { return (count + 7) / 8; }
// Room for the bytes that are not 0 out of so many: both loops go a little further.
constexpr std::size_t others_room(std::size_t count) { return count + 8; }

// Writes mask_bytes() and the bytes that are not 0; returns how many those are.
std::size_t split_sparse(ByteView plane, std::uint8_t* mask, std::uint8_t* others);

// How many bytes the mask says are not 0; nullopt when it speaks of more bytes than there are.
std::optional<std::size_t> count_others(ByteView mask, std::size_t count);

// The way back. `mask` was counted, and `others` has so many bytes, in others_room().
void join_sparse(ByteView mask, const std::uint8_t* others, ByteSpan plane);

}  // namespace tributary::codec
