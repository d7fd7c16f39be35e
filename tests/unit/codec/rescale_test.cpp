// The encoding that moves the rows of its base as their scales moved.
#include "common/codec/rescale.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "tests/unit/codec/round_trip.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr std::uint32_t kRow = 144;
constexpr std::size_t kRows = 100;
constexpr ElementType kTypes[] = {ElementType::i8, ElementType::u8};

// As README.md says, one number after the other.
Bytes as_described(ElementType type, std::size_t elements, const Rows& rows, const Bytes& gains,
                   const Bytes& shifts, const Bytes& base) {
    const int middle = type == ElementType::u8 ? 128 : 0;
    Bytes out = base;
    for (std::size_t i = 0; i < std::min(elements, base.size()); ++i) {
        const std::size_t row = (rows.column + i) / rows.length;
        const int gain = static_cast<std::int8_t>(gains[row]);
        const int shift = static_cast<std::int8_t>(shifts[row]);
        const int v = type == ElementType::u8 ? base[i] - middle
                                              : static_cast<int>(static_cast<std::int8_t>(base[i]));
        const double moved = std::floor((v * (64 + gain) + 32 * shift + 32) / 64.0);
        out[i] =
            static_cast<std::uint8_t>(static_cast<int>(std::clamp(moved, -128.0, 127.0)) + middle);
    }
    return out;
}

// Rows of numbers of eight bits, and the same weights on scales (and, of u8, about zeros) that
// moved, each of them by a little as well.
struct Quantised {
    Quantised(std::uint64_t seed, ElementType of) : type(of) {
        Random random(seed);
        const int middle = of == ElementType::u8 ? 128 : 0;
        const auto put = [&](Bytes& to, int value) {
            to.push_back(static_cast<std::uint8_t>(std::clamp(value, -128, 127) + middle));
        };
        for (std::size_t row = 0; row < kRows; ++row) {
            const int scale = 64 + static_cast<int>(random.below(13u)) - 6;
            const int zero = of == ElementType::u8 ? static_cast<int>(random.below(21u)) - 10 : 0;
            for (std::uint32_t i = 0; i < kRow; ++i) {
                int value = 0;
                for (int k = 0; k < 4; ++k) value += static_cast<int>(random.below(48u)) - 24;
                put(base, value);
                put(plain, value * scale / 64 + zero + static_cast<int>(random.below(3u)) - 1);
            }
        }
    }
    Piece piece() const { return {plain, type, 0, {kRow, 0}}; }
    ElementType type;
    Bytes base, plain;
};

TEST(Rescale, MovesRowsWhereItsDescriptionSays) {
    Random random(1);
    for (const ElementType type : kTypes)
        for (const Rows& rows : {Rows{16, 0}, Rows{16, 15}, Rows{100, 7}, Rows{1000, 0}}) {
            // Every number under every gain, and the least and the greatest shift.
            const std::size_t elements = 900;
            Bytes base(1000);
            for (std::size_t i = 0; i < base.size(); ++i) base[i] = static_cast<std::uint8_t>(i);
            const std::size_t count = row_count(elements, rows);
            for (unsigned gain = 0; gain < 256; ++gain) {
                Bytes gains = noise(random, count);
                Bytes shifts = noise(random, count);
                gains[0] = static_cast<std::uint8_t>(gain);
                shifts[0] = gain % 2 == 0 ? 127 : 128;
                Bytes out(base.size(), 0xa5);
                move_rows(type, elements, rows, {gains, shifts}, base, out);
                ASSERT_EQ(out, as_described(type, elements, rows, gains, shifts, base))
                    << static_cast<int>(type) << " " << rows.length << " " << gain;
            }
        }
}

TEST(Rescale, OfRowsWhoseScalesMovedIsTaken) {
    Coder coder;
    for (const ElementType type : kTypes)
        for (const Level level : {Level::fast, Level::standard, Level::max}) {
            const Quantised q(2, type);
            Piece unknown = q.piece();
            unknown.rows = {};
            const Copy without = round_trip(coder, unknown, q.base, level);
            const Copy with = round_trip(coder, q.piece(), q.base, level);
            EXPECT_NE(without.encoding, Encoding::rescaled);
            EXPECT_EQ(with.encoding, Encoding::rescaled);
            EXPECT_LT(with.payload.size(), without.payload.size() * 9 / 10)
                << static_cast<int>(type) << " " << static_cast<int>(level);
        }
}

// The end of a row that is longer than the payload can say, and the beginning of the next.
TEST(Rescale, OfRowsOfMoreThan24BitsIsNotTaken) {
    Coder coder;
    Quantised q(2, ElementType::i8);
    Piece piece = q.piece();
    const auto half = static_cast<std::uint32_t>(q.plain.size() / 2);
    for (std::size_t i = half; i < q.plain.size(); ++i)
        q.plain[i] = static_cast<std::uint8_t>(static_cast<std::int8_t>(q.base[i]) * 7 / 8);
    piece.plain = q.plain;
    for (const std::uint32_t length : {1U << 24, (1U << 24) + 84}) {
        piece.rows = {length, length - half};
        EXPECT_NE(round_trip(coder, piece, q.base, Level::standard).encoding, Encoding::rescaled);
    }
    piece.rows = {(1U << 24) - 1, (1U << 24) - 1 - half};
    EXPECT_EQ(round_trip(coder, piece, q.base, Level::standard).encoding, Encoding::rescaled);
}

TEST(Rescale, OfNumbersThatOnlyMovedOneByOneIsNotTaken) {
    Coder coder;
    Random random(3);
    const Quantised q(3, ElementType::i8);
    Bytes plain = q.base;
    for (std::uint8_t& number : plain)
        number = static_cast<std::uint8_t>(number + random.below(9u) - 4);
    const Copy coded =
        round_trip(coder, {plain, ElementType::i8, 0, {kRow, 0}}, q.base, Level::standard);
    EXPECT_EQ(coded.encoding, Encoding::delta_classes);
}

TEST(Rescale, OfRowsAndBasesOfAnyLengthComesBack) {
    Coder coder;
    for (const ElementType type : kTypes) {
        const Quantised q(4, type);
        for (const std::uint32_t length : {1u, 9u, 63u, 64u, 144u, 14400u, UINT32_MAX})
            for (const std::uint32_t column : {0u, 1u, 100u, 143u})
                for (const std::size_t base : {0u, 1000u, 1500u, 14399u, 14400u}) {
                    Piece piece = q.piece();
                    piece.rows = {length, column % length};
                    round_trip(coder, piece, ByteView(q.base).first(base), Level::standard);
                    piece.plain = piece.plain.first(5001);
                    round_trip(coder, piece, ByteView(q.base).first(base), Level::fast);
                }
    }
}

// A payload keeps rows as they lie there, whatever the piece's place in its tensor.
TEST(Rescale, OfAPieceThatBeginsWithinARowIsTaken) {
    Coder coder;
    const Quantised q(5, ElementType::i8);
    const Copy copy =
        round_trip(coder, {ByteView(q.plain).subspan(100), ElementType::i8, 0, {kRow, 100}},
                   ByteView(q.base).subspan(100), Level::standard);
    const Copy displaced =
        round_trip(coder, {ByteView(q.plain).subspan(100), ElementType::i8, 0, {kRow, 28}},
                   ByteView(q.base).subspan(100), Level::standard);
    ASSERT_EQ(copy.encoding, Encoding::rescaled);
    EXPECT_LT(copy.payload.size(), displaced.payload.size());
}

TEST(Rescale, IsTriedBeforeTwoBases) {
    Coder coder;
    const Quantised q(6, ElementType::u8);
    EXPECT_EQ(round_trip(coder, q.piece(), q.base, Level::standard, q.base).encoding,
              Encoding::rescaled);
}

// ---- payloads that nobody wrote in good faith ----

class DamagedRescale : public testing::Test {
protected:
    DamagedRescale() {
        payload = round_trip(coder, q.piece(), q.base, Level::standard).payload;
        out.resize(q.plain.size());
    }
    Errc decoded(ByteView base) {
        const Status status = coder.decode(15, payload, base, out);
        return status ? Errc::invalid : status.error().code;
    }
    // Where the part of the gains, that of the shifts and the encoding behind them begin.
    static constexpr std::size_t kGains = 7;
    std::size_t behind(std::size_t part) const {
        return part + 4 + (payload[part + 1] | std::size_t{payload[part + 2]} << 8);
    }
    void put_rows(std::uint32_t length, std::uint32_t column) {
        for (std::size_t i = 0; i < 3; ++i) {
            payload[1 + i] = static_cast<std::uint8_t>(length >> 8 * i);
            payload[4 + i] = static_cast<std::uint8_t>(column >> 8 * i);
        }
    }
    Coder coder;
    Quantised q{7, ElementType::u8};
    Bytes payload, out;
};

TEST_F(DamagedRescale, WithoutItsBaseIsRefused) { EXPECT_EQ(decoded({}), Errc::corrupt); }

TEST_F(DamagedRescale, OfATypeThatHasNoScalesIsRefused) {
    for (const std::uint8_t type : Bytes{0, 1, 6, 10, 15, 0x14}) {
        payload[0] = type;
        EXPECT_EQ(decoded(q.base), Errc::corrupt) << int{type};
    }
}

TEST_F(DamagedRescale, OfRowsThatThereAreNotIsRefused) {
    for (const auto& [length, column] :
         std::vector<std::pair<std::uint32_t, std::uint32_t>>{{0, 0},
                                                              {15, 0},
                                                              {1, 0},
                                                              {kRow, kRow},
                                                              {kRow, 0xffffff},
                                                              {kRow - 1, 0},
                                                              {0xffffff, 0}}) {
        put_rows(length, column);
        EXPECT_EQ(decoded(q.base), Errc::corrupt) << length << " " << column;
    }
}

// Few bytes are not to speak of many rows: with them, all rows move alike.
TEST_F(DamagedRescale, OfRowsThatAreTooShortIsRefused) {
    const Bytes alike{1, 1, 0, 0, 0, 1, 1, 0, 0, 0};
    const auto end = payload.begin() + static_cast<std::ptrdiff_t>(behind(behind(kGains)));
    payload.erase(payload.begin() + kGains, end);
    payload.insert(payload.begin() + kGains, alike.begin(), alike.end());
    for (const std::uint32_t length : {1u, 2u, 15u}) {
        put_rows(length, 0);
        EXPECT_EQ(decoded(q.base), Errc::corrupt) << length;
    }
    put_rows(16, 0);
    EXPECT_EQ(decoded(q.base), Errc::invalid);  // it decodes, to other bytes
}

TEST_F(DamagedRescale, WithinAnotherCodingIsRefused) {
    for (const std::uint8_t encoding : Bytes{14, 15}) {
        payload[behind(behind(kGains))] = encoding;
        EXPECT_EQ(decoded(q.base), Errc::corrupt) << int{encoding};
    }
    const Bytes trend = [&] {
        Bytes made{5, 32, 15};
        made.insert(made.end(), payload.begin(), payload.end());
        return made;
    }();
    const Status status = coder.decode(14, trend, q.base, out, q.base);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::corrupt);
}

TEST_F(DamagedRescale, WhoseMovesStandOnABaseIsRefused) {
    for (const std::size_t part : {kGains, behind(kGains)})
        for (const std::uint8_t encoding : Bytes{3, 5, 6, 7, 8, 11, 14, 15, 200}) {
            const std::uint8_t was = std::exchange(payload[part], encoding);
            EXPECT_EQ(decoded(q.base), Errc::corrupt) << int{encoding};
            payload[part] = was;
        }
}

TEST_F(DamagedRescale, WhoseMovesAreElementsIsRefused) {
    // As planes would be: a type, that the one plane is raw, and a byte for each row.
    Bytes planes{4, kRows + 2, 0, 0, 4, 0};
    planes.resize(planes.size() + kRows, 1);
    const auto end = payload.begin() + static_cast<std::ptrdiff_t>(behind(kGains));
    payload.erase(payload.begin() + kGains, end);
    payload.insert(payload.begin() + kGains, planes.begin(), planes.end());
    EXPECT_EQ(decoded(q.base), Errc::corrupt);
}

TEST_F(DamagedRescale, OfANewerCodingAsksForANewerProgram) {
    payload[behind(behind(kGains))] = 200;
    EXPECT_EQ(decoded(q.base), Errc::unsupported);
}

TEST_F(DamagedRescale, CutShortIsRefused) {
    const Bytes whole = payload;
    for (std::size_t length = 0; length < whole.size(); length += length < 64 ? 1 : 97) {
        payload.assign(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length));
        EXPECT_EQ(decoded(q.base), Errc::corrupt) << length;
    }
}

TEST_F(DamagedRescale, AsAPartOfARunIsRefused) {
    Bytes runs;
    const auto put_length = [&](std::size_t bytes) {
        for (int shift = 0; shift < 24; shift += 8)
            runs.push_back(static_cast<std::uint8_t>(bytes >> shift));
    };
    put_length(q.plain.size());
    runs.push_back(15);
    put_length(payload.size());
    runs.insert(runs.end(), payload.begin(), payload.end());
    const Status status = coder.decode(8, runs, q.base, out);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, Errc::corrupt);
}

}  // namespace
}  // namespace tributary::codec
