#include "common/record/record.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "common/hash/hash.h"

namespace tributary {
namespace {

Digest digest_of(std::string_view text) { return sha256(as_bytes(text)); }

RecordHeader header_for(ByteView payload, std::uint8_t bases = 0) {
    RecordHeader header;
    header.kind = RecordKind::piece;
    header.encoding = 3;
    header.stored_length = static_cast<std::uint32_t>(payload.size());
    header.plain_length = 4096;
    header.name = digest_of("plain");
    header.base_count = bases;
    for (std::uint8_t i = 0; i < bases; ++i) header.base[i] = digest_of(std::to_string(i));
    return header;
}

Bytes record_of(const RecordHeader& header, ByteView payload) {
    Bytes frame;
    append_record(frame, header, payload);
    return frame;
}

// Writes a header CRC that fits whatever the header says.
void mend_header_crc(Bytes& frame, std::size_t header_bytes) {
    store_le(frame.data() + header_bytes - 4, crc32c(ByteView(frame).first(header_bytes - 4)));
}

TEST(Record, ReadsBackWhatWasWritten) {
    const ByteView payload = as_bytes("payload");
    for (std::uint8_t bases = 0; bases <= limits::kBasesMax; ++bases) {
        const RecordHeader header = header_for(payload, bases);
        const Bytes frame = record_of(header, payload);
        ASSERT_EQ(frame.size(), header.record_bytes());
        const auto parsed = parse_record(frame);
        ASSERT_TRUE(parsed) << parsed.error().what;
        EXPECT_EQ(parsed->header.key(), header.key());
        EXPECT_EQ(parsed->header.encoding, 3);
        EXPECT_EQ(parsed->header.plain_length, 4096u);
        EXPECT_TRUE(std::ranges::equal(parsed->header.bases(), header.bases()));
        EXPECT_TRUE(std::ranges::equal(parsed->payload, payload));
    }
}

TEST(Record, StandsInAStreamOfOthers) {
    Bytes stream;
    append_record(stream, header_for(as_bytes("one")), as_bytes("one"));
    const std::size_t second = stream.size();
    append_record(stream, header_for(as_bytes("two"), 1), as_bytes("two"));
    EXPECT_EQ(as_text(parse_record(stream)->payload), "one");
    EXPECT_EQ(as_text(parse_record(ByteView(stream).subspan(second))->payload), "two");
}

TEST(Record, HeaderNeedsOnlyItsOwnBytes) {
    const Bytes frame = record_of(header_for(as_bytes("payload"), 2), as_bytes("payload"));
    const std::size_t header_bytes = RecordHeader::kFixedBytes + 2 * kDigestBytes + 4;
    EXPECT_TRUE(parse_record_header(ByteView(frame).first(header_bytes)));
    EXPECT_FALSE(parse_record_header(ByteView(frame).first(header_bytes - 1)));
}

TEST(Record, NoticesEverySingleFlippedBit) {
    for (const std::uint8_t bases : Bytes{0, 1, 3}) {
        const Bytes frame = record_of(header_for(as_bytes("payload"), bases), as_bytes("payload"));
        for (std::size_t bit = 0; bit < frame.size() * 8; ++bit) {
            Bytes damaged = frame;
            damaged[bit / 8] ^= static_cast<std::uint8_t>(1u << (bit % 8));
            const auto parsed = parse_record(damaged);
            ASSERT_FALSE(parsed) << "bit " << bit;
            ASSERT_EQ(parsed.error().code, Errc::corrupt) << "bit " << bit;
        }
    }
}

TEST(Record, NoticesEveryMissingEnd) {
    const Bytes frame = record_of(header_for(as_bytes("payload"), 1), as_bytes("payload"));
    for (std::size_t length = 0; length < frame.size(); ++length) {
        const auto parsed = parse_record(ByteView(frame).first(length));
        ASSERT_FALSE(parsed) << length;
        ASSERT_EQ(parsed.error().code, Errc::corrupt) << length;
    }
}

TEST(Record, RefusesLengthsPastTheLimits) {
    Bytes frame = record_of(header_for({}), {});
    store_le(frame.data() + 12, std::uint32_t{limits::kRecordPayloadBytesMax + 1});
    mend_header_crc(frame, 60);
    EXPECT_EQ(parse_record_header(frame).error().code, Errc::corrupt);

    frame = record_of(header_for({}), {});
    store_le(frame.data() + 16, std::uint32_t{limits::kRecordPayloadBytesMax + 1});
    mend_header_crc(frame, 60);
    EXPECT_EQ(parse_record_header(frame).error().code, Errc::corrupt);
}

TEST(Record, OfAPieceHasBetweenOneByteAndOneMebibyte) {
    for (const std::uint32_t plain : {0U, std::uint32_t{limits::kPieceBytesMax + 1}}) {
        Bytes frame = record_of(header_for({}), {});
        store_le(frame.data() + 16, plain);
        mend_header_crc(frame, 60);
        EXPECT_EQ(parse_record_header(frame).error().code, Errc::corrupt) << plain;
    }
}

TEST(Record, RefusesToBeItsOwnBaseOrToHaveNoName) {
    Bytes frame = record_of(header_for({}, 1), {});
    std::copy_n(frame.begin() + 24, 32, frame.begin() + 56);
    mend_header_crc(frame, 92);
    EXPECT_EQ(parse_record_header(frame).error().code, Errc::corrupt);

    frame = record_of(header_for({}), {});
    std::fill_n(frame.begin() + 24, 32, std::uint8_t{0});
    mend_header_crc(frame, 60);
    EXPECT_EQ(parse_record_header(frame).error().code, Errc::corrupt);
}

TEST(Record, AsksForAnUpgradeWhenASoundHeaderIsNewer) {
    // kind, flags, hash algorithm, key id, reserved
    for (const std::size_t field : {4u, 6u, 7u, 8u, 21u, 23u}) {
        Bytes frame = record_of(header_for({}), {});
        frame[field] = 99;
        mend_header_crc(frame, 60);
        const auto parsed = parse_record_header(frame);
        ASSERT_FALSE(parsed) << field;
        EXPECT_EQ(parsed.error().code, Errc::unsupported) << field;
    }
}

TEST(RecordKind, NamesEachKindOnce) {
    for (unsigned kind = 0; kind < 256; ++kind) {
        const auto value = static_cast<RecordKind>(kind);
        EXPECT_EQ(is_known(value), kind >= 1 && kind <= 11) << kind;
        EXPECT_EQ(name_of(value) == "unknown", !is_known(value)) << kind;
    }
}

TEST(NameOfPlain, FollowsTheKind) {
    const ByteView plain = as_bytes("plain");
    EXPECT_EQ(name_of_plain(RecordKind::piece, plain), sha256(plain));
    EXPECT_EQ(name_of_plain(RecordKind::tree, plain), sha256_of("tributary/1/tree", plain));
    EXPECT_EQ(name_of_plain(RecordKind::document, plain), sha256_of("tributary/1/document", plain));
    EXPECT_TRUE(name_of_plain(RecordKind::recipe, plain).is_none());
    // of an entry, the header alone
    const Bytes entry(200, 7);
    EXPECT_EQ(name_of_plain(RecordKind::entry, entry),
              sha256_of("tributary/1/entry", ByteView(entry).first(114)));
    EXPECT_TRUE(name_of_plain(RecordKind::entry, plain).is_none());
}

}  // namespace
}  // namespace tributary
