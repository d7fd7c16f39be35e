#include "common/codec/codec.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "common/codec/classes.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr ElementType kTypes[] = {ElementType::bytes, ElementType::f32,    ElementType::f16,
                                  ElementType::bf16,  ElementType::i8,     ElementType::u8,
                                  ElementType::i16,   ElementType::i32,    ElementType::i64,
                                  ElementType::f64,   ElementType::boolean};
constexpr ElementType kBlockTypes[] = {ElementType::q4_0, ElementType::q4_1, ElementType::q5_0,
                                       ElementType::q5_1, ElementType::q8_0, ElementType::q8_1,
                                       ElementType::q2_k, ElementType::q3_k, ElementType::q4_k,
                                       ElementType::q5_k, ElementType::q6_k, ElementType::q8_k};
constexpr Level kLevels[] = {Level::fast, Level::standard, Level::max};

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
    if (copy.encoding != Encoding::runs && copy.encoding != Encoding::fields &&
        copy.encoding != Encoding::columns) {
        EXPECT_EQ(copy.uses_base, needs_base(static_cast<std::uint8_t>(copy.encoding)));
    }
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
    const Bytes base = weights(random, 6000);
    const Bytes plain = step(random, ByteView(base).first(16000), 10);
    for (const Level level : kLevels)
        for (const ElementType type : kTypes)
            for (const std::size_t length : {0u, 1u, 3u, 4u, 4097u, 15999u, 16000u, 16001u, 24000u})
                round_trip(coder, {plain, type, 0}, ByteView(base).first(length), level);
}

TEST(Coder, RestoresPiecesOfManyKindsAndPlaces) {
    Coder coder;
    Random random(3);
    for (int round = 0; round < 200; ++round) {
        const Bytes base = round % 3 == 0   ? noise(random, random.below(9000u))
                           : round % 3 == 1 ? weights(random, random.below(3000u))
                                            : Bytes(random.below(5000u), 0x3f);
        Bytes plain = step(random, base, static_cast<int>(random.below(30u)));
        plain.resize(1 + random.below(12000u), static_cast<std::uint8_t>(round));
        const ElementType type = kTypes[random.below(std::size(kTypes))];
        const auto phase = static_cast<std::uint8_t>(random.below(element_bytes(type)));
        round_trip(coder, {plain, type, phase}, base, kLevels[random.below(std::size(kLevels))]);
    }
}

TEST(Coder, RestoresValuesThatHaveNoOrder) {
    // Every f16 there is, NaNs and both zeros among them, against every other.
    Coder coder;
    Bytes base(2 * 65536);
    for (std::uint32_t i = 0; i < 65536; ++i)
        store_le(base.data() + 2 * i, static_cast<std::uint16_t>(i));
    Bytes plain = base;
    std::rotate(plain.begin(), plain.begin() + 2 * 40503, plain.end());
    for (const ElementType type : {ElementType::f16, ElementType::bf16, ElementType::i16}) {
        round_trip(coder, {plain, type, 0}, base, Level::standard);
        round_trip(coder, {plain, type, 0}, {}, Level::standard);
    }
}

TEST(Coder, KeepsNoiseRaw) {
    Coder coder;
    Random random(4);
    const Bytes plain = noise(random, 60000);
    const Bytes base = noise(random, 60000);
    for (const Level level : kLevels)
        for (const ElementType type : kTypes) {
            const Copy copy = round_trip(coder, {plain, type, 0}, base, level);
            EXPECT_EQ(copy.encoding, Encoding::raw);
            EXPECT_EQ(copy.payload.size(), plain.size());
        }
}

TEST(Coder, StoresARepeatedElementOnce) {
    Coder coder;
    const Bytes zeros(1 << 20, 0);
    EXPECT_EQ(round_trip(coder, {zeros, ElementType::f32, 0}, {}, Level::fast).payload.size(), 1u);
    Bytes ones(4001);
    for (std::size_t i = 0; i < ones.size(); ++i)
        ones[i] = i % 4 == 3 ? 0x3f : i % 4 == 2 ? 0x80 : 0;
    const Copy copy = round_trip(coder, {ones, ElementType::f32, 0}, {}, Level::standard);
    EXPECT_EQ(copy.encoding, Encoding::constant);
    EXPECT_EQ(copy.payload.size(), 4u);
}

TEST(Coder, CodesSmallStepsOfWeightsAsTheBitsThatMoved) {
    // 12 bits of step and a sign of 32 are new: 40 %.
    Coder coder;
    Random random(5);
    const Bytes base = weights(random, 65536);
    const Bytes plain = step(random, base, 12);
    for (const Level level : kLevels) {
        const Copy copy = round_trip(coder, {plain, ElementType::f32, 0}, base, level);
        EXPECT_TRUE(copy.uses_base);
        EXPECT_LT(copy.payload.size(), plain.size() * 44 / 100);
    }
}

TEST(Coder, KnowsHowFarAStepOfTrainingMovesSmallAndLargeWeights) {
    Coder coder;
    Random random(14);
    const Bytes base = weights(random, 65536);
    const Bytes plain = train(random, base);
    const Copy planes = round_trip(coder, {plain, ElementType::f32, 0}, base, Level::fast);
    const Copy classes = round_trip(coder, {plain, ElementType::f32, 0}, base, Level::standard);
    EXPECT_EQ(planes.encoding, Encoding::delta_planes);
    EXPECT_EQ(classes.encoding, Encoding::delta_classes);
    EXPECT_LT(classes.payload.size(), planes.payload.size() * 96 / 100);
}

TEST(Coder, SeesRepeatsThatClassesDoNot) {
    // Behind the base's end all values are alike.
    Coder coder;
    Random random(15);
    const Bytes base = weights(random, 30000);
    Bytes plain = train(random, base);
    plain.resize(plain.size() + 100000, 7);
    const Copy copy = round_trip(coder, {plain, ElementType::f32, 0}, base, Level::standard);
    EXPECT_LT(copy.payload.size(), base.size() * 60 / 100);
}

TEST(Coder, SeesNumbersThatComeTwice) {
    Coder coder;
    Random random(16);
    const Bytes once = weights(random, 30000);
    Bytes plain = once;
    plain.insert(plain.end(), once.begin(), once.end());
    for (const Level level : kLevels) {
        const Copy copy = round_trip(coder, {plain, ElementType::bytes, 0}, {}, level);
        EXPECT_LT(copy.payload.size(), once.size());
    }
}

TEST(Coder, FindsTypeAndPhaseOfBytesThatAreNumbers) {
    Coder coder;
    Random random(11);
    Bytes base = noise(random, 3);
    const Bytes values = weights(random, 30000);
    base.insert(base.end(), values.begin(), values.end());
    Bytes plain(base.begin(), base.begin() + 3);
    const Bytes moved = step(random, values, 12);
    plain.insert(plain.end(), moved.begin(), moved.end());
    for (const Level level : kLevels) {
        const Copy copy = round_trip(coder, {plain, ElementType::bytes, 0}, base, level);
        EXPECT_TRUE(copy.uses_base);
        EXPECT_LT(copy.payload.size(), plain.size() * 45 / 100);
    }
}

TEST(Coder, LeavesABaseThatDoesNotHelp) {
    Coder coder;
    Random random(6);
    const Bytes base = noise(random, 262144);
    const Bytes plain = weights(random, 65536);
    EXPECT_EQ(round_trip(coder, {plain, ElementType::f32, 0}, base, Level::fast).encoding,
              Encoding::planes);
    EXPECT_EQ(round_trip(coder, {plain, ElementType::f32, 0}, base, Level::standard).encoding,
              Encoding::classes);
}

TEST(Coder, FindsNumbersAgainThatMovedToAnotherPlace) {
    Coder coder;
    Random random(24);
    const Bytes base = weights(random, 65536);
    for (const std::size_t moved : {1u, 1003u, 100000u}) {
        Bytes plain = base;
        std::rotate(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(moved), plain.end());
        for (const Level level : kLevels) {
            const Copy copy = round_trip(coder, {plain, ElementType::bytes, 0}, base, level);
            EXPECT_EQ(copy.encoding, Encoding::zstd_prefix);
            EXPECT_LT(copy.payload.size(), 200u);
        }
    }
}

TEST(Coder, CodesFloatsWithoutABaseByTheSizeOfThoseBefore) {
    Coder coder;
    Random random(22);
    // Rows of two sizes in turn: where one is known, its exponents are worth a bit or two less.
    Bytes plain = weights(random, 65536);
    for (std::size_t i = 0; i < plain.size(); i += 4)
        if (i / 4096 % 2 == 0)
            store_le(plain.data() + i, load_le<std::uint32_t>(plain.data() + i) - (20u << 23));
    const Copy copy = round_trip(coder, {plain, ElementType::f32, 0}, {}, Level::standard);
    EXPECT_EQ(copy.encoding, Encoding::classes);
    const std::size_t planes =
        round_trip(coder, {plain, ElementType::f32, 0}, {}, Level::fast).payload.size();
    EXPECT_LT(copy.payload.size(), planes - 65536 / 10);
}

TEST(Coder, RestoresFloatsThatAreNoUsualNumbers) {
    Coder coder;
    Random random(23);
    for (const ElementType type :
         {ElementType::f16, ElementType::bf16, ElementType::f32, ElementType::f64}) {
        const std::size_t width = element_bytes(type);
        Bytes plain = noise(random, 4096 * width);
        for (std::size_t i = 0; i < plain.size(); i += width) {
            // Top bytes that come often, so that classes are worth it; then all bits in turn.
            const std::uint64_t kind = random.below(12u);
            plain[i + width - 1] = static_cast<std::uint8_t>(60 + random.below(2u));
            if (kind == 0) std::fill_n(plain.begin() + static_cast<std::ptrdiff_t>(i), width, 0);
            if (kind == 1) plain[i + width - 1] = 0x80;
            if (kind == 2) plain[i + width - 1] = 0x7f;
            if (kind == 3) plain[i + width - 1] = 0xff;
            if (kind == 4) plain[i + width - 1] = static_cast<std::uint8_t>(random.next());
        }
        round_trip(coder, {plain, type, 0}, {}, Level::standard);
        round_trip(coder, {plain, type, 0}, weights(random, 4096), Level::standard);
        CodingBuffers buffers;
        const auto classes = make_class_coder(buffers);
        Bytes payload(plain.size() * 2);
        payload.resize(classes->write({plain, type, 0}, {}, payload));
        ASSERT_FALSE(payload.empty());
        Bytes out(plain.size());
        ASSERT_TRUE(classes->read(payload, {}, out));
        EXPECT_EQ(out, plain);
    }
}

TEST(Coder, CodesTextAgainstItsBaseAsWhatWasAdded) {
    Coder coder;
    Random random(7);
    std::string text;
    while (text.size() < 30000)
        text += std::string(1 + random.below(9u), static_cast<char>('a' + random.below(26u))) + " ";
    const std::string longer = text + "and one more word\n";
    const Copy copy = round_trip(coder, {as_bytes(longer), ElementType::bytes, 0}, as_bytes(text),
                                 Level::standard);
    EXPECT_EQ(copy.encoding, Encoding::zstd_prefix);
    EXPECT_LT(copy.payload.size(), 64u);
}

// A zstd dictionary begins with the same four bytes, and is more than its bytes.
TEST(Coder, RestoresAgainstABaseThatBeginsAsAZstdDictionary) {
    Coder coder;
    Random random(25);
    std::string text = "\x37\xa4\x30\xec";
    while (text.size() < 30000)
        text += std::string(1 + random.below(9u), static_cast<char>('a' + random.below(26u))) + " ";
    const Copy copy = round_trip(coder, {as_bytes(text + "more\n"), ElementType::bytes, 0},
                                 as_bytes(text), Level::standard);
    EXPECT_EQ(copy.encoding, Encoding::zstd_prefix);
}

TEST(Coder, RestoresAgainstABaseLargerThanItsWindow) {
    Coder coder;
    Random random(12);
    const Bytes base = noise(random, 4 * limits::MiB);
    for (const std::size_t from : {std::size_t{0}, 3 * limits::MiB}) {
        Bytes plain(base.begin() + static_cast<std::ptrdiff_t>(from),
                    base.begin() + static_cast<std::ptrdiff_t>(from + limits::MiB));
        plain[1000] ^= 1;
        for (const Level level : {Level::fast, Level::standard})
            round_trip(coder, {plain, ElementType::bytes, 0}, base, level);
    }
}

TEST(Coder, WritesTheSameBytesWhateverItDidBefore) {
    Random random(8);
    const Bytes base = weights(random, 6000);
    const Bytes plain = step(random, base, 9);
    Coder fresh;
    Coder used;
    for (const ElementType type : kTypes) used.encode({plain, type, 0}, {}, Level::standard);
    for (const Level level : kLevels)
        for (const ElementType type : kTypes)
            EXPECT_EQ(round_trip(used, {plain, type, 0}, base, level).payload,
                      round_trip(fresh, {plain, type, 0}, base, level).payload);
}

TEST(Coder, ReadsPlanesAsTheFormatDescribesThem) {
    // f32, phase 1: a raw plane, a constant one, one frame with a raw block, a constant one; then
    // the byte before the elements and the one behind them.
    const Bytes payload = {0x11, 0x64, 0x02, 0x00, 9, 7, 0, 0,   0x00,
                           0x50, 0x11, 0x00, 0x00, 4, 6, 8, 'h', 't'};
    Coder coder;
    Bytes out(10);
    ASSERT_TRUE(coder.decode(static_cast<std::uint8_t>(Encoding::delta_planes), payload,
                             Bytes{'?', 0, 0, 0, 0}, out));
    EXPECT_EQ(out[0], 'h');
    EXPECT_EQ(out[9], 't');
    // Zigzag 0x02090408 is +0x01048204, added to the ordered form of +0, 0x80000000.
    EXPECT_EQ(load_le<std::uint32_t>(out.data() + 1), 0x01048204u);
    EXPECT_EQ(load_le<std::uint32_t>(out.data() + 5), 0x00048304u);
}

TEST(Coder, ReadsClassesAsTheFormatDescribesThem) {
    // u8, two elements: one that the first tables spell out and one that the same run spells out
    // again. A state of 2^16 stands below frequency 2,047 of symbol 255: 1 .. 2,047 of 2,048.
    // Coded backwards from 2^16 in lanes 0 and 1: (65536 / 2047) * 2048 + 65536 % 2047 + 1 = 65569.
    const Bytes payload = {0x05, 16,   0, 0, 0x21, 0x00, 0x01, 0x00, 0x21, 0x00, 0x01,
                           0x00, 0x00, 0, 1, 0,    0x00, 0x00, 0x01, 0x00, 6,    255};
    Coder coder;
    Bytes out(2);
    ASSERT_TRUE(coder.decode(static_cast<std::uint8_t>(Encoding::delta_classes), payload,
                             Bytes{10, 20}, out));
    EXPECT_EQ(out, (Bytes{13, 148}));  // zigzag 6 is +3, 255 is -128
}

TEST(Coder, RefusesClassesThatDoNotEndAsTheyBegan) {
    Coder coder;
    Random random(13);
    const Bytes base = weights(random, 3000);
    const Bytes plain = step(random, base, 11);
    Bytes payload = round_trip(coder, {plain, ElementType::f32, 0}, base, Level::standard).payload;
    Bytes out(plain.size());
    payload.back() = static_cast<std::uint8_t>(payload.back() + 1);
    payload.push_back(0);
    EXPECT_FALSE(
        coder.decode(static_cast<std::uint8_t>(Encoding::delta_classes), payload, base, out));
}

// Decodes with every mutation and checks that only allowed answers come.
void expect_tame(Coder& coder, std::uint8_t encoding, const Bytes& payload, ByteView base,
                 std::size_t plain_bytes) {
    Bytes out(plain_bytes);
    const Status decoded = coder.decode(encoding, payload, base, out);
    if (decoded) return;
    EXPECT_TRUE(decoded.error().code == Errc::corrupt || decoded.error().code == Errc::unsupported);
}

TEST(Coder, AnswersDamagedPayloadsWithoutHarm) {
    Coder coder;
    Random random(9);
    const Bytes base = weights(random, 3000);
    const Bytes plain = step(random, base, 11);
    for (const ElementType type : kTypes) {
        const Copy copy = round_trip(coder, {plain, type, 0}, base, Level::standard);
        const auto encoding = static_cast<std::uint8_t>(copy.encoding);
        for (std::size_t length = 0; length < copy.payload.size(); length += 1 + length / 8) {
            const Bytes cut(copy.payload.begin(),
                            copy.payload.begin() + static_cast<std::ptrdiff_t>(length));
            Bytes out(plain.size());
            EXPECT_FALSE(coder.decode(encoding, cut, base, out)) << length;
        }
        for (int round = 0; round < 300; ++round) {
            Bytes flipped = copy.payload;
            // The first bytes hold the lengths and modes.
            const std::size_t where = random.below(round % 2 == 0 ? 32 : flipped.size());
            flipped[where] ^= static_cast<std::uint8_t>(1 << random.below(8u));
            for (const std::size_t size : {plain.size(), plain.size() - 1, std::size_t{1}})
                expect_tame(coder, encoding, flipped, base, size);
        }
    }
}

TEST(Coder, RefusesAPayloadOfAnotherLength) {
    Coder coder;
    Random random(10);
    const Bytes base = weights(random, 3000);
    const Bytes plain = step(random, base, 11);
    for (const ElementType type : {ElementType::bytes, ElementType::f32, ElementType::bf16}) {
        const Copy copy = round_trip(coder, {plain, type, 0}, base, Level::fast);
        for (const std::size_t size : {plain.size() - 4, plain.size() + 4, std::size_t{0}}) {
            Bytes out(size);
            const Status decoded =
                coder.decode(static_cast<std::uint8_t>(copy.encoding), copy.payload, base, out);
            ASSERT_FALSE(decoded);
            EXPECT_EQ(decoded.error().code, Errc::corrupt);
        }
    }
}

TEST(Coder, SaysWhenABaseIsMissing) {
    Coder coder;
    Bytes out(8);
    for (const Encoding encoding :
         {Encoding::zstd_prefix, Encoding::delta_planes, Encoding::delta_classes,
          Encoding::delta_mixed, Encoding::delta_nibbles}) {
        const Status decoded = coder.decode(static_cast<std::uint8_t>(encoding), out, {}, out);
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code, Errc::corrupt);
    }
}

TEST(Coder, AsksForAnUpgradeWhenAnEncodingIsNew) {
    Coder coder;
    Bytes out(8);
    const Status decoded = coder.decode(77, Bytes(3), {}, out);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Errc::unsupported);
}

TEST(Coder, AsksForAnUpgradeWhenTheEncodingOfAPartIsNew) {
    Coder coder;
    Bytes out(3);
    for (const auto& [encoding, payload] :
         {std::pair{Encoding::runs, Bytes{3, 0, 0, 77, 1, 0, 0, 7}},
          std::pair{Encoding::fields, Bytes{0, 1, 3, 0, 77, 1, 0, 0, 7}}}) {
        const Status decoded = coder.decode(static_cast<std::uint8_t>(encoding), payload, {}, out);
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code, Errc::unsupported);
    }
}

// Values of two phases one behind the other, the second made anew.
Bytes mixed(Random& random, ByteView moved) {
    Bytes bytes(moved.begin(), moved.end());
    bytes.resize(bytes.size() + 3);
    const Bytes fresh = weights(random, 20000);
    bytes.insert(bytes.end(), fresh.begin(), fresh.end());
    return bytes;
}

TEST(Coder, CodesEachRunOfNumbersAsItIs) {
    Coder coder;
    Random random(31);
    const Bytes before = weights(random, 20000);
    const Bytes base = mixed(random, before);
    const Bytes plain = mixed(random, step(random, before, 9));
    for (const Level level : kLevels) {
        const Copy copy = round_trip(coder, {plain}, base, level);
        EXPECT_EQ(copy.encoding, Encoding::runs);
        EXPECT_TRUE(copy.uses_base);
        // 11 of 32 bits move in one half, sign, mantissa and 2.6 bits of exponent in the other.
        EXPECT_LT(copy.payload.size(), 80000 * 12 / 32 + 80000 * 27 / 32 + 2000);
    }
    EXPECT_FALSE(round_trip(coder, {plain}, {}, Level::standard).uses_base);
    // A base that ends within the runs.
    round_trip(coder, {plain}, ByteView(base).first(50000), Level::standard);
}

TEST(Coder, RestoresRunsAgainstABaseThatEndsWhereOneBegins) {
    Coder coder;
    Random random(35);
    const Bytes before = weights(random, 20000);
    const Bytes other = weights(random, 20000);
    Bytes base = weights(random, 20000);
    base.insert(base.end(), before.begin(), before.end());
    Bytes plain = other;
    const Bytes moved = step(random, before, 9);
    plain.insert(plain.end(), moved.begin(), moved.end());
    for (std::size_t length = 79000; length < 82000; length += 100)
        round_trip(coder, {plain}, ByteView(base).first(length), Level::standard);
}

// Blocks of Q8_0 whose scales and quants moved a little.
std::pair<Bytes, Bytes> quantised(Random& random, std::size_t blocks) {
    Bytes from(34 * blocks);
    Bytes to(34 * blocks);
    for (std::size_t i = 0; i < blocks; ++i) {
        const auto scale = static_cast<std::uint16_t>(0x2000 + random.below(1000u));
        store_le(from.data() + 34 * i, scale);
        store_le(to.data() + 34 * i, static_cast<std::uint16_t>(scale + random.below(256u)));
        for (std::size_t k = 2; k < 34; ++k) {
            from[34 * i + k] = static_cast<std::uint8_t>(random.next());
            to[34 * i + k] = static_cast<std::uint8_t>(from[34 * i + k] + random.below(2u));
        }
    }
    return {from, to};
}

TEST(Coder, CodesScalesApartFromQuants) {
    Coder coder;
    Random random(32);
    const auto [from, to] = quantised(random, 2000);
    const Copy copy = round_trip(coder, {to, ElementType::q8_0, 0}, from, Level::standard);
    EXPECT_EQ(copy.encoding, Encoding::fields);
    // A bit for a quant and a byte for a scale, in 34 bytes.
    EXPECT_LT(copy.payload.size(), 2000 * 5 + 400);
    EXPECT_LT(copy.payload.size(),
              round_trip(coder, {to, ElementType::i8, 0}, from, Level::standard).payload.size());
}

TEST(Coder, RestoresBlocksOfEveryKindAndLength) {
    Coder coder;
    Random random(33);
    const Bytes base = weights(random, 300);
    const Bytes plain = step(random, base, 12);
    for (const Level level : kLevels)
        for (const ElementType type : kBlockTypes)
            for (const std::size_t phase :
                 {std::size_t{0}, std::size_t{1}, element_bytes(type) - 1})
                for (const std::size_t length : {1u, 17u, 18u, 35u, 300u, 1199u, 1200u}) {
                    const Piece piece{ByteView(plain).first(length), type,
                                      static_cast<std::uint8_t>(std::min<std::size_t>(phase, 255))};
                    round_trip(coder, piece, base, level);
                    round_trip(coder, piece, ByteView(base).first(length / 2), level);
                    round_trip(coder, piece, {}, level);
                }
}

TEST(Coder, ReadsRunsAndFieldsAsTheFormatDescribesThem) {
    Coder coder;
    Bytes out(5);
    // Two bytes raw, then three times 7.
    const Bytes runs = {2, 0, 0, 0, 2, 0, 0, 'a', 'b', 3, 0, 0, 1, 1, 0, 0, 7};
    ASSERT_TRUE(coder.decode(8, runs, {}, out));
    EXPECT_EQ(out, (Bytes{'a', 'b', 7, 7, 7}));
    // Behind one byte, blocks of fields of one and two bytes; one byte is left over.
    const Bytes fields = {1, 2, 1, 0, 2, 0, 0, 2, 0, 0, 1, 2, 1, 1, 0, 0, 9, 'h', 't'};
    out.resize(8);
    ASSERT_TRUE(coder.decode(9, fields, {}, out));
    EXPECT_EQ(out, (Bytes{'h', 1, 9, 9, 2, 9, 9, 't'}));
}

TEST(Coder, RefusesPartsThatDoNotFit) {
    Coder coder;
    Bytes out(5);
    const std::vector<std::pair<const char*, Bytes>> payloads = {
        {"nothing", {}},
        {"a run of no bytes", {0, 0, 0, 1, 1, 0, 0, 7, 5, 0, 0, 1, 1, 0, 0, 7}},
        {"a run past the end", {6, 0, 0, 1, 1, 0, 0, 7}},
        {"runs that end before", {4, 0, 0, 1, 1, 0, 0, 7}},
        {"a part longer than the payload", {5, 0, 0, 0, 255, 255, 255, 1, 2, 3, 4, 5}},
        {"something behind the last run", {5, 0, 0, 1, 1, 0, 0, 7, 0}},
        {"runs in a run", {5, 0, 0, 8, 8, 0, 0, 5, 0, 0, 1, 1, 0, 0, 7}},
        {"a part without its base", {5, 0, 0, 6, 1, 0, 0, 7}},
    };
    for (const auto& [what, payload] : payloads) {
        const Status decoded = coder.decode(8, payload, {}, out);
        ASSERT_FALSE(decoded) << what;
        EXPECT_EQ(decoded.error().code, Errc::corrupt) << what;
    }
    const std::vector<std::pair<const char*, Bytes>> shapes = {
        {"no fields", {0, 0}},
        {"too many fields", {0, 9, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1, 0}},
        {"a field of no bytes", {0, 1, 0, 0, 1, 1, 0, 0, 7}},
        {"fields in a field", {0, 1, 1, 0, 9, 5, 0, 0, 0, 1, 1, 0, 1}},
        {"a missing part", {0, 2, 1, 0, 1, 0, 1, 1, 0, 0, 7}},
    };
    for (const auto& [what, payload] : shapes) {
        const Status decoded = coder.decode(9, payload, {}, out);
        ASSERT_FALSE(decoded) << what;
        EXPECT_EQ(decoded.error().code, Errc::corrupt) << what;
    }
}

TEST(Coder, AnswersDamagedPartsWithoutHarm) {
    Coder coder;
    Random random(34);
    const auto [from, to] = quantised(random, 300);
    const Bytes before = weights(random, 20000);
    const Bytes base = mixed(random, before);
    const Bytes plain = mixed(random, step(random, before, 9));
    for (const Copy& copy : {round_trip(coder, {to, ElementType::q8_0, 0}, from, Level::standard),
                             round_trip(coder, {plain}, base, Level::standard)}) {
        const auto encoding = static_cast<std::uint8_t>(copy.encoding);
        const bool blocks = copy.encoding == Encoding::fields;
        const ByteView on = blocks ? ByteView(from) : ByteView(base);
        const std::size_t size = blocks ? to.size() : plain.size();
        for (int round = 0; round < 200; ++round) {
            Bytes flipped = copy.payload;
            const std::size_t where = random.below(round % 2 == 0 ? 24 : flipped.size());
            flipped[where] ^= static_cast<std::uint8_t>(1 << random.below(8u));
            expect_tame(coder, encoding, flipped, on, size);
            flipped.resize(random.below(flipped.size()));
            expect_tame(coder, encoding, flipped, {}, size);
        }
    }
}

TEST(Level, IsNamedAsTheCommandLineNamesIt) {
    EXPECT_EQ(parse_level("fast"), Level::fast);
    EXPECT_EQ(parse_level("default"), Level::standard);
    EXPECT_EQ(parse_level("max"), Level::max);
    EXPECT_EQ(parse_level("best"), std::nullopt);
}

// Rows that moved are no steps from what stood in their place.
TEST(Codec, NamesRowsOfNumbersThatStandElsewhereInTheBase) {
    Random random(77);
    const Bytes base = weights(random, 65536);
    Bytes plain;
    for (std::size_t row = 512; row-- > 0;) {
        const ByteView bytes = ByteView(base).subspan(row * 512, 512);
        plain.insert(plain.end(), bytes.begin(), bytes.end());
    }
    for (const Level level : {Level::fast, Level::standard, Level::max}) {
        Coder coder;
        const Encoded coded = coder.encode({plain, ElementType::f32}, base, level);
        EXPECT_EQ(coded.encoding, Encoding::zstd_prefix);
        EXPECT_LT(coded.payload.size(), plain.size() / 50);
        Bytes decoded(plain.size());
        const Bytes payload(coded.payload.begin(), coded.payload.end());
        EXPECT_TRUE(
            coder.decode(static_cast<std::uint8_t>(coded.encoding), payload, base, decoded));
        EXPECT_EQ(decoded, plain);
    }
}

TEST(Codec, LeavesATrendToWhatMovedOnWhereItStands) {
    Random random(78);
    const Bytes before = weights(random, 65536);
    const Bytes base = train(random, before);
    Bytes plain(base.begin() + 512, base.end());
    const Bytes row = weights(random, 128);
    plain.insert(plain.end(), row.begin(), row.end());
    Coder coder;
    const Encoded coded = coder.encode({plain, ElementType::f32}, base, Level::standard, before);
    EXPECT_EQ(coded.encoding, Encoding::zstd_prefix);
}

}  // namespace
}  // namespace tributary::codec
