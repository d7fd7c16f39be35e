#include "common/codec/layout.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "tests/unit/codec/cuts.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr std::uint32_t kBlock = 256 * 1024;

Bytes safetensors(const std::string& header, std::size_t data_bytes) {
    Bytes file;
    ByteWriter out(file);
    out.put(std::uint64_t{header.size()});
    out.put(as_bytes(header));
    file.resize(file.size() + data_bytes, 1);
    return file;
}

std::string tensor(const std::string& name, const std::string& dtype, std::size_t elements,
                   std::size_t begin, std::size_t end) {
    return "\"" + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":[" + std::to_string(elements) +
           "],\"data_offsets\":[" + std::to_string(begin) + "," + std::to_string(end) + "]}";
}

TEST(Layout, CutsALargeTensorInBlocksFromItsStart) {
    const std::size_t elements = 3 * kBlock / 4;
    const std::string header = "{" + tensor("w", "F32", elements, 0, 4 * elements) + "}";
    const auto spans = spans_of(safetensors(header, 4 * elements));
    ASSERT_EQ(spans.size(), 4u);
    EXPECT_EQ(spans[0].type, ElementType::bytes);
    EXPECT_EQ(spans[0].length, 8 + header.size());
    for (std::size_t i = 1; i < spans.size(); ++i) {
        EXPECT_EQ(spans[i].type, ElementType::f32);
        EXPECT_EQ(spans[i].length, kBlock);
    }
}

TEST(Layout, LeavesASmallRestWithTheBlockBeforeIt) {
    const auto lengths = [](std::size_t bytes) {
        const auto spans =
            spans_of(safetensors("{" + tensor("w", "BF16", bytes / 2, 0, bytes) + "}", bytes));
        std::vector<std::uint32_t> result;
        for (std::size_t i = 1; i < spans.size(); ++i) result.push_back(spans[i].length);
        return result;
    };
    EXPECT_EQ(lengths(kBlock + 65534), (std::vector<std::uint32_t>{kBlock + 65534}));
    EXPECT_EQ(lengths(kBlock + 65536), (std::vector<std::uint32_t>{kBlock, 65536}));
}

TEST(Layout, GathersSmallNeighboursOfOneType) {
    const std::string header = "{" + tensor("a", "F16", 50, 0, 100) + "," +
                               tensor("b", "F16", 50, 100, 200) + "," +
                               tensor("c", "I64", 10, 200, 280) + "}";
    const auto spans = spans_of(safetensors(header, 280));
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[1].type, ElementType::f16);
    EXPECT_EQ(spans[1].length, 200u);
    EXPECT_EQ(spans[2].type, ElementType::i64);
    EXPECT_EQ(spans[2].length, 80u);
}

TEST(Layout, GathersUpToABlock) {
    const std::size_t half = kBlock / 2;
    const std::string header = "{" + tensor("a", "U8", half, 0, half) + "," +
                               tensor("b", "U8", half, half, 2 * half) + "," +
                               tensor("c", "U8", 1, 2 * half, 2 * half + 1) + "}";
    const auto spans = spans_of(safetensors(header, 2 * half + 1));
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[1].length, kBlock);
    EXPECT_EQ(spans[2].length, 1u);
}

TEST(Layout, NamesPlacesByTensorAndBlockNotByOffset) {
    const std::size_t bytes = 2 * kBlock;
    const auto before =
        spans_of(safetensors("{" + tensor("w", "F32", bytes / 4, 0, bytes) + "}", bytes));
    const auto after =
        spans_of(safetensors("{" + tensor("new", "I8", kBlock, 0, kBlock) + "," +
                                 tensor("w", "F32", bytes / 4, kBlock, kBlock + bytes) + "}",
                             kBlock + bytes));
    ASSERT_EQ(before.size(), 3u);
    ASSERT_EQ(after.size(), 4u);
    EXPECT_EQ(before[1].place, after[2].place);
    EXPECT_EQ(before[2].place, after[3].place);
    EXPECT_NE(before[1].place, before[2].place);
}

TEST(Layout, TellsTheRowsOfTensors) {
    const auto matrix = [](const std::string& name, const std::string& shape, std::size_t begin,
                           std::size_t bytes) {
        return "\"" + name + "\":{\"dtype\":\"I8\",\"shape\":[" + shape + "],\"data_offsets\":[" +
               std::to_string(begin) + "," + std::to_string(begin + bytes) + "]}";
    };
    // In blocks: the second begins within a row.
    const auto blocks =
        spans_of(safetensors("{" + matrix("w", "600,3,300", 0, 540000) + "}", 540000));
    ASSERT_EQ(blocks.size(), 3u);
    EXPECT_EQ(blocks[0].rows, Rows{});
    EXPECT_EQ(blocks[1].rows, (Rows{900, 0}));
    EXPECT_EQ(blocks[2].rows, (Rows{900, kBlock % 900}));
    // Of neighbours, what fits into the rows of all.
    const auto shared = spans_of(safetensors(
        "{" + matrix("a", "10,576", 0, 5760) + "," + matrix("b", "432", 5760, 432) + "}", 6192));
    ASSERT_EQ(shared.size(), 2u);
    EXPECT_EQ(shared[1].rows, (Rows{144, 0}));
}

TEST(Layout, CoversGapsAndTheRestOfTheFileAsBytes) {
    const std::string header =
        "{" + tensor("a", "F32", 2, 8, 16) + "," + tensor("b", "F32", 2, 24, 32) + "}";
    const auto spans = spans_of(safetensors(header, 40));
    ASSERT_EQ(spans.size(), 5u);
    EXPECT_EQ(spans[0].length, 8 + header.size() + 8);
    EXPECT_EQ(spans[2].type, ElementType::bytes);
    EXPECT_EQ(spans[4].length, 8u);
}

TEST(Layout, ReadsTensorsInAnyOrderWithSpacesEscapesAndMetadata) {
    const std::string header =
        " { \"__metadata__\" : { \"a\" : \"\\\"{\" } , \"b\\\"\" : { \"data_offsets\" : [ 8 , 16 ] "
        ",\n"
        " \"shape\" : [ 1 , 2 ] , \"dtype\" : \"F32\" } , " +
        tensor("a", "F64", 1, 0, 8) + "}   ";
    const auto spans = spans_of(safetensors(header, 16));
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[1].type, ElementType::f64);
    EXPECT_EQ(spans[2].type, ElementType::f32);
}

TEST(Layout, CutsByContentWhenAHeaderLies) {
    const std::string big = "99999999999999999999";
    const std::vector<std::pair<const char*, std::string>> headers = {
        {"outside the file", "{" + tensor("a", "U8", 65, 0, 65) + "}"},
        {"ends before it begins", "{" + tensor("a", "U8", 1, 5, 4) + "}"},
        {"overlap", "{" + tensor("a", "U8", 4, 0, 4) + "," + tensor("b", "U8", 4, 3, 7) + "}"},
        {"shape", "{" + tensor("a", "F32", 3, 0, 16) + "}"},
        {"number too large",
         "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0," + big + "]}}"},
        {"shape overflows",
         "{\"a\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296,4294967296],\"data_offsets\":["
         "0,0]}}"},
        {"negative", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[-1,0]}}"},
        {"no dtype", "{\"a\":{\"shape\":[1],\"data_offsets\":[0,1]}}"},
        {"unknown key", "{\"a\":{\"dtype\":\"U8\",\"shape\":[1],\"data_offsets\":[0,1],\"x\":1}}"},
        {"not an object", "[1,2]"},
        {"cut in a string", "{\"a"},
        {"cut in an object", "{\"a\":{"},
        {"cut in an escape", "{\"a\\"},
        {"two objects", "{}{}"},
        {"deep", std::string(100000, '{')},
        {"control character in a name", "{\"a\n\":{}}"},
        {"empty", ""},
    };
    for (const auto& [what, header] : headers)
        EXPECT_TRUE(all_bytes(spans_of(safetensors(header, 64)))) << what;
}

TEST(Layout, DoesNotBelieveAHeaderLength) {
    const Bytes good = safetensors("{" + tensor("a", "U8", 64, 0, 64) + "}", 64);
    ASSERT_FALSE(all_bytes(spans_of(good)));
    for (const std::uint64_t length :
         {std::uint64_t{good.size() - 7}, std::uint64_t{1} << 40, ~std::uint64_t{0}}) {
        Bytes lying = good;
        store_le(lying.data(), length);
        EXPECT_TRUE(all_bytes(spans_of(lying))) << length;
    }
    Bytes large(17 * limits::MiB, ' ');
    store_le(large.data(), std::uint64_t{16 * limits::MiB + 1});
    large[8] = '{', large[9] = '}';
    EXPECT_TRUE(all_bytes(spans_of(large)));
}

TEST(Layout, TakesEveryTruncationOfAFile) {
    const Bytes whole = safetensors(
        "{" + tensor("a", "F32", 4, 0, 16) + "," + tensor("b", "I8", 4, 16, 20) + "}", 20);
    for (std::size_t length = 0; length <= whole.size(); ++length)
        spans_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
}

TEST(Layout, TakesEveryFlippedBitOfAHeader) {
    const std::string header = "{" + tensor("a", "F32", 4, 0, 16) + "}";
    const Bytes whole = safetensors(header, 16);
    for (std::size_t bit = 0; bit < 8 * (8 + header.size()); ++bit) {
        Bytes flipped = whole;
        flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
        spans_of(flipped);
    }
}

void put_text(ByteWriter& out, const std::string& text) {
    out.put(std::uint64_t{text.size()});
    out.put(as_bytes(text));
}

struct GgufTensor {
    std::string name;
    std::vector<std::uint64_t> shape;
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
};

// A text, an array of texts, an array of numbers, then `tensors` and `data_bytes` of data.
Bytes gguf(const std::vector<GgufTensor>& tensors, std::size_t data_bytes) {
    Bytes file;
    ByteWriter out(file);
    out.put(as_bytes(std::string("GGUF")));
    out.put(std::uint32_t{3});
    out.put(std::uint64_t{tensors.size()});
    out.put(std::uint64_t{3});
    put_text(out, "general.name");
    out.put(std::uint32_t{8});
    put_text(out, "net");
    put_text(out, "tokens");
    out.put(std::uint32_t{9});
    out.put(std::uint32_t{8});
    out.put(std::uint64_t{2});
    put_text(out, "a");
    put_text(out, "");
    put_text(out, "scores");
    out.put(std::uint32_t{9});
    out.put(std::uint32_t{6});
    out.put(std::uint64_t{2});
    out.put(std::uint64_t{0});
    for (const GgufTensor& tensor : tensors) {
        put_text(out, tensor.name);
        out.put(static_cast<std::uint32_t>(tensor.shape.size()));
        for (const std::uint64_t size : tensor.shape) out.put(size);
        out.put(tensor.type);
        out.put(tensor.offset);
    }
    file.resize((file.size() + 31) / 32 * 32 + data_bytes, 1);
    return file;
}

TEST(Layout, CutsGgufByItsTable) {
    // Rows of 64 weights: two blocks of Q8_0, 68 bytes.
    const auto spans = spans_of(
        gguf({{"q", {64, 8000}, 8, 0}, {"a", {7}, 0, 544000}, {"b", {9}, 1, 544032}}, 544032 + 18));
    ASSERT_EQ(spans.size(), 5u);
    EXPECT_EQ(spans[0].type, ElementType::bytes);
    EXPECT_EQ(spans[1].type, ElementType::q8_0);
    EXPECT_EQ(spans[1].length % 34, 0u);
    EXPECT_EQ(spans[1].length + spans[2].length, 544000u);
    EXPECT_EQ(spans[3].type, ElementType::f32);
    EXPECT_EQ(spans[3].length, 32u);  // with the padding behind it
    EXPECT_EQ(spans[4].type, ElementType::f16);
    EXPECT_NE(spans[1].place, 0u);
}

TEST(Layout, TakesGgufForBytesWhenItsTableLies) {
    const Bytes good = gguf({{"a", {16}, 0, 0}}, 64);
    ASSERT_FALSE(all_bytes(spans_of(good)));
    const std::uint64_t huge = std::uint64_t{1} << 60;
    const std::vector<std::pair<const char*, Bytes>> files = {
        {"past the end", gguf({{"a", {17}, 0, 0}}, 64)},
        {"offset past the end", gguf({{"a", {1}, 0, 96}}, 64)},
        {"offset not aligned", gguf({{"a", {1}, 0, 4}}, 64)},
        {"offset overflows", gguf({{"a", {16}, 0, ~std::uint64_t{31}}}, 64)},
        {"overlap", gguf({{"a", {16}, 0, 0}, {"b", {1}, 0, 32}}, 64)},
        {"shape overflows", gguf({{"a", {huge, huge}, 0, 0}}, 64)},
        {"bytes overflow", gguf({{"a", {huge / 16}, 28, 0}}, 64)},
        {"row of half a block", gguf({{"a", {16}, 8, 0}}, 64)},
        {"unknown type", gguf({{"a", {16}, 77, 0}}, 64)},
        {"many dimensions", gguf({{"a", {1, 1, 1, 1, 1}, 0, 0}}, 64)},
    };
    for (const auto& [what, file] : files) EXPECT_TRUE(all_bytes(spans_of(file))) << what;
    // The counts of tensors and of values, the length of the first key.
    for (const std::size_t where : {8u, 16u, 24u})
        for (const std::uint64_t value : {std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
            Bytes lying = good;
            store_le(lying.data() + where, value);
            EXPECT_TRUE(all_bytes(spans_of(lying))) << where;
        }
}

TEST(Layout, TakesEveryTruncationAndFlippedBitOfGguf) {
    cut_truncated_and_flipped(gguf({{"a", {32}, 8, 0}, {"b", {4}, 0, 64}}, 80));
}

Bytes npy(const std::string& dictionary, std::size_t data_bytes) {
    Bytes file;
    ByteWriter out(file);
    out.put(as_bytes(std::string("\x93NUMPY\x01\x00", 8)));
    out.put(static_cast<std::uint16_t>(dictionary.size()));
    out.put(as_bytes(dictionary));
    file.resize(file.size() + data_bytes, 1);
    return file;
}

TEST(Layout, CutsAnNpyArrayByItsType) {
    const auto spans = spans_of(
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (5, 200000), }\n", 8000000));
    ASSERT_GT(spans.size(), 2u);
    EXPECT_EQ(spans[0].type, ElementType::bytes);
    EXPECT_EQ(spans[1].type, ElementType::f64);
    EXPECT_EQ(spans[1].offset, spans[0].length);
}

TEST(Layout, TakesNpyForBytesWhenItsHeaderLies) {
    const std::string good = "{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n";
    ASSERT_FALSE(all_bytes(spans_of(npy(good, 12))));
    EXPECT_TRUE(all_bytes(spans_of(npy(good, 13))));
    for (const char* dictionary :
         {"", "{'descr': '<f4'", "{'descr': '<f4', 'shape': (3", "{'descr': '<f4', 'shape': (3 3)",
          "{'descr': '>f4', 'shape': (3,)}", "{'descr': [('a', '<f4')], 'shape': (3,)}",
          "{'descr': '<f4', 'shape': (4294967296, 4294967296, 4294967296)}",
          "{'descr': '<f4', 'shape': (99999999999999999999999,)}", "{'shape': (12,)}"})
        EXPECT_TRUE(all_bytes(spans_of(npy(dictionary, 12)))) << dictionary;
    const Bytes whole = npy(good, 12);
    for (std::size_t length = 0; length < whole.size(); ++length)
        spans_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
}

TEST(Layout, CutsContentWithinItsBounds) {
    Random random(21);
    const Bytes file = noise(random, 12 * limits::MiB);
    const auto spans = spans_of(file);
    for (std::size_t i = 0; i + 1 < spans.size(); ++i) EXPECT_GE(spans[i].length, 65536u);
    const std::size_t mean = file.size() / spans.size();
    EXPECT_GT(mean, 200u * 1024u);
    EXPECT_LT(mean, 340u * 1024u);
}

// The lengths were computed by another program from the description in README.md.
TEST(Layout, CutsTheSamePlacesOnEveryMachine) {
    Random random(22);
    const auto spans = spans_of(noise(random, limits::MiB));
    std::vector<std::uint32_t> lengths;
    for (const Span& span : spans) lengths.push_back(span.length);
    EXPECT_EQ(lengths, (std::vector<std::uint32_t>{145261, 316758, 298869, 287688}));
}

TEST(Layout, FindsItsCutsAgainBehindAnInsert) {
    Random random(23);
    const Bytes before = noise(random, 6 * limits::MiB);
    Bytes after = before;
    after.insert(after.begin() + 1500000, {'i', 'n', 's', 'e', 'r', 't'});
    std::set<Bytes> known;
    const auto piece = [](const Bytes& file, const Span& span) {
        const auto begin = file.begin() + static_cast<std::ptrdiff_t>(span.offset);
        return Bytes(begin, begin + static_cast<std::ptrdiff_t>(span.length));
    };
    for (const Span& span : spans_of(before)) known.insert(piece(before, span));
    std::size_t unknown = 0;
    for (const Span& span : spans_of(after))
        if (!known.contains(piece(after, span))) ++unknown;
    EXPECT_GE(unknown, 1u);
    EXPECT_LE(unknown, 2u);
}

TEST(Layout, CutsNumbersOfAnUnknownFormatInBlocks) {
    Random random(24);
    Bytes file = noise(random, 301);  // a header, so that the values lie at an odd phase
    const Bytes values = weights(random, 3 * kBlock / 4);
    file.insert(file.end(), values.begin(), values.end());
    const auto spans = spans_of(file);
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[1].offset, kBlock);
    EXPECT_EQ(spans[2].length, kBlock + 301);
    EXPECT_TRUE(all_bytes(spans));
}

TEST(Layout, CutsTextByContent) {
    Random random(25);
    std::string text;
    while (text.size() < 2 * limits::MiB) text += std::to_string(random.below(1000000u)) + ",";
    const Bytes file(text.begin(), text.end());
    const auto spans = spans_of(file);
    ASSERT_GT(spans.size(), 1u);
    EXPECT_NE(spans[0].length, kBlock);
}

TEST(Layout, CutsAConstantFileAtTheLargestLength) {
    const auto spans = spans_of(Bytes(3 * limits::MiB, 0));
    ASSERT_EQ(spans.size(), 3u);
    EXPECT_EQ(spans[0].length, limits::kPieceBytesMax);
}

TEST(Layout, HandsOnWhatReadAndVisitAnswer) {
    const ReadAt broken = [](std::uint64_t, ByteSpan) -> Result<std::size_t> {
        return fail(Errc::unavailable, "the disk is gone");
    };
    const auto ignore = [](const Span&) { return Status{}; };
    EXPECT_EQ(cut(100, broken, ignore).error().code, Errc::unavailable);

    const Bytes file(100, 'x');
    const auto full = [](const Span&) -> Status { return fail(Errc::exhausted, "disk full"); };
    EXPECT_EQ(cut(100, reader_of(file), full).error().code, Errc::exhausted);
    EXPECT_EQ(cut(101, reader_of(file), ignore).error().code, Errc::conflict);
}

TEST(Layout, HasNothingToCutInAnEmptyFile) { EXPECT_TRUE(spans_of({}).empty()); }

}  // namespace
}  // namespace tributary::codec
