// Each rule of recovery, on segments made by hand.
#include "common/store/scan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "common/hash/hash.h"
#include "tests/support/random.h"

namespace tributary::segment {
namespace {

using test::Random;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::uint64_t kSalt = 0xFEEDFACE;

// Writes a segment step by step and remembers where things are. Records are numbered from 0.
struct Builder {
    explicit Builder(std::uint64_t first_batch = 1) : batch(first_batch) {
        append_header(bytes, {kSalt, first_batch, 1});
    }
    Builder& records(int count) {
        for (int i = 0; i < count; ++i) {
            const Bytes plain = Random(places.size()).bytes(50);
            RecordHeader header;
            header.kind = RecordKind::piece;
            header.name = sha256(plain);
            header.stored_length = header.plain_length = 50;
            places.push_back(bytes.size());
            append_record(bytes, header, plain);
        }
        return *this;
    }
    Builder& mark() {
        const ByteView records = ByteView(bytes).subspan(batch_start());
        State state;
        state.recorded_bytes = batch * 100;
        append_batch_mark(bytes, {static_cast<std::uint32_t>(records.size()), kSalt, batch, state,
                                  crc32c(records)});
        mark_ends.push_back(bytes.size());
        return *this;
    }
    Builder& ack() {
        append_ack_mark(bytes, {kSalt, batch++});
        start = bytes.size();
        return *this;
    }
    Builder& whole_batch(int count) { return records(count).mark().ack(); }
    Builder& flip(std::size_t at) {
        bytes[at] ^= 0x10;
        return *this;
    }
    std::size_t batch_start() const { return start; }

    Bytes bytes;
    std::uint64_t batch;
    std::size_t start = Header::kBytes;
    std::vector<std::size_t> places;     // of the records
    std::vector<std::size_t> mark_ends;  // of the batch marks
};

struct Outcome {
    Scan scan;
    std::vector<std::size_t> records;  // offsets, as they were handed out
    std::vector<std::size_t> found;    // of those whose place is not shown
};

Outcome scanned(const Bytes& bytes, bool all_synced = false) {
    Outcome outcome;
    const auto read = [&](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
        const auto at = static_cast<std::size_t>(offset);
        const std::size_t count = std::min(out.size(), bytes.size() - at);
        std::copy_n(bytes.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
        return count;
    };
    auto result = scan(bytes.size(), all_synced, read, [&](const ScannedRecord& record) -> Status {
        (record.shown ? outcome.records : outcome.found).push_back(record.offset);
        return {};
    });
    EXPECT_TRUE(result);
    outcome.scan = *std::move(result);
    return outcome;
}

TEST(SegmentScan, ReadsASoundSegmentToItsEnd) {
    Builder b;
    b.whole_batch(2).whole_batch(1).whole_batch(3);
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.records, b.places);
    EXPECT_THAT(o.scan.damage, IsEmpty());
    EXPECT_EQ(o.scan.end, b.bytes.size());
    EXPECT_EQ(o.scan.last_batch, 3U);
    EXPECT_TRUE(o.scan.last_acknowledged);
    EXPECT_EQ(o.scan.state->recorded_bytes, 300U);
}

TEST(SegmentScan, KeepsAWholeLastBatchThatNobodyAcknowledged) {
    Builder b;
    b.whole_batch(2).records(2).mark();
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.records, b.places);
    EXPECT_EQ(o.scan.last_batch, 2U);
    EXPECT_FALSE(o.scan.last_acknowledged);
    EXPECT_EQ(o.scan.end, b.bytes.size());
}

TEST(SegmentScan, SetsALastBatchWithoutItsMarkAside) {
    for (std::size_t cut = 1; cut < 100; ++cut) {
        Builder b;
        b.whole_batch(2);
        const std::size_t end = b.bytes.size();
        b.records(2).mark();
        b.bytes.resize(b.bytes.size() - cut);
        const Outcome o = scanned(b.bytes);
        EXPECT_EQ(o.scan.end, end) << cut;
        EXPECT_EQ(o.records.size(), 2U);
        EXPECT_THAT(o.scan.damage, IsEmpty());
    }
}

TEST(SegmentScan, SetsALastBatchWithABadByteAsideWhenItWasNotAcknowledged) {
    Builder b;
    b.whole_batch(2);
    const std::size_t end = b.bytes.size();
    b.records(3).mark();
    b.flip(b.places[3] + 70);
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.scan.end, end);
    EXPECT_THAT(o.scan.damage, IsEmpty());
    EXPECT_EQ(o.records.size(), 2U);
}

TEST(SegmentScan, CallsABadRecordOfAnAcknowledgedLastBatchDamage) {
    Builder b;
    b.whole_batch(2).whole_batch(3);
    b.flip(b.places[3] + 70);  // in the payload: the header still names it
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.scan.end, b.bytes.size());
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].offset, b.places[3]);
    EXPECT_EQ(o.scan.damage[0].batch, 2U);
    EXPECT_EQ(o.scan.damage[0].key->name, sha256(Random(3).bytes(50)));
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[1], b.places[2], b.places[4]));
}

TEST(SegmentScan, CallsABadRecordBeforeALaterBatchDamage) {
    Builder b;
    b.whole_batch(3).records(1).mark();  // batch 2 is not acknowledged; its mark vouches for 1
    b.flip(b.places[1] + 5);             // in the header: nobody knows its name
    const Outcome o = scanned(b.bytes);
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].offset, b.places[1]);
    EXPECT_EQ(o.scan.damage[0].length, b.places[2] - b.places[1]);
    EXPECT_FALSE(o.scan.damage[0].key);
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[2], b.places[3]));
    EXPECT_EQ(o.scan.end, b.bytes.size());
}

TEST(SegmentScan, CallsABadBatchMarkDamageWhenTheBatchWasAcknowledged) {
    Builder b;
    b.whole_batch(2).whole_batch(2);
    b.flip(b.mark_ends[1] - 10);
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.records, b.places);
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].length, BatchMark::kBytes);
    EXPECT_EQ(o.scan.last_batch, 2U);
}

TEST(SegmentScan, FindsItsWayAcrossSeveralLostBatches) {
    Builder b;
    b.whole_batch(1).whole_batch(1);
    const std::size_t from = b.bytes.size();
    b.whole_batch(2).whole_batch(2);
    const std::size_t to = b.bytes.size();
    b.whole_batch(1);
    std::fill(b.bytes.begin() + static_cast<std::ptrdiff_t>(from),
              b.bytes.begin() + static_cast<std::ptrdiff_t>(to), std::uint8_t{0});
    const Outcome o = scanned(b.bytes);
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[1], b.places[6]));
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].offset, from);
    EXPECT_EQ(o.scan.damage[0].length, to - from);
    EXPECT_EQ(o.scan.last_batch, 5U);
}

TEST(SegmentScan, CutsABadAcknowledgedMarkAtTheEndOffWithoutLoss) {
    Builder b;
    b.whole_batch(2);
    b.flip(b.bytes.size() - 3);
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.scan.end, b.mark_ends[0]);
    EXPECT_FALSE(o.scan.last_acknowledged);
    EXPECT_EQ(o.records, b.places);
    EXPECT_THAT(o.scan.damage, IsEmpty());
}

TEST(SegmentScan, TakesAMarkAndABatchThatWereWrittenTogetherAsTornTogether) {
    Builder b;
    b.whole_batch(2).records(1).mark();
    b.flip(b.mark_ends[0] + 3);  // the acknowledged mark of 1 was synced with batch 2, or never
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.scan.end, b.mark_ends[0]);
    EXPECT_THAT(o.scan.damage, IsEmpty());
    EXPECT_EQ(o.records.size(), 2U);
}

TEST(SegmentScan, TakesAFileWithoutAnySoundHeaderAndMarkAsTornWhileItWasMade) {
    Builder b;
    b.records(2).mark();
    b.flip(5);
    const Outcome o = scanned(b.bytes);
    EXPECT_EQ(o.scan.end, 0U);
    EXPECT_TRUE(o.scan.nothing_kept());
    EXPECT_THAT(o.records, IsEmpty());
}

TEST(SegmentScan, CallsABadHeaderDamageWhenABatchWasAcknowledged) {
    Builder b;
    b.whole_batch(2).whole_batch(1).records(1);
    b.flip(5);
    const Outcome o = scanned(b.bytes);
    ASSERT_FALSE(o.scan.damage.empty());
    EXPECT_EQ(o.scan.damage[0].batch, 0U);
    EXPECT_EQ(o.scan.end, b.bytes.size());  // nothing is cut off
    EXPECT_EQ(o.scan.salt, kSalt);
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[1], b.places[2]));
}

TEST(SegmentScan, IsNotMisledByASegmentThatWasRecorded) {
    // A record whose payload is a whole segment of another log, and of this one.
    for (const std::uint64_t inner_salt : {kSalt, kSalt + 1}) {
        Bytes inner;
        append_header(inner, {inner_salt, 1, 1});
        append_batch_mark(inner, {0, inner_salt, 1, {}, 0});
        append_ack_mark(inner, {inner_salt, 1});
        Builder b(2);
        RecordHeader header;
        header.kind = RecordKind::piece;
        header.name = sha256(inner);
        header.stored_length = header.plain_length = static_cast<std::uint32_t>(inner.size());
        append_record(b.bytes, header, inner);
        b.mark();
        b.flip(Header::kBytes + 80);
        const Outcome o = scanned(b.bytes);
        EXPECT_EQ(o.scan.end, Header::kBytes) << "torn, whatever is inside";
        EXPECT_THAT(o.scan.damage, IsEmpty());
    }
}

TEST(SegmentScan, IsNotSureOfWhatStandsBetweenTwoBadHeaders) {
    Builder b;
    b.whole_batch(6).whole_batch(1);
    b.flip(b.places[1] + 5).flip(b.places[4] + 5);
    const Outcome o = scanned(b.bytes);
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[5], b.places[6]));
    EXPECT_THAT(o.found, ElementsAre(b.places[2], b.places[3]));
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].offset, b.places[1]);
    EXPECT_EQ(o.scan.damage[0].length, b.places[5] - b.places[1]);
}

TEST(SegmentScan, IsSureOfWhatLeadsToABadMark) {
    Builder b;
    b.whole_batch(3).whole_batch(1);
    b.flip(b.places[0] + 5).flip(b.mark_ends[0] - 10);
    const Outcome o = scanned(b.bytes);
    EXPECT_THAT(o.records, ElementsAre(b.places[1], b.places[2], b.places[3]));
    EXPECT_THAT(o.found, IsEmpty());
    ASSERT_EQ(o.scan.damage.size(), 2U);
    EXPECT_EQ(o.scan.damage[1].length, BatchMark::kBytes);
}

TEST(SegmentScan, TakesNothingAsTornWhenALaterSegmentExists) {
    Builder b;
    b.whole_batch(2).records(2);
    b.flip(b.places[3] + 70);
    const Outcome o = scanned(b.bytes, true);
    EXPECT_THAT(o.records, ElementsAre(b.places[0], b.places[1], b.places[2]));
    ASSERT_EQ(o.scan.damage.size(), 1U);
    EXPECT_EQ(o.scan.damage[0].offset, b.places[3]);
}

TEST(SegmentScan, NeverFailsOnAnyBytes) {
    Random random(5);
    for (int round = 0; round < 300; ++round) {
        Builder b;
        b.whole_batch(2).whole_batch(3).records(1).mark();
        for (unsigned i = random.below(6u); i > 0; --i)
            b.bytes[random.below(b.bytes.size())] = static_cast<std::uint8_t>(random.next());
        if (random.one_in(2)) b.bytes.resize(random.below(b.bytes.size() + 1));
        const Outcome o = scanned(b.bytes, random.one_in(2));
        EXPECT_LE(o.scan.end, b.bytes.size());
        EXPECT_TRUE(std::is_sorted(o.records.begin(), o.records.end()));
        EXPECT_TRUE(std::is_sorted(o.found.begin(), o.found.end()));
    }
}

}  // namespace
}  // namespace tributary::segment
