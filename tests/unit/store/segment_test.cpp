// The byte format of a segment: golden bytes, marks, footers.
#include "common/store/segment.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "common/hash/hash.h"
#include "common/store/footer.h"
#include "tests/support/random.h"

namespace tributary::segment {
namespace {

using test::Random;

RecordKey key_of(std::uint64_t number, RecordKind kind = RecordKind::piece) {
    Bytes bytes(8);
    store_le(bytes.data(), number);
    return {kind, sha256(bytes)};
}

const State kState{1000, 2000,
                   Incarnation{{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16}}};

// Written once and read for ever: another reader must find exactly these bytes.
TEST(SegmentFormat, HasTheBytesItHadWhenItWasReleased) {
    Bytes out;
    append_header(out, {0x1122334455667788, 42, 7});
    EXPECT_EQ(to_hex(out), "545242534547310a88776655443322112a00000000000000070000008b58d9dd");
    out.clear();
    append_batch_mark(out, {300, 0x1122334455667788, 42, kState, 0xAABBCCDD});
    EXPECT_EQ(to_hex(out),
              "5452424d2c01000088776655443322112a00000000000000e803000000000000d0070000000000000102"
              "030405060708090a0b0c0d0e0f10ddccbbaa737f55a0");
    out.clear();
    append_ack_mark(out, {0x1122334455667788, 42});
    EXPECT_EQ(to_hex(out), "5452424188776655443322112a000000000000005069d92b");
    Table table;
    const Digest base = sha256(as_bytes("base"));
    table.add({RecordKind::piece, sha256(as_bytes("one"))}, 32, 100, 0, {});
    table.add({RecordKind::piece, sha256(as_bytes("two"))}, 132, 90, 1, {&base, 1});
    EXPECT_EQ(to_hex(encode_footer(table, 310, 0x1122334455667788, 42, kState)),
              "545242463fc4ccfe745870e2c0d99f71f30ff0656c8dedd41cc1d7d3d376b0dbe685e2f301010100"
              "840000005a000000000000007692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add7"
              "3ff431ed01000000200000006400000000000000ade9d4dacae662172fd450bb0cd710a769079c05"
              "bfc5d8e35efa6576edc7d0377afdd4a2a9c1b3d23fc4ccfe745870e22bd4da545242458877665544"
              "3322112a00000000000000e803000000000000d0070000000000000102030405060708090a0b0c0d"
              "0e0f1036010000020000000100000003000000b9152a3570b20344");
}

TEST(SegmentFormat, ReadsBackWhatItWrites) {
    Bytes out;
    const Header header{1, 2, 3};
    append_header(out, header);
    EXPECT_EQ(parse_header(out), header);
    out.clear();
    const BatchMark mark{4, 5, 6, kState, 7};
    append_batch_mark(out, mark);
    EXPECT_EQ(parse_batch_mark(out), mark);
    out.clear();
    const AckMark ack{8, 9};
    append_ack_mark(out, ack);
    EXPECT_EQ(parse_ack_mark(out), ack);
}

TEST(SegmentFormat, RejectsEveryTurnedBitAndEveryMissingByte) {
    Bytes header, mark, ack;
    append_header(header, {1, 2, 3});
    append_batch_mark(mark, {4, 5, 6, kState, 7});
    append_ack_mark(ack, {8, 9});
    const auto rejected = [](Bytes bytes, auto parse) {
        for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
            bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
            if (parse(bytes)) return false;
            bytes[bit / 8] ^= static_cast<std::uint8_t>(1U << (bit % 8));
        }
        for (std::size_t size = 0; size < bytes.size(); ++size)
            if (parse(ByteView(bytes).first(size))) return false;
        return parse(bytes).has_value();
    };
    EXPECT_TRUE(rejected(header, parse_header));
    EXPECT_TRUE(rejected(mark, parse_batch_mark));
    EXPECT_TRUE(rejected(ack, parse_ack_mark));
}

// ---- footer ----

// A footer behind `offset` bytes, and what a reader takes from it.
struct Footer {
    Footer(const Table& table, std::uint32_t offset)
        : bytes(encode_footer(table, offset, 9, 5, kState)),
          tail(*parse_tail(ByteView(bytes).last(Tail::kBytes), offset + bytes.size())) {}

    ByteView part(std::uint64_t offset, std::size_t size) const {
        return ByteView(bytes).subspan(static_cast<std::size_t>(offset - tail.footer_offset), size);
    }
    std::optional<Entry> find(const RecordKey& key) const {
        const ByteView in = part(tail.lookup_offset(), tail.lookup_bytes());
        const auto lookup = *Lookup::parse(tail, Bytes(in.begin(), in.end()));
        const auto blocks = lookup.find(key);
        std::optional<Entry> found;
        for (std::uint32_t block = blocks.first; block < blocks.end; ++block) {
            const auto entries =
                parse_block(part(tail.block_offset(block), tail.block_bytes(block)));
            for (const Entry& entry : *entries)
                if (entry.key == key) found = entry;
        }
        return found;
    }

    Bytes bytes;
    Tail tail;
};

class SegmentFooter : public testing::TestWithParam<std::uint32_t> {};

TEST_P(SegmentFooter, FindsWhatIsInItAndNothingElse) {
    const std::uint32_t records = GetParam();
    Table table;
    for (std::uint32_t i = 0; i < records; ++i) {
        const Digest base = key_of(i + 1).name;
        const auto kind = i % 3 == 0 ? RecordKind::recipe : RecordKind::piece;
        table.add(key_of(i, kind), 32 + i * 10, 10, static_cast<std::uint8_t>(i % 4),
                  {&base, i % 4 == 0 ? 0U : 1U});
    }
    const Footer footer(table, 32 + records * 10);
    const auto bases = parse_bases(footer.part(
        footer.tail.bases_offset(),
        static_cast<std::size_t>(footer.tail.lookup_offset() - footer.tail.bases_offset())));

    EXPECT_EQ(footer.tail.records, records);
    ASSERT_TRUE(bases);
    for (std::uint32_t i = 0; i < records; ++i) {
        const auto kind = i % 3 == 0 ? RecordKind::recipe : RecordKind::piece;
        const auto entry = footer.find(key_of(i, kind));
        ASSERT_TRUE(entry) << i;
        EXPECT_EQ(entry->offset, 32 + i * 10);
        EXPECT_EQ(entry->depth, i % 4);
        if (entry->base_count > 0) {
            EXPECT_EQ((*bases)[entry->base_at], key_of(i + 1).name);
        }
        EXPECT_FALSE(footer.find(key_of(i, RecordKind::tree)));
    }
    for (std::uint32_t i = records; i < records + 500; ++i) EXPECT_FALSE(footer.find(key_of(i)));
}
INSTANTIATE_TEST_SUITE_P(Sizes, SegmentFooter, testing::Values(0, 1, 63, 64, 65, 128, 1000));

TEST(SegmentFooterBytes, GiveTheLastOfEqualKeys) {
    Table table;
    for (std::uint32_t i = 0; i < 100; ++i) table.add(key_of(1), 32 + i, 1, 0, {});
    for (std::uint32_t i = 0; i < 100; ++i) table.add(key_of(2 + i), 200 + i, 1, 0, {});
    const Footer footer(table, 1000);
    EXPECT_EQ(footer.find(key_of(1))->offset, 32U + 99U);
    EXPECT_EQ(table.find(key_of(1))->offset, 32U + 99U);
}

TEST(SegmentFooterBytes, AskFewBlocksInVain) {
    Table table;
    for (std::uint32_t i = 0; i < 5000; ++i) table.add(key_of(i), 32, 1, 0, {});
    const Footer footer(table, 64);
    const ByteView in = footer.part(footer.tail.lookup_offset(), footer.tail.lookup_bytes());
    const auto lookup = *Lookup::parse(footer.tail, Bytes(in.begin(), in.end()));
    int in_vain = 0;
    for (std::uint32_t i = 0; i < 10'000; ++i) {
        const auto blocks = lookup.find(key_of(1'000'000 + i));
        if (blocks.first < blocks.end) ++in_vain;
    }
    EXPECT_LT(in_vain, 150);  // 0.8 % by the formula
}

TEST(SegmentFooterBytes, AreAllUnderAChecksum) {
    Table table;
    const Digest base = key_of(900).name;
    for (std::uint32_t i = 0; i < 70; ++i) table.add(key_of(i), 32 + i, 1, 1, {&base, 1});
    const Footer footer(table, 200);
    ASSERT_TRUE(footer_is_sound(footer.tail, footer.bytes));
    Random random(3);
    for (std::size_t byte = 0; byte < footer.bytes.size(); ++byte) {
        Bytes damaged = footer.bytes;
        damaged[byte] ^= static_cast<std::uint8_t>(1U << random.below(8u));
        const auto tail = parse_tail(ByteView(damaged).last(Tail::kBytes), 200 + damaged.size());
        EXPECT_FALSE(tail && footer_is_sound(*tail, damaged)) << byte;
    }
}

TEST(SegmentFooterBytes, AreRefusedWhenA32BitMachineCouldNotHoldThem) {
    const Footer footer(Table{}, 200);
    const auto accepted = [&](std::uint32_t bases) {
        Bytes bytes(footer.bytes.end() - Tail::kBytes, footer.bytes.end());
        store_le(bytes.data() + 60, bases);
        store_le(bytes.data() + Tail::kBytes - 4, crc32c(ByteView(bytes).first(Tail::kBytes - 4)));
        Tail tail = footer.tail;
        tail.bases = bases;
        return parse_tail(bytes, tail.end_offset()).has_value();
    };
    EXPECT_TRUE(accepted(0x03FF'0000));
    EXPECT_FALSE(accepted(0x0400'0000));
    EXPECT_FALSE(accepted(0xFFFF'FFFF));
}

}  // namespace
}  // namespace tributary::segment
