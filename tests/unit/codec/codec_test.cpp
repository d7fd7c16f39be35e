#include "common/codec/codec.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr ElementType kTypes[] = {ElementType::bytes, ElementType::f32,    ElementType::f16,
                                  ElementType::bf16,  ElementType::i8,     ElementType::u8,
                                  ElementType::i16,   ElementType::i32,    ElementType::i64,
                                  ElementType::f64,   ElementType::boolean};
constexpr Level kLevels[] = {Level::fast, Level::standard};

struct Copy {
    Encoding encoding{};
    bool uses_base = false;
    Bytes payload;
};

// Codes, checks that the payload is not larger than plain and decodes to it, and returns it.
Copy round_trip(Coder& coder, const Piece& piece, ByteView base, Level level) {
    const Encoded encoded = coder.encode(piece, base, level);
    Copy copy{encoded.encoding, encoded.uses_base,
              Bytes(encoded.payload.begin(), encoded.payload.end())};
    EXPECT_LE(copy.payload.size(), piece.plain.size());
    EXPECT_EQ(copy.uses_base, needs_base(static_cast<std::uint8_t>(copy.encoding)));
    Bytes out(piece.plain.size(), 0xa5);
    const Status decoded = coder.decode(static_cast<std::uint8_t>(copy.encoding), copy.payload,
                                        copy.uses_base ? base : ByteView{}, out);
    EXPECT_TRUE(decoded) << decoded.error().what;
    EXPECT_TRUE(std::equal(out.begin(), out.end(), piece.plain.begin()))
        << "type " << static_cast<int>(piece.type) << " phase " << int{piece.phase} << " length "
        << piece.plain.size() << " base " << base.size();
    return copy;
}

TEST(Coder, RestoresEveryTypeAtEveryPhaseAndSmallLength) {
    Coder coder;
    Random random(1);
    const Bytes base = weights(random, 40);
    const Bytes plain = step(random, base, 12);
    for (const Level level : kLevels)
        for (const ElementType type : kTypes)
            for (std::uint8_t phase = 0; phase < element_bytes(type); ++phase)
                for (std::size_t length = 1; length <= plain.size(); ++length)
                    round_trip(coder, {ByteView(plain).first(length), type, phase}, base, level);
}

TEST(Coder, RestoresAgainstBasesOfAnyLength) {
    Coder coder;
    Random random(2);
    const Bytes base = weights(random, 30000);
    const Bytes plain = step(random, ByteView(base).first(80000), 10);
    for (const Level level : kLevels)
        for (const ElementType type : kTypes)
            for (const std::size_t length :
                 {0u, 1u, 3u, 4u, 4097u, 79999u, 80000u, 80001u, 120000u})
                round_trip(coder, {plain, type, 0}, ByteView(base).first(length), level);
}

}  // namespace
}  // namespace tributary::codec
