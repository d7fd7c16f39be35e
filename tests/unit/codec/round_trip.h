// There and back: what a piece is coded to, once it has been seen to decode to itself.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

struct Copy {
    Encoding encoding{};
    Bytes payload;
};

// Codes, checks that the payload is not larger than plain and decodes to it, and returns it.
inline Copy round_trip(Coder& coder, const Piece& piece, ByteView base, Level level,
                       ByteView before = {}) {
    const Encoded coded = coder.encode(piece, base, level, before);
    Copy copy{coded.encoding, Bytes(coded.payload.begin(), coded.payload.end())};
    EXPECT_LE(copy.payload.size(), piece.plain.size());
    Bytes out(piece.plain.size(), 0xa5);
    const Status decoded = coder.decode(static_cast<std::uint8_t>(copy.encoding), copy.payload,
                                        coded.uses_base ? base : ByteView{}, out,
                                        copy.encoding == Encoding::trend ? before : ByteView{});
    EXPECT_TRUE(decoded) << decoded.error().what;
    EXPECT_TRUE(std::equal(out.begin(), out.end(), piece.plain.begin()));
    return copy;
}

}  // namespace tributary::codec
