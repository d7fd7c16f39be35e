// The encoding that expects elements where two bases lead.
#include "common/codec/trend.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/codec/elements.h"
#include "tests/unit/codec/round_trip.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr ElementType kTypes[] = {
    ElementType::f32, ElementType::f16, ElementType::bf16, ElementType::i8,  ElementType::u8,
    ElementType::i16, ElementType::i32, ElementType::i64,  ElementType::f64, ElementType::boolean};

Bytes moved_on(ElementType type, std::uint8_t phase, unsigned share, ByteView base,
               ByteView before) {
    Bytes out(base.size(), 0xa5);
    move_on(type, phase, share, base, before, out);
    return out;
}

// As README.md says, one element after the other.
Bytes as_described(ElementType type, std::size_t phase, unsigned share, const Bytes& base,
                   const Bytes& before) {
    const bool is_float = type == ElementType::f32 || type == ElementType::f16 ||
                          type == ElementType::bf16 || type == ElementType::f64;
    const std::size_t width = element_bytes(type);
    const std::uint64_t ones = width == 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * width) - 1;
    const std::uint64_t top = ones ^ (ones >> 1);
    const auto element = [&](const Bytes& bytes, std::size_t at) {
        std::uint64_t u = 0;
        for (std::size_t k = 0; k < width; ++k) u |= std::uint64_t{bytes[at + k]} << 8 * k;
        return u;
    };
    const auto order = [&](std::uint64_t u) { return u ^ ((u & top) != 0 ? ones : top); };
    const auto back = [&](std::uint64_t m) { return m ^ ((m & top) != 0 ? top : ones); };
    Bytes out = base;
    for (std::size_t at = phase; at + width <= std::min(base.size(), before.size()); at += width) {
        std::uint64_t b = element(base, at), c = element(before, at);
        if (is_float) b = order(b), c = order(c);
        const std::uint64_t step = (b - c) & ones;
        const bool down = (step & top) != 0;
        // Rounded down: away from zero where it goes down.
        const std::uint64_t size = (down ? 0 - step : step) & ones;
        const std::uint64_t rest = size % 64 * share;
        const std::uint64_t part = size / 64 * share + (down ? rest + 63 : rest) / 64;
        std::uint64_t moved = (down ? b - part : b + part) & ones;
        if (is_float) moved = back(moved);
        for (std::size_t k = 0; k < width; ++k)
            out[at + k] = static_cast<std::uint8_t>(moved >> 8 * k);
    }
    return out;
}

// Three versions, each led to by the two before it.
struct Versions {
    explicit Versions(std::uint64_t seed, std::size_t count = 4096) : random(seed) {
        before = weights(random, count);
        base = step(random, before, 14);
        plain = go_on(random, base, before);
    }
    Random random;
    Bytes before, base, plain;
};

TEST(Trend, LeadsWhereItsDescriptionSays) {
    Random random(1);
    for (const ElementType type : kTypes)
        for (std::uint8_t phase = 0; phase < element_bytes(type); ++phase)
            for (const unsigned share : {1u, 7u, 32u, 63u, 64u}) {
                const Bytes base = noise(random, 300 + random.below(16u));
                const Bytes before = noise(random, random.below(400u));
                EXPECT_EQ(moved_on(type, phase, share, base, before),
                          as_described(type, phase, share, base, before))
                    << static_cast<int>(type) << " " << int{phase} << " " << share;
            }
}

TEST(Trend, LeadsWhereItsDescriptionSaysForValuesThatHaveNoOrder) {
    // Every f16 there is, NaNs, infinities and both zeros among them, against every other.
    Bytes base(2 * 65536);
    for (std::uint32_t i = 0; i < 65536; ++i)
        store_le(base.data() + 2 * i, static_cast<std::uint16_t>(i));
    for (const std::ptrdiff_t shift : {2, 2 * 511, 2 * 32768, 2 * 40503}) {
        Bytes before = base;
        std::rotate(before.begin(), before.begin() + shift, before.end());
        for (const ElementType type : {ElementType::f16, ElementType::bf16, ElementType::i16})
            EXPECT_EQ(moved_on(type, 0, 37, base, before), as_described(type, 0, 37, base, before));
    }
}

TEST(Trend, OfWeightsThatGoOnAsTheyWentIsTaken) {
    Coder coder;
    const Versions v(2);
    const Piece piece{v.plain, ElementType::f32};
    for (const Level level : {Level::standard, Level::max}) {
        const Copy alone = round_trip(coder, piece, v.base, level);
        const Copy both = round_trip(coder, piece, v.base, level, v.before);
        EXPECT_EQ(both.encoding, Encoding::trend);
        EXPECT_LT(both.payload.size(), alone.payload.size() * 9 / 10);
    }
}

TEST(Trend, IsLeftAloneWhereItDoesNotPay) {
    Coder coder;
    Random random(3);
    const Bytes before = weights(random, 4096);
    const Bytes base = train(random, before);
    const Bytes plain = train(random, base);
    const Piece piece{plain, ElementType::f32};
    for (const Level level : {Level::standard, Level::max}) {
        const Copy alone = round_trip(coder, piece, base, level);
        const Copy both = round_trip(coder, piece, base, level, before);
        EXPECT_NE(both.encoding, Encoding::trend);
        EXPECT_EQ(both.payload, alone.payload);
    }
}

TEST(Trend, IsNotLookedForWhereThereIsNoTimeOrNoType) {
    Coder coder;
    const Versions v(4);
    EXPECT_NE(
        round_trip(coder, {v.plain, ElementType::f32}, v.base, Level::fast, v.before).encoding,
        Encoding::trend);
    EXPECT_NE(
        round_trip(coder, {v.plain, ElementType::bytes}, v.base, Level::max, v.before).encoding,
        Encoding::trend);
    EXPECT_NE(
        round_trip(coder, {v.plain, ElementType::q8_0}, v.base, Level::max, v.before).encoding,
        Encoding::trend);
}

TEST(Trend, RestoresEveryTypeAndPhaseWhateverTheBasesLengths) {
    Coder coder;
    const Versions v(5);
    for (const ElementType type : kTypes)
        for (std::uint8_t phase = 0; phase < element_bytes(type); phase += 3)
            for (const std::size_t base : {0u, 1u, 4096u, 16383u, 16384u})
                for (const std::size_t before : {0u, 3u, 8191u, 16384u})
                    round_trip(coder, {v.plain, type, phase}, ByteView(v.base).first(base),
                               Level::standard, ByteView(v.before).first(before));
}

// ---- payloads that nobody wrote in good faith ----

class DamagedTrend : public testing::Test {
protected:
    DamagedTrend() {
        payload = round_trip(coder, {v.plain, ElementType::f32}, v.base, Level::standard, v.before)
                      .payload;
        out.resize(v.plain.size());
    }
    Errc decoded(ByteView base, ByteView before) {
        const Status status = coder.decode(14, payload, base, out, before);
        return status ? Errc::invalid : status.error().code;
    }
    Coder coder;
    Versions v{6};
    Bytes payload, out;
};

TEST_F(DamagedTrend, WithoutOneOfItsBasesIsRefused) {
    EXPECT_EQ(decoded(v.base, {}), Errc::corrupt);
    EXPECT_EQ(decoded({}, v.before), Errc::corrupt);
}

TEST_F(DamagedTrend, OfAShareThatThereIsNotIsRefused) {
    for (const std::uint8_t share : Bytes{0, 65, 128, 255}) {
        payload[1] = share;
        EXPECT_EQ(decoded(v.base, v.before), Errc::corrupt);
    }
}

TEST_F(DamagedTrend, OfATypeThatHasNoElementsIsRefused) {
    for (const std::uint8_t type : Bytes{0, 11, 15, 0x41}) {
        payload[0] = type;
        EXPECT_EQ(decoded(v.base, v.before), Errc::corrupt);
    }
}

TEST_F(DamagedTrend, WithinATrendIsRefused) {
    payload[2] = 14;
    EXPECT_EQ(decoded(v.base, v.before), Errc::corrupt);
}

TEST_F(DamagedTrend, OfANewerCodingAsksForANewerProgram) {
    payload[2] = 200;
    EXPECT_EQ(decoded(v.base, v.before), Errc::unsupported);
}

TEST_F(DamagedTrend, CutShortIsRefused) {
    for (const std::size_t length : {0u, 1u, 2u, 3u, 100u}) {
        payload.resize(length);
        EXPECT_EQ(decoded(v.base, v.before), Errc::corrupt);
        payload.resize(1000, 0);
    }
}

TEST_F(DamagedTrend, AsAPartOfARunIsRefused) {
    Bytes runs{0, 0x40, 0, 14};  // 16,384 bytes, all there are
    for (int shift = 0; shift < 24; shift += 8)
        runs.push_back(static_cast<std::uint8_t>(payload.size() >> shift));
    runs.insert(runs.end(), payload.begin(), payload.end());
    payload = runs;
    const Status status = coder.decode(8, payload, v.base, out, v.before);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tributary::codec
