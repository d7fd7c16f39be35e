// Coded pieces of every encoding and element type, written once, decode to the same bytes for ever.
// That today's coder makes these very payloads is checked too; a better codec or a newer zstd may
// end that, and only that: such a piece is then marked as superseded, and another one added. So is
// one for which two encodings come within 8 bytes of each other: zstd wants a few bytes of room,
// fewer on 32 bits, so that there the other one may win.
#include <gtest/gtest.h>

#include "common/codec/codec.h"
#include "tests/compat/golden.h"

namespace tributary {
namespace {

TEST(CompatPiece, IsDecodedAndCodedAsEver) {
    codec::Coder coder;
    for (const Json& piece : golden::pieces()) {
        SCOPED_TRACE(golden::text_at(piece, "name"));
        const auto encoding = static_cast<std::uint8_t>(golden::u64_at(piece, "encoding"));
        const auto type =
            codec::element_type(static_cast<std::uint8_t>(golden::u64_at(piece, "type")));
        const auto phase = static_cast<std::uint8_t>(golden::u64_at(piece, "phase"));
        const Bytes plain = golden::bytes_at(piece, "plain");
        const Bytes base = golden::bytes_at(piece, "base");
        const Bytes before =
            piece.find("before") != nullptr ? golden::bytes_at(piece, "before") : Bytes();
        const Bytes payload = golden::bytes_at(piece, "payload");
        codec::Rows rows;
        if (piece.find("row") != nullptr)
            rows = {static_cast<std::uint32_t>(golden::u64_at(piece, "row")),
                    static_cast<std::uint32_t>(golden::u64_at(piece, "column"))};
        const auto level = codec::parse_level(golden::text_at(piece, "level"));
        ASSERT_TRUE(type && level);

        Bytes decoded(plain.size());
        const Status status = coder.decode(encoding, payload, base, decoded, before);
        ASSERT_TRUE(status) << status.error().what;
        EXPECT_EQ(to_hex(decoded), to_hex(plain));

        if (piece.find("superseded") != nullptr) continue;
        const auto coded = coder.encode({plain, *type, phase, rows}, base, *level, before);
        EXPECT_EQ(static_cast<std::uint8_t>(coded.encoding), encoding);
        EXPECT_EQ(to_hex(coded.payload), to_hex(payload));
    }
}

}  // namespace
}  // namespace tributary
