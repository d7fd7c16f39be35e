// Which encoding is chosen.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>
#include <vector>

#include "tests/unit/codec/round_trip.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

// Pages of a database: most of what is new is words, and what is not stands in the base.
TEST(Coder, NamesThePagesThatStayedBesideNumbersAndWords) {
    Coder coder;
    Random random(9);
    const auto page = [&random] {
        constexpr std::string_view kWords[] = {"temperature ", "pressure ", "humidity ",
                                               "voltage "};
        Bytes bytes;
        while (bytes.size() < 4096) {
            const Bytes number = noise(random, 8);
            bytes.insert(bytes.end(), number.begin(), number.end());
            const ByteView word = as_bytes(kWords[random.below(4u)]);
            bytes.insert(bytes.end(), word.begin(), word.end());
        }
        bytes.resize(4096);
        return bytes;
    };
    Bytes base, plain;
    for (int i = 0; i < 60; ++i) {
        const Bytes before = page();
        const Bytes after = i % 3 == 0 ? before : page();
        base.insert(base.end(), before.begin(), before.end());
        plain.insert(plain.end(), after.begin(), after.end());
    }
    for (const Level level : {Level::fast, Level::standard, Level::max}) {
        const Copy copy = round_trip(coder, {plain}, base, level);
        EXPECT_EQ(copy.encoding, Encoding::zstd_prefix);
        EXPECT_LT(copy.payload.size(), plain.size() * 3 / 8);
    }
}

// Of 25 bytes: no type's width, so that their fields are no column of it.
TEST(Coder, RecordsAreLookedForAmongThoseBefore) {
    Coder coder;
    Random random(4);
    Bytes records;
    ByteWriter out(records);
    std::array<int, 3> values = {2000, 5000, 101'300};
    for (std::uint32_t i = 0; i < 6000; ++i) {
        out.put(1'700'000'000'000 + 100 * std::uint64_t{i} + random.below(7u));
        out.put(static_cast<std::uint8_t>(i % 7));
        for (int& value : values) {
            value += static_cast<int>(random.below(11u)) - 5;
            out.put(std::bit_cast<std::uint32_t>(static_cast<float>(value) / 100.0F));
        }
        out.put(i * 20 + static_cast<std::uint32_t>(random.below(40u)));
    }
    const auto half = static_cast<std::ptrdiff_t>(records.size() / 2);
    const Bytes base(records.begin(), records.begin() + half);
    const Bytes plain(records.begin() + half, records.end());
    for (const Level level : {Level::standard, Level::max})
        EXPECT_EQ(round_trip(coder, {plain}, base, level).encoding, Encoding::zstd_prefix);
}

TEST(Coder, TheLevelMaxNeverTakesMoreThanDefault) {
    Coder coder;
    for (const std::size_t inserted : {1u, 100u, 1000u, 3000u}) {
        Random random(5);
        std::vector<std::uint64_t> ids(2000);
        const auto in_order = [&ids] {
            std::ranges::sort(ids);
            Bytes bytes;
            ByteWriter out(bytes);
            for (const std::uint64_t id : ids) out.put(id);
            return bytes;
        };
        const auto draw = [&random] { return random.below(std::uint64_t{1} << 40); };
        std::ranges::generate(ids, draw);
        const Bytes base = in_order();
        for (std::size_t i = 0; i < inserted; ++i) ids.push_back(draw());
        Bytes plain = in_order();
        plain.resize(base.size());
        const Piece piece{plain, ElementType::i64};
        const auto taken = [&](Level level) {
            return round_trip(coder, piece, base, level).payload.size();
        };
        EXPECT_LE(taken(Level::max), taken(Level::standard)) << inserted;
    }
}

}  // namespace
}  // namespace tributary::codec
