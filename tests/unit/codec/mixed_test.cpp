#include "common/codec/mixed.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "common/codec/codec.h"
#include "common/codec/fixed_point.h"
#include "common/codec/matrices.h"
#include "common/codec/range_coder.h"
#include "common/codec/row_predictor.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

// About -1000 .. 1000, in the middle more often than at the ends.
std::int64_t number(Random& random) {
    std::int64_t sum = -1000;
    for (int i = 0; i < 4; ++i) sum += static_cast<std::int64_t>(random.below(500u));
    return sum;
}

// The product of `rank` columns and rows, and a little noise: `rows` rows of `row` values.
std::vector<std::int64_t> of_low_rank(Random& random, std::size_t rows, std::size_t row,
                                      std::size_t rank) {
    std::vector<std::int64_t> left(rows * rank);
    std::vector<std::int64_t> right(rank * row);
    for (std::int64_t& value : left) value = number(random);
    for (std::int64_t& value : right) value = number(random);
    std::vector<std::int64_t> product(rows * row);
    for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < row; ++j) {
            std::int64_t sum = number(random) * 100;
            for (std::size_t k = 0; k < rank; ++k) sum += left[i * rank + k] * right[k * row + j];
            product[i * row + j] = sum / 1000;
        }
    return product;
}

std::vector<Matrix> find(const std::vector<std::int64_t>& values) {
    MatrixFinder finder;
    RowPredictor predictor;
    std::vector<Matrix> matrices;
    const auto some = [&](std::size_t first, std::span<std::int64_t> out) {
        for (std::size_t i = 0; i < out.size(); ++i) out[i] = values[first + i] << 20;
    };
    finder.find(values.size(), some, predictor, matrices);
    return matrices;
}

// Not a whole number.
float finer(Random& random, std::int64_t value) {
    return static_cast<float>(value) + static_cast<float>(random.below(65536u)) / 65536;
}

// Weights, and what they are after steps that `values` give.
struct Trained {
    Bytes before;
    Bytes after;
};
Trained trained(Random& random, const std::vector<std::int64_t>& values) {
    Trained t{weights(random, values.size()), {}};
    t.after = t.before;
    for (std::size_t i = 0; i < values.size(); ++i) {
        float weight = 0;
        std::memcpy(&weight, t.before.data() + 4 * i, 4);
        weight += finer(random, values[i]) * 0x1p-20F;
        std::memcpy(t.after.data() + 4 * i, &weight, 4);
    }
    return t;
}

Bytes code(Coder& coder, const Piece& piece, ByteView base, Level level, Encoding expected) {
    const Encoded encoded = coder.encode(piece, base, level);
    EXPECT_EQ(encoded.encoding, expected);
    return Bytes(encoded.payload.begin(), encoded.payload.end());
}

TEST(RangeCoder, RestoresBitsOfAnyProbability) {
    Random random(1);
    std::vector<std::pair<bool, std::uint32_t>> bits;
    for (int i = 0; i < 20000; ++i) {
        const std::uint32_t one = i % 3 == 0 ? 1
                                  : i % 3 == 1
                                      ? 65535
                                      : 1 + static_cast<std::uint32_t>(random.below(65535u));
        // seldom the unlikely one, so that carries run far
        bits.emplace_back(random.below(65536u) < one, one);
    }
    Bytes out(20000);
    RangeEncoder encoder(out);
    for (const auto& [bit, one] : bits) encoder.put(bit, one);
    const std::size_t size = encoder.finish();
    ASSERT_GT(size, 0u);
    RangeDecoder decoder(ByteView(out).first(size));
    for (const auto& [bit, one] : bits) ASSERT_EQ(decoder.take(one), bit);
    EXPECT_TRUE(decoder.done());
}

TEST(RangeCoder, SaysWhenThereIsNoRoom) {
    Bytes out(3);
    RangeEncoder encoder(out);
    for (int i = 0; i < 64; ++i) encoder.put(i % 2 == 0, 32768);
    EXPECT_EQ(encoder.finish(), 0u);
}

TEST(FixedPoint, LeadsBackToTheValueThatAStepCameFrom) {
    Random random(2);
    using Kind = Float<std::uint32_t, 23>;
    const FixedPoint<Kind> fixed(125);
    const Bytes values = weights(random, 2000);
    for (std::size_t i = 0; i + 8 <= values.size(); i += 4) {
        const auto from = load_le<std::uint32_t>(values.data() + i);
        const auto to = load_le<std::uint32_t>(values.data() + i + 4);
        const auto moved = fixed.move(from, fixed.step(from, to));
        EXPECT_EQ(moved.value, to);
        EXPECT_EQ(moved.missing, 0);
    }
}

TEST(FixedPoint, SaysHowMuchOfAUnitIsMissing) {
    const FixedPoint<Integer<std::uint8_t>> fixed(0);
    const auto less = fixed.move(250, 9 * 4096 + 1024);
    EXPECT_EQ(less.value, 3);  // modulo 256
    EXPECT_EQ(less.missing, 4);
    const auto more = fixed.move(250, 8 * 4096 + 3072);
    EXPECT_EQ(more.value, 3);
    EXPECT_EQ(more.missing, -4);
}

TEST(FixedPoint, TakesEveryFloatThereIs) {
    using Kind = Float<std::uint16_t, 10>;
    for (const unsigned high : {0u, 1u, 15u, 31u, 65535u}) {
        const FixedPoint<Kind> fixed(high);
        for (std::uint32_t i = 0; i < 65536; i += 7) {
            const auto from = static_cast<std::uint16_t>(i);
            for (const std::int64_t by :
                 {std::int64_t{0}, std::int64_t{-5} << 40, std::int64_t{1} << 60})
                EXPECT_LE(std::abs(fixed.move(from, by).missing), 8);
        }
    }
}

TEST(RowPredictor, LearnsDirectionsThatRowsAreMadeOf) {
    Random random(3);
    constexpr std::size_t kRow = 100;
    const auto values = of_low_rank(random, 60, kRow, 2);
    RowPredictor predictor;
    predictor.start(kRow, 0);
    double all = 0;
    double missed = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
        const std::int32_t predicted = predictor.predict();
        const auto value = static_cast<std::int32_t>(values[i]);
        predictor.learn(value, predicted);
        if (i < values.size() / 2) continue;
        all += double(value) * value;
        missed += double(value - predicted) * (value - predicted);
    }
    EXPECT_LT(missed, all / 3);
}

TEST(RowPredictor, TakesValuesOfAnySize) {
    RowPredictor predictor;
    Random random(4);
    for (const std::size_t row : {std::size_t{1}, std::size_t{7}, kRowElementsMax}) {
        predictor.start(row, row - 1);
        for (int i = 0; i < 20000; ++i) {
            const std::int32_t predicted = predictor.predict();
            ASSERT_LE(std::abs(predicted), RowPredictor::kValueMax);
            predictor.learn(
                random.below(2u) == 0 ? -RowPredictor::kValueMax : RowPredictor::kValueMax,
                predicted);
        }
    }
}

TEST(MatrixFinder, FindsHowLongRowsAreAndWhereTheyBegin) {
    Random random(5);
    auto values = of_low_rank(random, 100, 144, 3);
    values.erase(values.begin(), values.begin() + 50);
    const auto matrices = find(values);
    ASSERT_EQ(matrices.size(), 1u);
    EXPECT_EQ(matrices[0].count, values.size());
    EXPECT_EQ(matrices[0].row, 144);
    EXPECT_EQ(matrices[0].column, 50);
}

TEST(MatrixFinder, TellsOneMatrixFromTheNext) {
    Random random(6);
    auto values = of_low_rank(random, 120, 96, 2);
    const auto next = of_low_rank(random, 60, 200, 2);
    values.insert(values.end(), next.begin(), next.end());
    const auto matrices = find(values);
    ASSERT_EQ(matrices.size(), 2u);
    EXPECT_EQ(matrices[0].row, 96);
    EXPECT_EQ(matrices[1].row, 200);
    EXPECT_NEAR(matrices[0].count, 120 * 96, 200);
}

TEST(MatrixFinder, FindsNoRowsInNoise) {
    Random random(7);
    for (const std::size_t count : {1u, 63u, 64u, 5000u, 40000u}) {
        std::vector<std::int64_t> values(count);
        for (std::int64_t& value : values) value = number(random);
        const auto matrices = find(values);
        ASSERT_EQ(matrices.size(), 1u);
        EXPECT_EQ(matrices[0].count, count);
        EXPECT_EQ(matrices[0].row, 0);
    }
}

TEST(Mixed, IsSmallerThanClassesWhereRowsAreAlike) {
    Coder coder;
    Random random(8);
    const Trained t = trained(random, of_low_rank(random, 200, 96, 2));
    const Piece piece{t.after, ElementType::f32, 0};
    const Bytes classes = code(coder, piece, t.before, Level::standard, Encoding::delta_classes);
    const Bytes mixed = code(coder, piece, t.before, Level::max, Encoding::delta_mixed);
    EXPECT_LT(mixed.size(), classes.size() * 95 / 100);
}

TEST(Mixed, IsSmallerThanTheDefaultWithoutABase) {
    Coder coder;
    Random random(9);
    Bytes plain(4 * 96 * 200);
    const auto values = of_low_rank(random, 200, 96, 2);
    for (std::size_t i = 0; i < values.size(); ++i) {
        const float value = finer(random, values[i]) * 0x1p-12F;
        std::memcpy(plain.data() + 4 * i, &value, 4);
    }
    const Piece piece{plain, ElementType::f32, 0};
    const std::size_t standard = coder.encode(piece, {}, Level::standard).payload.size();
    const Bytes mixed = code(coder, piece, {}, Level::max, Encoding::mixed);
    EXPECT_LT(mixed.size(), standard);
}

TEST(Mixed, IsNeverLargerThanTheDefault) {
    Coder coder;
    Random random(12);
    const Trained t = trained(random, of_low_rank(random, 80, 64, 3));
    for (const ElementType type : {ElementType::bytes, ElementType::f32, ElementType::bf16,
                                   ElementType::f64, ElementType::i8, ElementType::i16})
        for (const std::size_t length : {9u, 100u, 1000u, 20000u})
            for (const bool alone : {false, true}) {
                const Piece piece{ByteView(t.after).first(length), type, 0};
                const ByteView base = alone ? ByteView{} : ByteView(t.before);
                const std::size_t most = coder.encode(piece, base, Level::standard).payload.size();
                EXPECT_LE(coder.encode(piece, base, Level::max).payload.size(), most);
            }
}

TEST(Mixed, ReadsAStreamOfZerosAsYesToEveryQuestion) {
    // u8, no matrices, one element: as long as can be, 8 bits; down; two more set bits; five raw.
    const Bytes payload = {0x05, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x0b};
    Coder coder;
    Bytes out(1);
    ASSERT_TRUE(
        coder.decode(static_cast<std::uint8_t>(Encoding::delta_mixed), payload, Bytes{10}, out));
    EXPECT_EQ(out[0], static_cast<std::uint8_t>(10 - (0xe0 | 0x0b)));
}

// What has none still takes models to be made anew, and thousands of such parts fit into a piece.
TEST(Mixed, RefusesAPayloadWithoutElements) {
    Coder coder;
    Bytes out(3);
    const Bytes payload = {0x01, 0, 4, 0, 0, 0, 0, 0, 0, 1, 2, 3};  // f32, no matrices
    const Status decoded =
        coder.decode(static_cast<std::uint8_t>(Encoding::delta_mixed), payload, Bytes(8), out);
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().code, Errc::corrupt);
}

// A run of u8 that are all 10 of the base's plus 225, in a part.
bool decodes_in_a_run(std::size_t length) {
    const Bytes base(length, 10);
    const Bytes plain(length, 235);
    Bytes coded(length + 100);
    CodingBuffers buffers;
    coded.resize(make_mixed_coder(buffers)->write({plain, ElementType::u8}, base, coded));
    Bytes payload;
    ByteWriter out(payload);
    const auto put_length = [&](std::size_t bytes) {
        out.put(static_cast<std::uint16_t>(bytes));
        out.put(std::uint8_t{0});
    };
    put_length(length);
    out.put(static_cast<std::uint8_t>(Encoding::delta_mixed));
    put_length(coded.size());
    payload.insert(payload.end(), coded.begin(), coded.end());
    Coder coder;
    Bytes decoded(length);
    return coder.decode(static_cast<std::uint8_t>(Encoding::runs), payload, base, decoded) &&
           decoded == plain;
}

TEST(Mixed, IsRefusedInPartsThatAreTooShortForIt) {
    EXPECT_TRUE(decodes_in_a_run(kMixedPartBytesMin));
    EXPECT_FALSE(decodes_in_a_run(kMixedPartBytesMin - 1));
}

TEST(Mixed, IsNotWrittenInPartsThatAreTooShortForIt) {
    Coder coder;
    Random random(13);
    for (const std::size_t blocks : {20u, 31u, 32u, 70u}) {
        const Bytes base = noise(random, blocks * 34);
        Bytes plain = base;
        for (std::uint8_t& byte : plain) byte = static_cast<std::uint8_t>(byte + random.below(3u));
        const Encoded coded = coder.encode({plain, ElementType::q8_0}, base, Level::max);
        ASSERT_EQ(coded.encoding, Encoding::fields);
        const Bytes payload(coded.payload.begin(), coded.payload.end());
        Bytes decoded(plain.size());
        EXPECT_TRUE(
            coder.decode(static_cast<std::uint8_t>(Encoding::fields), payload, base, decoded));
        EXPECT_EQ(decoded, plain);
    }
}

TEST(Mixed, RefusesMatricesThatDoNotFit) {
    Coder coder;
    Random random(10);
    const Trained t = trained(random, of_low_rank(random, 100, 32, 2));
    const Bytes good =
        code(coder, {t.after, ElementType::f32, 0}, t.before, Level::max, Encoding::delta_mixed);
    ASSERT_EQ(good[1], 1);  // matrix: count, row, column, shift
    ASSERT_EQ(good[5], 32);
    Bytes out(t.after.size());
    const auto decodes = [&](std::size_t at, std::uint8_t value) {
        Bytes changed = good;
        changed[at] = value;
        return bool(
            coder.decode(static_cast<std::uint8_t>(Encoding::delta_mixed), changed, t.before, out));
    };
    EXPECT_TRUE(decodes(1, 1));
    EXPECT_FALSE(decodes(4, 1));   // more elements than there are
    EXPECT_FALSE(decodes(6, 9));   // a row of more than 2,048
    EXPECT_FALSE(decodes(7, 32));  // a column past the row
    EXPECT_FALSE(decodes(9, 48));  // a shift past 47
}

TEST(Mixed, AnswersDamagedPayloadsWithoutHarm) {
    Coder coder;
    Random random(11);
    const Trained t = trained(random, of_low_rank(random, 60, 32, 2));
    for (const bool alone : {false, true}) {
        const Encoding encoding = alone ? Encoding::mixed : Encoding::delta_mixed;
        const ByteView base = alone ? ByteView{} : ByteView(t.before);
        CodingBuffers buffers;
        const auto mixed = make_mixed_coder(buffers);
        Bytes payload(t.after.size());
        payload.resize(mixed->write({t.after, ElementType::f32, 0}, base, payload));
        ASSERT_FALSE(payload.empty());
        Bytes out(t.after.size());
        for (std::size_t length = 0; length < payload.size(); length += 1 + length / 8)
            EXPECT_FALSE(mixed->read(ByteView(payload).first(length), base, out)) << length;
        Bytes longer = payload;
        longer.push_back(0);
        EXPECT_FALSE(mixed->read(longer, base, out));
        for (int round = 0; round < 150; ++round) {
            Bytes flipped = payload;
            const std::size_t where = random.below(round % 2 == 0 ? 16 : flipped.size());
            flipped[where] ^= static_cast<std::uint8_t>(1 << random.below(8u));
            for (const std::size_t size : {out.size(), out.size() - 1, std::size_t{1}}) {
                Bytes other(size);
                const Status read =
                    coder.decode(static_cast<std::uint8_t>(encoding), flipped, base, other);
                if (!read) {
                    EXPECT_EQ(read.error().code, Errc::corrupt);
                }
            }
        }
    }
}

}  // namespace
}  // namespace tributary::codec
