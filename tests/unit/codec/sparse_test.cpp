// Planes that are mostly 0.
#include "common/codec/sparse.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "tests/unit/codec/round_trip.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

// Of so many bytes one in `rare` is not 0.
Bytes sparse_plane(Random& random, std::size_t count, std::uint64_t rare) {
    Bytes plane(count);
    for (std::uint8_t& byte : plane)
        if (random.below(rare) == 0) byte = static_cast<std::uint8_t>(1 + random.below(255u));
    return plane;
}

TEST(Sparse, SaysWhereAPlaneIsNotZeroAndWhatItIsThere) {
    Random random(1);
    for (const std::uint64_t rare : {1u, 2u, 9u, 1000u})
        for (std::size_t count = 1; count < 70; ++count) {
            const Bytes plane = sparse_plane(random, count, rare);
            Bytes mask(mask_bytes(count), 0xa5);
            Bytes others(others_room(count), 0xa5);
            const std::size_t found = split_sparse(plane, mask.data(), others.data());

            std::size_t at = 0;
            for (std::size_t i = 0; i < count; ++i) {
                ASSERT_EQ(mask[i / 8] >> i % 8 & 1, plane[i] != 0);
                if (plane[i] == 0) continue;
                ASSERT_EQ(others.at(at++), plane[i]);
            }
            ASSERT_EQ(found, at);
            ASSERT_EQ(count_others(mask, count), at);
            Bytes back(count, 0xa5);
            join_sparse(mask, others.data(), back);
            ASSERT_EQ(back, plane);
        }
}

TEST(Sparse, AMaskOfMoreBytesThanThereAreIsRefused) {
    EXPECT_EQ(count_others(Bytes{0xff, 0x1f}, 13), 13u);
    EXPECT_FALSE(count_others(Bytes{0xff, 0x3f}, 13));
    EXPECT_FALSE(count_others(Bytes{0xff, 0x80}, 13));
    EXPECT_EQ(count_others(Bytes{0xff, 0xff}, 16), 16u);
}

// Words of which the last byte moves, and one in twelve the whole.
struct Moved {
    Moved(std::uint64_t seed, ElementType of, std::size_t elements, std::uint8_t head = 0)
        : type(of), phase(head) {
        Random random(seed);
        const std::size_t width = element_bytes(of);
        base = noise(random, head + elements * width);
        plain = base;
        for (std::size_t i = 0; i < elements; ++i) {
            const std::size_t changed = random.below(12u) == 0 ? width : width - 1;
            for (std::size_t k = 0; k < changed; ++k)
                plain[head + i * width + k] = static_cast<std::uint8_t>(random.next());
            if (width == 1 && changed == 0) plain[head + i] = base[head + i];
        }
    }
    Piece piece() const { return {plain, type, phase}; }
    ElementType type;
    std::uint8_t phase;
    Bytes base, plain;
};

constexpr ElementType kTypes[] = {ElementType::f32, ElementType::f16, ElementType::bf16,
                                  ElementType::i8,  ElementType::u8,  ElementType::i16,
                                  ElementType::i32, ElementType::i64, ElementType::f64};

TEST(Sparse, ComesBackWhateverItsTypeAndLength) {
    Coder coder;
    for (const ElementType type : kTypes) {
        for (std::size_t elements = 1; elements < 40; ++elements) {
            const Moved moved(elements, type, elements);
            round_trip(coder, moved.piece(), moved.base, Level::fast);
        }
        for (const std::size_t elements : {5000u, 5001u, 5007u, 140'000u}) {
            const auto head = static_cast<std::uint8_t>(elements % element_bytes(type));
            const Moved moved(elements, type, std::min<std::size_t>(elements, limits::MiB / 9),
                              head);
            const Copy copy = round_trip(coder, moved.piece(), moved.base, Level::fast);
            EXPECT_EQ(copy.encoding, Encoding::delta_sparse)
                << "type " << static_cast<int>(type) << ", " << elements;
        }
    }
}

// A code of whole bits takes one for each of them.
TEST(Sparse, TakesLessThanABitForEachZero) {
    Coder coder;
    const Moved moved(3, ElementType::i8, 100'000);
    const Copy copy = round_trip(coder, moved.piece(), moved.base, Level::fast);
    EXPECT_EQ(copy.encoding, Encoding::delta_sparse);
    // One in twelve: 0.41 bits to say where, and a byte.
    EXPECT_LT(copy.payload.size(), 100'000 / 12 + 6000);
}

// What a hub of an older release is told of is a record's encoding, not what stands within.
TEST(Sparse, IsForWholePiecesAlone) {
    Coder coder;
    for (const ElementType type : {ElementType::i8, ElementType::f16}) {
        const Moved moved(4, type, 20'000);
        const Copy copy = round_trip(coder, moved.piece(), moved.base, Level::fast);
        ASSERT_EQ(copy.encoding, Encoding::delta_sparse);
        const auto inner = static_cast<std::uint8_t>(copy.encoding);
        const auto refused = [&](Encoding outer, Bytes payload) {
            payload.insert(payload.end(), copy.payload.begin(), copy.payload.end());
            Bytes out(moved.plain.size());
            const Status decoded = coder.decode(static_cast<std::uint8_t>(outer), payload,
                                                moved.base, out, moved.base);
            return !decoded && decoded.error().code == Errc::corrupt;
        };
        const auto bytes_of = [](std::size_t length) {
            return Bytes{static_cast<std::uint8_t>(length), static_cast<std::uint8_t>(length >> 8),
                         static_cast<std::uint8_t>(length >> 16)};
        };
        Bytes run = bytes_of(moved.plain.size());
        const Bytes length = bytes_of(copy.payload.size());
        run.push_back(inner);
        run.insert(run.end(), length.begin(), length.end());
        EXPECT_TRUE(refused(Encoding::runs, run));
        EXPECT_TRUE(refused(Encoding::trend, {static_cast<std::uint8_t>(type), 1, inner}));
        EXPECT_TRUE(refused(Encoding::delta_planes, {}));
        EXPECT_TRUE(refused(Encoding::planes, {}));
    }
    // Found in bytes of no type, they are parts.
    const Moved found(5, ElementType::f32, 40'000);
    EXPECT_NE(round_trip(coder, {found.plain}, found.base, Level::fast).encoding,
              Encoding::delta_sparse);
}

TEST(Sparse, ADamagedPlaneIsAnAnswer) {
    Coder coder;
    const Moved moved(6, ElementType::i16, 4001);
    const Copy copy = round_trip(coder, moved.piece(), moved.base, Level::fast);
    ASSERT_EQ(copy.encoding, Encoding::delta_sparse);
    const auto decode = [&](ByteView payload, ByteView base) {
        Bytes out(moved.plain.size());
        return coder.decode(static_cast<std::uint8_t>(Encoding::delta_sparse), payload, base, out);
    };
    ASSERT_TRUE(decode(copy.payload, moved.base));
    EXPECT_FALSE(decode(copy.payload, {}));
    for (std::size_t length = 0; length < copy.payload.size(); ++length)
        ASSERT_FALSE(decode(ByteView(copy.payload).first(length), moved.base));
    Bytes longer = copy.payload;
    longer.push_back(0);
    EXPECT_FALSE(decode(longer, moved.base));
    Random random(7);
    for (int i = 0; i < 2000; ++i) {
        Bytes changed = copy.payload;
        changed[random.below(changed.size())] ^= static_cast<std::uint8_t>(1 + random.below(255u));
        (void)decode(changed, moved.base);
    }
}

}  // namespace
}  // namespace tributary::codec
