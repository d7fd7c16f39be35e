// TFLite models: FlatBuffers as the library of the format builds them, from back to front.
#include <flatbuffers/flatbuffer_builder.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/codec/cuts.h"

namespace tributary::codec {
namespace {

using flatbuffers::FlatBufferBuilder;
using Table = flatbuffers::Offset<void>;

constexpr std::size_t kTensorBytes = 8192;
constexpr std::uint8_t kFloat32 = 0, kFloat16 = 1, kInt8 = 9;

// The place of a field among those that a table says.
constexpr flatbuffers::voffset_t slot(unsigned number) {
    return static_cast<flatbuffers::voffset_t>(4 + 2 * number);
}

struct Weight {
    std::string name;
    std::uint8_t type = kFloat32;
    std::size_t bytes = kTensorBytes;
    std::vector<std::int32_t> shape = {};
    std::int32_t quantized_dimension = -1;  // no quantization
    std::uint32_t buffer = 0;               // of which one; 0: its own
};

struct Form {
    std::string description = "converted";
    const char* identifier = "TFL3";
    std::uint32_t wrong_buffer = 0;  // named by a tensor more
    std::uint64_t outside = 0;       // where data lie behind the FlatBuffer; 0: in it
    std::size_t bytes = 0;           // the file is made as long, if it is shorter
    std::size_t subgraphs = 1;       // which are one table
};

Table buffer(FlatBufferBuilder& to, const Weight& weight, std::uint64_t outside) {
    if (outside != 0) {
        const auto begin = to.StartTable();
        to.AddElement<std::uint64_t>(slot(1), outside, 0);
        to.AddElement<std::uint64_t>(slot(2), weight.bytes, 0);
        return to.EndTable(begin);
    }
    to.ForceVectorAlignment(weight.bytes, 1, 16);
    const auto data = to.CreateVector(Bytes(weight.bytes, 1));
    const auto begin = to.StartTable();
    to.AddOffset(slot(0), data);
    return to.EndTable(begin);
}

Table tensor(FlatBufferBuilder& to, const Weight& weight, std::uint32_t buffer) {
    const auto shape = to.CreateVector(weight.shape);
    const auto name = to.CreateString(weight.name);
    Table quantization;
    if (weight.quantized_dimension >= 0) {
        const auto begin = to.StartTable();
        to.AddElement<std::int32_t>(slot(6), weight.quantized_dimension, 0);
        quantization = to.EndTable(begin);
    }
    const auto begin = to.StartTable();
    to.AddOffset(slot(0), shape);
    to.AddElement<std::uint8_t>(slot(1), weight.type, 0);
    to.AddElement<std::uint32_t>(slot(2), buffer, 0);
    to.AddOffset(slot(3), name);
    if (!quantization.IsNull()) to.AddOffset(slot(4), quantization);
    return to.EndTable(begin);
}

Bytes model(const std::vector<Weight>& weights, const Form& form = {}) {
    FlatBufferBuilder to;
    std::vector<Table> buffers = {to.EndTable(to.StartTable())};
    std::vector<Table> tensors;
    for (const Weight& weight : weights) {
        if (weight.buffer == 0) buffers.push_back(buffer(to, weight, form.outside));
        const auto own = static_cast<std::uint32_t>(buffers.size() - 1);
        tensors.push_back(tensor(to, weight, weight.buffer == 0 ? own : weight.buffer));
    }
    if (form.wrong_buffer != 0) tensors.push_back(tensor(to, {"x"}, form.wrong_buffer));
    const auto all_tensors = to.CreateVector(tensors);
    auto begin = to.StartTable();
    to.AddOffset(slot(0), all_tensors);
    const std::vector<Table> subgraphs(form.subgraphs, to.EndTable(begin));
    const auto all_subgraphs = to.CreateVector(subgraphs);
    const auto all_buffers = to.CreateVector(buffers);
    const auto description = to.CreateString(form.description);
    begin = to.StartTable();
    to.AddElement<std::uint32_t>(slot(0), 3, 0);
    to.AddOffset(slot(2), all_subgraphs);
    to.AddOffset(slot(3), description);
    to.AddOffset(slot(4), all_buffers);
    to.Finish(flatbuffers::Offset<flatbuffers::Table>(to.EndTable(begin)), form.identifier);
    Bytes made(to.GetBufferPointer(), to.GetBufferPointer() + to.GetSize());
    made.resize(std::max(made.size(), form.bytes), 1);
    return made;
}

// Those of the tensors' pieces, in the order of the file.
std::vector<Span> tensors_in(const Bytes& file) {
    std::vector<Span> found = spans_of(file);
    std::erase_if(found, [](const Span& span) { return span.type == ElementType::bytes; });
    return found;
}

TEST(TfliteLayout, CutsBuffersByTheTypesOfTheirTensors) {
    const auto spans = tensors_in(
        model({{"w", kFloat32}, {"h", kFloat16}, {"small", kFloat32, 400}, {"q", kInt8}}));
    ASSERT_EQ(spans.size(), 3u);
    // The first that was built lies last.
    EXPECT_EQ(spans[0].type, ElementType::i8);
    EXPECT_EQ(spans[1].type, ElementType::f16);
    EXPECT_EQ(spans[2].type, ElementType::f32);
    for (const Span& span : spans) {
        EXPECT_EQ(span.offset % 16, 0u);
        EXPECT_EQ(span.length, kTensorBytes);
        EXPECT_NE(span.place, 0u);
    }
}

TEST(TfliteLayout, TellsRowsWhereTheScalesAreThoseOfTheFirstDimension) {
    const auto rows = [](const std::vector<std::int32_t>& shape, std::int32_t dimension) {
        return tensors_in(model({{"q", kInt8, kTensorBytes, shape, dimension}}))[0].rows;
    };
    EXPECT_EQ(rows({64, 128}, 0), (Rows{128, 0}));
    EXPECT_EQ(rows({64, 8, 16}, -1), (Rows{128, 0}));
    EXPECT_EQ(rows({1, 8, 8, 128}, 3), Rows{});
    EXPECT_EQ(rows({63, 128}, 0), Rows{});
    EXPECT_EQ(rows({}, -1), (Rows{kTensorBytes, 0}));
}

TEST(TfliteLayout, FindsTensorsWhereverTheyMoved) {
    const std::vector<Weight> weights = {{"w"}, {"v"}};
    const auto before = tensors_in(model(weights));
    const auto after = tensors_in(model(weights, {.description = std::string(100, 'd')}));
    ASSERT_EQ(before.size(), 2u);
    ASSERT_EQ(after.size(), 2u);
    for (std::size_t i = 0; i < 2; ++i) {
        EXPECT_EQ(before[i].place, after[i].place);
        EXPECT_NE(before[i].offset, after[i].offset);
    }
    EXPECT_NE(before[0].place, before[1].place);
}

TEST(TfliteLayout, CutsABufferOfSeveralTensorsOnce) {
    const auto spans = tensors_in(model({{"w"}, {.name = "also w", .type = kInt8, .buffer = 1}}));
    ASSERT_EQ(spans.size(), 1u);
    EXPECT_EQ(spans[0].type, ElementType::f32);
}

TEST(TfliteLayout, FindsDataBehindTheFlatBuffer) {
    const auto spans = tensors_in(model({{"w"}}, {.outside = 4096, .bytes = 4096 + kTensorBytes}));
    ASSERT_EQ(spans.size(), 1u);
    EXPECT_EQ(spans[0].offset, 4096u);
    EXPECT_EQ(spans[0].length, kTensorBytes);
}

TEST(TfliteLayout, TakesOtherFilesForBytes) {
    ASSERT_FALSE(all_bytes(spans_of(model({{"w"}}))));
    const std::vector<std::pair<const char*, Bytes>> files = {
        {"another identifier", model({{"w"}}, {.identifier = "TFL2"})},
        {"a name without end", model({{std::string(5000, 'n')}, {"w"}})},
        {"a buffer that is not there", model({{"w"}}, {.wrong_buffer = 2})},
        {"data behind its end", model({{"w"}}, {.outside = 4097, .bytes = 4096 + kTensorBytes})},
        {"two buffers in one place",
         model({{"w"}, {"v"}}, {.outside = 4096, .bytes = 4096 + kTensorBytes})},
        {"a small tensor", model({{"w", kFloat32, 4095}})},
        {"tensors that are little of it", model({{"w"}}, {.bytes = 3 * kTensorBytes})},
    };
    for (const auto& [what, file] : files) EXPECT_TRUE(tensors_in(file).empty()) << what;
}

// Else a small file whose tables are named again and again would take minutes.
TEST(TfliteLayout, LooksAtNoMoreTensorsThanAFileMayHave) {
    EXPECT_FALSE(tensors_in(model({{"w", kFloat32, 1 << 20}}, {.subgraphs = 60'000})).empty());
    EXPECT_TRUE(tensors_in(model({{"w", kFloat32, 1 << 20}}, {.subgraphs = 66'000})).empty());
    const std::vector<Weight> two = {{"w", kFloat32, 1 << 20}, {.name = "v", .buffer = 1}};
    EXPECT_FALSE(tensors_in(model(two, {.subgraphs = 30'000})).empty());
    EXPECT_TRUE(tensors_in(model(two, {.subgraphs = 40'000})).empty());
}

TEST(TfliteLayout, TakesEveryTruncationAndFlippedBit) {
    cut_truncated_and_flipped(model({{"w", kFloat32, 4096, {32, 32}, 0}}), 7);
}

}  // namespace
}  // namespace tributary::codec
