#include "common/codec/nibbles.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include "common/codec/codec.h"
#include "common/codec/elements.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr std::array kBlocksOfNibbles = {ElementType::q4_0, ElementType::q4_1, ElementType::q4_k};

// Weights of some size and either sign, in thousandths.
std::vector<int> weights_of(Random& random, std::size_t count) {
    std::vector<int> weights(count);
    for (int& weight : weights) {
        weight = -3000;
        for (int k = 0; k < 6; ++k) weight += static_cast<int>(random.below(1001u));
    }
    return weights;
}
std::vector<int> moved(Random& random, std::vector<int> weights) {
    for (int& weight : weights) weight += static_cast<int>(random.below(161u)) - 80;
    return weights;
}

// The float16 nearest to value / 2^12, cut off; value is positive.
std::uint16_t half(unsigned value) {
    unsigned exponent = 15 - 12 + 10;
    while (value >= 2048) value >>= 1, ++exponent;
    while (value < 1024) value <<= 1, --exponent;
    return static_cast<std::uint16_t>(exponent << 10 | (value & 1023));
}

// As q4_0 keeps 32 of them, but that the scale is always positive.
Bytes quantised(const std::vector<int>& weights) {
    Bytes out;
    for (std::size_t at = 0; at + 32 <= weights.size(); at += 32) {
        int most = 1;
        for (std::size_t i = at; i < at + 32; ++i) most = std::max(most, std::abs(weights[i]));
        std::array<std::uint8_t, 2> scale{};
        store_le(scale.data(), half(static_cast<unsigned>(most)));
        out.insert(out.end(), scale.begin(), scale.end());
        const auto number = [&](std::size_t i) {
            return static_cast<unsigned>(std::clamp((weights[i] * 16 / most + 17) / 2, 0, 15));
        };
        for (std::size_t i = at; i < at + 16; ++i)
            out.push_back(static_cast<std::uint8_t>(number(i) | number(i + 16) << 4));
    }
    return out;
}

Bytes without_scales(const Bytes& blocks) {
    Bytes out;
    for (std::size_t at = 0; at < blocks.size(); at += 18)
        out.insert(out.end(), blocks.begin() + static_cast<std::ptrdiff_t>(at + 2),
                   blocks.begin() + static_cast<std::ptrdiff_t>(at + 18));
    return out;
}

struct Pair {
    Bytes before;
    Bytes after;
};
Pair trained(std::uint64_t seed, std::size_t weights) {
    Random random(seed);
    const std::vector<int> old = weights_of(random, weights);
    return {quantised(old), quantised(moved(random, old))};
}

Bytes payload_of(Coder& coder, const Piece& piece, ByteView base, Encoding expected) {
    const Encoded coded = coder.encode(piece, base, Level::standard);
    EXPECT_EQ(coded.encoding, expected);
    Bytes payload(coded.payload.begin(), coded.payload.end());
    Bytes out(piece.plain.size());
    const Status decoded =
        coder.decode(static_cast<std::uint8_t>(coded.encoding), payload, base, out);
    EXPECT_TRUE(decoded) << decoded.error().what;
    EXPECT_TRUE(std::ranges::equal(out, piece.plain));
    return payload;
}

Status decode_of(Encoding encoding, ByteView payload, ByteView base, std::size_t bytes) {
    Coder coder;
    Bytes out(bytes);
    return coder.decode(static_cast<std::uint8_t>(encoding), payload, base, out);
}

TEST(Nibbles, AreCodedByWhatTheyWereWhereNoScaleIsNear) {
    const Pair pair = trained(1, 64 * 1024);
    const Bytes before = without_scales(pair.before);
    const Bytes after = without_scales(pair.after);
    Coder coder;
    for (const ElementType type : {ElementType::u8, ElementType::i32}) {
        const Bytes payload = payload_of(coder, {after, type}, before, Encoding::delta_nibbles);
        EXPECT_LT(payload.size(), after.size() * 3 / 10);
    }
}

// A block's scale is known before its numbers are.
TEST(Nibbles, TakeLessWhereTheirScalesAreNear) {
    const Pair pair = trained(2, 64 * 1024);
    Coder coder;
    const Bytes apart = payload_of(coder, {without_scales(pair.after), ElementType::u8},
                                   without_scales(pair.before), Encoding::delta_nibbles);
    const Bytes together =
        payload_of(coder, {pair.after, ElementType::q4_0}, pair.before, Encoding::fields);

    const std::size_t scales = pair.after.size() / 9;  // were they raw
    EXPECT_LT(together.size(), apart.size() * 4 / 5 + scales);
}

TEST(Nibbles, AreNotSeenInWholeBytes) {
    Random random(3);
    const Bytes before = noise(random, 20'000);
    Bytes after = before;
    for (std::uint8_t& byte : after) byte = static_cast<std::uint8_t>(byte + random.below(7u));
    Coder coder;
    payload_of(coder, {after, ElementType::i8}, before, Encoding::delta_classes);
}

TEST(Nibbles, AreRestoredWhateverTheScalesAre) {
    Random random(4);
    Coder coder;
    for (const ElementType type : kBlocksOfNibbles) {
        for (const std::size_t blocks : {1u, 3u, 40u}) {
            const std::size_t bytes = blocks * element_bytes(type);
            const Bytes before = noise(random, bytes);
            for (const std::size_t base_bytes : {bytes, bytes / 2 + 1, bytes + 7}) {
                Bytes after = before;
                // Infinities and the largest scales among them; most numbers as they were.
                for (std::size_t i = 0; i < bytes; i += 1 + random.below(40u))
                    after[i] = static_cast<std::uint8_t>(random.next());
                Bytes base = before;
                base.resize(base_bytes);
                for (const Level level : {Level::standard, Level::max}) {
                    const Encoded coded = coder.encode({after, type}, base, level);
                    const Bytes payload(coded.payload.begin(), coded.payload.end());
                    Bytes out(bytes);
                    ASSERT_TRUE(coder.decode(static_cast<std::uint8_t>(coded.encoding), payload,
                                             base, out));
                    ASSERT_EQ(out, after);
                }
            }
        }
    }
}

// The coder itself, so that nothing else is chosen.
TEST(NibbleCoder, RestoresAnyNumbersWithAnyScales) {
    Random random(5);
    CodingBuffers buffers;
    NibbleCoder coder(buffers);
    for (const ElementType type : kBlocksOfNibbles) {
        const std::span<const Field> fields = fields_of(type);
        const std::size_t blocks = 30;
        const std::size_t number_bytes = fields.back().bytes * blocks;
        const auto scales = nibble_scales(fields, fields.size() - 1);
        ASSERT_TRUE(scales);
        const Bytes of_plain = noise(random, element_bytes(type) * blocks);
        const Bytes of_base = noise(random, element_bytes(type) * blocks / 2);
        const Bytes plain = noise(random, number_bytes);
        const Bytes base = noise(random, number_bytes / 2);
        const NibbleBlocks around{*scales, of_plain, of_base};
        Bytes payload(4 * number_bytes + 1000);
        payload.resize(coder.write(plain, base, around, payload));
        ASSERT_FALSE(payload.empty());

        Bytes out(number_bytes);
        ASSERT_TRUE(coder.read(payload, base, around, out));
        EXPECT_EQ(out, plain);
    }
}

TEST(NibbleCoder, LeavesPiecesThatAreTooLongForIt) {
    const Bytes plain(NibbleCoder::kBytesMax + 1, 3);
    Bytes out(plain.size());
    CodingBuffers buffers;
    EXPECT_EQ(NibbleCoder(buffers).write(plain, plain, {}, out), 0u);
}

TEST(Nibbles, AreRefusedWithScalesThatAreNotThere) {
    const Pair pair = trained(6, 4096);
    const Bytes before = without_scales(pair.before);
    const Bytes after = without_scales(pair.after);
    Coder coder;
    Bytes payload = payload_of(coder, {after, ElementType::u8}, before, Encoding::delta_nibbles);
    for (const int scales : {1, 2, 3, 4, 255}) {
        payload[0] = static_cast<std::uint8_t>(scales);
        const Status decoded = decode_of(Encoding::delta_nibbles, payload, before, after.size());
        ASSERT_FALSE(decoded);
        EXPECT_EQ(decoded.error().code, Errc::corrupt);
    }
}

TEST(Nibbles, AreRefusedWithoutTheirBase) {
    const Bytes payload(40, 1);
    for (const std::size_t bytes : {0u, 1u, 16u}) {
        EXPECT_FALSE(decode_of(Encoding::delta_nibbles, payload, {}, bytes));
        EXPECT_FALSE(decode_of(Encoding::delta_nibbles, payload, Bytes(16), bytes));
    }
}

TEST(Nibbles, AnswerDamagedPayloadsWithoutHarm) {
    const Pair pair = trained(7, 2048);
    Coder coder;
    const Bytes blocks =
        payload_of(coder, {pair.after, ElementType::q4_0}, pair.before, Encoding::fields);
    for (std::size_t at = 0; at < blocks.size(); at += 3) {
        Bytes changed = blocks;
        changed[at] ^= 0x5a;
        const Status decoded = decode_of(Encoding::fields, changed, pair.before, pair.after.size());
        if (decoded) continue;
        EXPECT_TRUE(decoded.error().code == Errc::corrupt ||
                    decoded.error().code == Errc::unsupported);
    }
    const Bytes before = without_scales(pair.before);
    const Bytes after = without_scales(pair.after);
    const Bytes numbers =
        payload_of(coder, {after, ElementType::u8}, before, Encoding::delta_nibbles);
    for (std::size_t length = 0; length < numbers.size(); length += 5)
        EXPECT_FALSE(decode_of(Encoding::delta_nibbles, ByteView(numbers).first(length), before,
                               after.size()));
}

// ggml's blocks of 0.5 and 1.0: four weights' numbers double where the scale is halved.
TEST(Nibbles, AreExpectedWhereTheOldWeightsLieOnTheNewScale) {
    Bytes before(18, 0x98);  // the numbers 8 and 9: 0 and 1 times the scale
    Bytes after(18, 0xa8);   // 8 and 10
    store_le(before.data(), std::uint16_t{0x3c00});
    store_le(after.data(), std::uint16_t{0x3800});
    const auto scales = NibbleScales::one;
    const std::uint64_t with =
        estimate_nibbles(Bytes(128, 0xa8), Bytes(128, 0x98), {scales, after, before});
    // Only the first block has scales; the others are like it without.
    const std::uint64_t without = estimate_nibbles(Bytes(128, 0xa8), Bytes(128, 0x98), {});
    EXPECT_NE(with, without);

    CodingBuffers buffers;
    NibbleCoder coder(buffers);
    const ByteView numbers = ByteView(after).subspan(2);
    Bytes payload(200);
    payload.resize(
        coder.write(numbers, ByteView(before).subspan(2), {scales, after, before}, payload));
    // No number is another than expected, which takes little more than how the stream ends.
    EXPECT_LT(payload.size(), 1u + 16u + 8u);
}

}  // namespace
}  // namespace tributary::codec
