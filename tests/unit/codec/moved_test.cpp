#include "common/codec/moved.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kPiece = 256 * limits::KiB;

ReadAt reader_of(const Bytes& file) {
    return [&file](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
        const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, file.size()));
        const std::size_t count = std::min(out.size(), file.size() - from);
        std::copy_n(file.data() + from, count, out.begin());
        return count;
    };
}

MovedProbe probed(const Bytes& parent, const Bytes& file) {
    MovedProbe probe;
    EXPECT_TRUE(probe.sample(file.size(), reader_of(file)));
    const std::size_t last = (parent.size() - 1) / kPiece * kPiece;
    probe.look_at(last, ByteView(parent).subspan(last));
    return probe;
}

// Of a parent in pieces of 256 KiB.
std::vector<Match> matches_of(const Bytes& parent, const Bytes& file) {
    std::vector<std::uint64_t> begins;
    for (std::size_t at = 0; at < parent.size(); at += kPiece) begins.push_back(at);
    begins.push_back(parent.size());
    Alignment alignment(begins, file.size());
    // In blocks of any size.
    for (std::size_t at = 0; at < parent.size(); at += 77777)
        alignment.learn(
            ByteView(parent).subspan(at).first(std::min<std::size_t>(77777, parent.size() - at)));
    alignment.follow(ByteView(file).first(1001));
    alignment.follow(ByteView(file).subspan(1001));
    return alignment.take();
}

Bytes joined(std::initializer_list<ByteView> parts) {
    Bytes all;
    for (const ByteView part : parts) all.insert(all.end(), part.begin(), part.end());
    return all;
}

TEST(MovedProbe, TellsWhatMovedFromWhatStayed) {
    Random random(1);
    const Bytes parent = noise(random, 4 * kPiece);
    const Bytes row = noise(random, 512);
    const ByteView all = parent;

    EXPECT_TRUE(probed(parent, joined({all.first(5000), row, all.subspan(5000)})).moved());
    EXPECT_TRUE(probed(parent, joined({all.subspan(51'200)})).moved());
    const Bytes grown = joined({all, row});
    EXPECT_FALSE(probed(parent, grown).moved());
    EXPECT_TRUE(probed(parent, grown).stayed());
}

TEST(MovedProbe, FindsNothingInWeightsThatWereTrained) {
    Random random(2);
    const Bytes parent = weights(random, kPiece);
    const MovedProbe probe = probed(parent, train(random, parent));
    EXPECT_FALSE(probe.moved());
    EXPECT_FALSE(probe.stayed());
}

TEST(MovedProbe, TakesNoBytesThatRepeatThemselvesForContent) {
    const Bytes zeros(4 * kPiece);
    EXPECT_FALSE(probed(zeros, Bytes(3 * kPiece)).moved());
}

TEST(Alignment, CutsBehindAnInsertedRowWhereTheParentWasCut) {
    Random random(3);
    const Bytes parent = noise(random, 3 * kPiece);
    const Bytes row = noise(random, 512);
    const ByteView all = parent;
    const Bytes file = joined({all.first(5000), row, all.subspan(5000)});

    EXPECT_EQ(matches_of(parent, file),
              (std::vector<Match>{{0, kPiece + 512, 0, kPiece},
                                  {kPiece + 512, 2 * kPiece + 512, 1, 2 * kPiece},
                                  {2 * kPiece + 512, 3 * kPiece + 512, 2, 3 * kPiece}}));
}

TEST(Alignment, KeepsTheRestOfADroppedHeadApart) {
    Random random(4);
    const Bytes parent = noise(random, 3 * kPiece);
    const Bytes news = noise(random, 100'000);
    const Bytes file = joined({ByteView(parent).subspan(kPiece + 200'000), news});

    const std::vector<Match> matches = matches_of(parent, file);

    const std::uint64_t rest = kPiece - 200'000;
    EXPECT_EQ(matches,
              (std::vector<Match>{{0, rest, 1, 2 * kPiece}, {rest, rest + kPiece, 2, 3 * kPiece}}));
}

TEST(Alignment, MakesNoPiecesOfRowsThatWereShuffled) {
    Random random(5);
    const Bytes parent = noise(random, 8 * kPiece);
    Bytes file;
    for (std::size_t i = 0; i < parent.size() / 512; ++i) {
        const std::size_t row = random.below(parent.size() / 512);
        const ByteView bytes = ByteView(parent).subspan(row * 512, 512);
        file.insert(file.end(), bytes.begin(), bytes.end());
    }
    for (const Match& match : matches_of(parent, file))
        EXPECT_GE(match.end - match.begin, 64u * 1024);
}

TEST(Alignment, FollowsNoContentThatStandsInManyPlaces) {
    Random random(6);
    const Bytes page = noise(random, 4096);
    Bytes parent;
    for (int i = 0; i < 128; ++i) parent.insert(parent.end(), page.begin(), page.end());
    EXPECT_TRUE(matches_of(parent, parent).empty());
}

// Spans as Recut hands them on; checks that they cover the file in order.
std::vector<Span> recut(const std::vector<Match>& matches, const std::vector<Span>& spans) {
    std::vector<Span> out;
    const std::function<Status(const Span&)> visit = [&](const Span& span) {
        out.push_back(span);
        return Status{};
    };
    Recut recut(matches, visit);
    for (const Span& span : spans) EXPECT_TRUE(recut.take(span));
    EXPECT_TRUE(recut.finish());
    std::uint64_t at = 0;
    for (const Span& span : out) {
        EXPECT_EQ(span.offset, at);
        EXPECT_GE(span.length, 1u);
        EXPECT_LE(span.length, limits::kPieceBytesMax);
        at += span.length;
    }
    EXPECT_EQ(at, spans.back().offset + spans.back().length);
    return out;
}

Span span_of(std::uint64_t offset, std::uint32_t length, ElementType type,
             std::uint64_t place = 0) {
    Span span;
    span.offset = offset;
    span.length = length;
    span.type = type;
    span.place = place;
    return span;
}

TEST(Recut, LeavesWhatDoesNotMatchAsItWas) {
    const std::vector<Span> spans = {span_of(0, 128, ElementType::bytes),
                                     span_of(128, kPiece, ElementType::f32, 7),
                                     span_of(128 + kPiece, 9000, ElementType::f32, 8)};
    EXPECT_EQ(recut({}, spans), spans);
}

TEST(Recut, CutsAMatchOutAndKeepsThePhaseOfItsElements) {
    const std::vector<Span> spans = {span_of(0, 128, ElementType::bytes),
                                     span_of(128, kPiece, ElementType::f32),
                                     span_of(128 + kPiece, kPiece, ElementType::f32)};
    // Begins one byte behind the first of an element, and ends with the second span's half.
    const std::vector<Span> out = recut({{128 + 70'001, 128 + kPiece + 70'000, 3, 0}}, spans);

    ASSERT_EQ(out.size(), 4u);
    EXPECT_EQ(out[1].length, 70'001u);
    EXPECT_EQ(out[2].length, kPiece - 1);
    EXPECT_EQ(out[2].type, ElementType::f32);
    EXPECT_EQ(out[2].phase, 3);  // to the first whole element
    EXPECT_EQ(out[3].phase, 0);
}

TEST(Recut, MakesNoPieceOfNumbersThatIsLargerThanOneOfCut) {
    std::vector<Span> spans;
    for (std::uint32_t i = 0; i < 8; ++i)
        spans.push_back(span_of(i * kPiece, kPiece, ElementType::f32));
    for (const Span& span : recut({{10, 8 * kPiece, 0, 0}}, spans))
        EXPECT_LE(span.length, 320u * 1024);
}

}  // namespace
}  // namespace tributary::codec
