// Files whose tensors lie between bytes of the container's own: torch.save's archives and ONNX.
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/codec/layout.h"
#include "tests/unit/codec/cuts.h"
#include "tests/unit/codec/samples.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kTensorBytes = 8192;

void append(Bytes& to, std::string_view text) { to.insert(to.end(), text.begin(), text.end()); }

// ---- torch ----

struct Entry {
    std::string name;
    Bytes data;
};

struct ZipForm {
    bool wide = false;  // ZIP64 throughout
    std::uint16_t method = 0;
    std::uint16_t flags = 0;
    std::string comment = {};
    std::size_t extra = 3;   // bytes of it before each entry's own
    bool backwards = false;  // the directory's rows
};

void put_fields_of(ByteWriter& out, const Entry& entry, std::size_t header, const ZipForm& form,
                   bool directory) {
    out.put(std::uint32_t{directory ? 0x02014b50u : 0x04034b50u});
    if (directory) out.put(std::uint16_t{0});
    out.put(std::uint16_t{0});
    out.put(form.flags);
    out.put(form.method);
    out.put(std::uint64_t{0});  // time, checksum
    const auto bytes = static_cast<std::uint32_t>(entry.data.size());
    out.put(form.wide && directory ? UINT32_MAX : bytes);
    out.put(form.wide && directory ? UINT32_MAX : bytes);
    out.put(static_cast<std::uint16_t>(entry.name.size()));
    if (!directory) {
        out.put(static_cast<std::uint16_t>(form.extra));
        out.put(as_bytes(entry.name));
        out.put(Bytes(form.extra, 'Z'));
        return;
    }
    out.put(std::uint16_t{form.wide ? std::uint16_t{28} : std::uint16_t{0}});
    out.put(std::uint16_t{0});
    out.put(std::uint64_t{0});  // disk, attributes
    out.put(form.wide ? UINT32_MAX : static_cast<std::uint32_t>(header));
    out.put(as_bytes(entry.name));
    if (!form.wide) return;
    out.put(std::uint16_t{1});
    out.put(std::uint16_t{24});
    out.put(std::uint64_t{entry.data.size()});
    out.put(std::uint64_t{entry.data.size()});
    out.put(std::uint64_t{header});
}

Bytes zip(const std::vector<Entry>& entries, const ZipForm& form = {}) {
    Bytes file;
    ByteWriter out(file);
    std::vector<std::size_t> headers;
    for (const Entry& entry : entries) {
        headers.push_back(file.size());
        put_fields_of(out, entry, 0, form, false);
        out.put(entry.data);
    }
    const std::size_t directory = file.size();
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const std::size_t row = form.backwards ? entries.size() - 1 - i : i;
        put_fields_of(out, entries[row], headers[row], form, true);
    }
    const std::size_t end = file.size();
    if (form.wide) {
        out.put(std::uint32_t{0x06064b50});
        out.put(std::uint64_t{44});
        out.put(std::uint32_t{0});
        out.put(std::uint64_t{0});
        out.put(std::uint64_t{entries.size()});
        out.put(std::uint64_t{entries.size()});
        out.put(std::uint64_t{end - directory});
        out.put(std::uint64_t{directory});
        out.put(std::uint32_t{0x07064b50});
        out.put(std::uint32_t{0});
        out.put(std::uint64_t{end});
        out.put(std::uint32_t{1});
    }
    out.put(std::uint32_t{0x06054b50});
    out.put(std::uint32_t{0});
    const auto count = static_cast<std::uint16_t>(entries.size());
    out.put(form.wide ? std::uint16_t{UINT16_MAX} : count);
    out.put(form.wide ? std::uint16_t{UINT16_MAX} : count);
    out.put(form.wide ? UINT32_MAX : static_cast<std::uint32_t>(end - directory));
    out.put(form.wide ? UINT32_MAX : static_cast<std::uint32_t>(directory));
    out.put(static_cast<std::uint16_t>(form.comment.size()));
    out.put(as_bytes(form.comment));
    return file;
}

void put_text(Bytes& to, std::string_view text) {
    append(to, "X");
    ByteWriter(to).put(static_cast<std::uint32_t>(text.size()));
    append(to, text);
}

// As torch.save writes it: a type is spelled where it is first met, then called up.
Bytes pickle_of_types() {
    Bytes pickle;
    append(pickle, std::string_view("\x80\x02}q\x00(", 6));
    put_text(pickle, "a.weight");
    append(pickle, "ctorch._utils\n_rebuild_tensor_v2\nq\x02((");
    put_text(pickle, "storage");
    append(pickle,
           "q\x03"
           "ctorch\nBFloat16Storage\nq\x04");
    put_text(pickle, "0");
    append(pickle, "q\x05");
    put_text(pickle, "cpu");
    append(pickle, "M\x00\x10tQ");
    append(pickle, std::string_view("K\x00", 2));
    append(pickle,
           "(h\x03"
           "ctorch\nFloatStorage\nr");
    append(pickle, std::string_view("\x00\x01\x00\x00", 4));
    put_text(pickle, "1");
    append(pickle, "tQ(h\x03h\x04");
    put_text(pickle, "12");
    append(pickle, "tQ(h\x03j");
    append(pickle, std::string_view("\x00\x01\x00\x00", 4));
    put_text(pickle, "7");
    append(pickle, "tQG12345678.");
    return pickle;
}

std::vector<Entry> entries(const std::string& archive, const Bytes& pickle,
                           const std::vector<std::string>& storages) {
    std::vector<Entry> made = {{archive + "/data.pkl", pickle}};
    for (const std::string& number : storages)
        made.push_back({archive + "/data/" + number, Bytes(kTensorBytes, 1)});
    made.push_back({archive + "/version", Bytes{'3', '\n'}});
    return made;
}

// Of the spans that are tensors, in order.
std::vector<ElementType> types_in(const std::vector<Span>& spans) {
    std::vector<ElementType> types;
    for (const Span& span : spans)
        if (span.length == kTensorBytes) types.push_back(span.type);
    return types;
}

const std::vector<ElementType> kAsNamed = {ElementType::bf16, ElementType::f32, ElementType::bf16,
                                           ElementType::f32};

TEST(TorchLayout, CutsStoragesByTheTypesThatThePickleNames) {
    const auto named = entries("net", pickle_of_types(), {"0", "1", "12", "7"});
    for (const bool wide : {false, true}) {
        const auto spans = spans_of(zip(named, {.wide = wide}));
        EXPECT_EQ(types_in(spans), kAsNamed) << wide;
        ASSERT_EQ(spans.size(), 9u) << wide;
        EXPECT_EQ(spans[0].place, 0u);
        for (std::size_t i = 1; i < spans.size(); ++i) EXPECT_NE(spans[i].place, 0u) << i;
    }
}

TEST(TorchLayout, ReadsThePicklesOfProtocolFour) {
    Bytes pickle;
    append(pickle, std::string_view("\x80\x04\x95\0\0\0\0\0\0\0\0", 11));
    append(pickle, "\x8c\x07storage\x94\x8c\x05torch\x94\x8c\x0bHalfStorage\x94\x93\x94");
    append(pickle,
           "\x8c\x01"
           "0\x94h\x03\x8c\x01"
           "1\x94.");  // the global is memo 3
    EXPECT_EQ(types_in(spans_of(zip(entries("net", pickle, {"0", "1"})))),
              (std::vector<ElementType>{ElementType::f16, ElementType::f16}));
}

TEST(TorchLayout, FindsTensorsAndWhatLiesBetweenWhereverTheyMoved) {
    const auto before = spans_of(zip(entries("step-900", pickle_of_types(), {"0", "1"})));
    Bytes grown = pickle_of_types();
    grown.insert(grown.end() - 1, 100, 'N');
    const auto after = spans_of(zip(entries("step-1000", grown, {"0", "1"})));
    ASSERT_EQ(before.size(), after.size());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].place, after[i].place);
    EXPECT_NE(before[1].offset, after[1].offset);
}

// A dictionary of tensors, numbered in its order.
Bytes keyed_archive(const std::vector<std::string>& keys) {
    Bytes pickle;
    append(pickle, std::string_view("\x80\x02}q\x00(", 6));
    std::vector<std::string> numbers;
    for (const std::string& key : keys) {
        const bool first = numbers.empty();
        if (!key.empty()) put_text(pickle, key);
        append(pickle, first ? "ctorch._utils\n_rebuild_tensor_v2\nq\x01((" : "h\x01((");
        if (first) put_text(pickle, "storage");
        append(pickle, first ? "q\x02"
                               "ctorch\nFloatStorage\nq\x03"
                             : "h\x02h\x03");
        numbers.push_back(std::to_string(numbers.size()));
        put_text(pickle, numbers.back());
        if (first) put_text(pickle, "cpu");
        append(pickle, first ? "q\x04tQ" : "h\x04tQ");
    }
    append(pickle, ".");
    return zip(entries("net", pickle, numbers));
}

std::vector<std::uint64_t> places_in(const Bytes& file) {
    std::vector<std::uint64_t> places;
    for (const Span& span : spans_of(file))
        if (span.length == kTensorBytes) places.push_back(span.place);
    return places;
}

TEST(TorchLayout, KnowsATensorByItsKeyWhateverItsNumber) {
    const std::string long_name(40, 'n');  // that others begin with
    // No key: one that was spelled before, as those of an optimiser's state are.
    const auto before =
        places_in(keyed_archive({"b", long_name + "1", long_name + "2", "exp_avg", ""}));
    const auto after =
        places_in(keyed_archive({"a", "b", long_name + "1", long_name + "2", "exp_avg", ""}));
    ASSERT_EQ(before.size(), 5u);
    ASSERT_EQ(after.size(), 6u);
    EXPECT_EQ(before, std::vector(after.begin() + 1, after.end()));
    EXPECT_EQ(std::set(after.begin(), after.end()).size(), after.size());
}

TEST(TorchLayout, ReadsHeadersInTheFilesOrderWhateverTheDirectorys) {
    std::vector<std::string> numbers;
    for (int i = 0; i < 40; ++i) numbers.push_back(std::to_string(i));
    const Bytes file = zip(entries("net", {}, numbers), {.backwards = true});
    std::uint64_t header = 0;
    std::size_t back = 0;
    const ReadAt whole = reader_of(file);
    const ReadAt read = [&](std::uint64_t offset, ByteSpan out) {
        if (out.size() == 30) back += offset < std::exchange(header, offset) ? 1U : 0U;
        return whole(offset, out);
    };
    ASSERT_TRUE(cut(file.size(), read, [](const Span&) { return Status{}; }));
    EXPECT_LE(back, 1u);  // behind the pickle's, which is looked at first
    EXPECT_NE(header, 0u);
}

TEST(TorchLayout, LeavesTypesOpenThatThePickleDoesNotSay) {
    for (const char* pickle : {"", "\x80", "X\xff\xff\xff\xff", "cno line ends", "."}) {
        const Bytes bytes(pickle, pickle + std::string_view(pickle).size());
        const auto spans = spans_of(zip(entries("net", bytes, {"0", "1"})));
        EXPECT_EQ(types_in(spans), std::vector<ElementType>(2, ElementType::bytes));
        EXPECT_FALSE(all_bytes(spans));  // they still have names
    }
}

TEST(TorchLayout, LeavesSmallStoragesWithWhatLiesAroundThem) {
    auto made = entries("net", pickle_of_types(), {"0", "1"});
    made[1].data.resize(4095);
    EXPECT_EQ(types_in(spans_of(zip(made))), std::vector<ElementType>{ElementType::f32});
    made[2].data.resize(4095);  // now they are all there is
    EXPECT_TRUE(all_bytes(spans_of(zip(made))));
}

TEST(TorchLayout, TakesOtherArchivesForBytes) {
    const auto good = entries("net", pickle_of_types(), {"0", "1"});
    ASSERT_FALSE(all_bytes(spans_of(zip(good))));
    const auto is_bytes = [](const Bytes& file) { return all_bytes(spans_of(file)); };
    EXPECT_TRUE(is_bytes(zip(good, {.method = 8}))) << "compressed";
    EXPECT_TRUE(is_bytes(zip(good, {.flags = 1}))) << "encrypted";
    EXPECT_TRUE(is_bytes(zip(good, {.comment = "a"}))) << "a comment at the end";
    auto other = good;
    other[0].name = "net/other.pkl";
    EXPECT_TRUE(is_bytes(zip(other))) << "no pickle";
    EXPECT_TRUE(is_bytes(zip(entries("net", pickle_of_types(), {"x", "y"})))) << "no numbers";
    EXPECT_TRUE(is_bytes(zip(entries("net", pickle_of_types(), {"99999", "70000"}))))
        << "past any number";
}

TEST(TorchLayout, TakesAnArchiveForBytesWhenItsDirectoryLies) {
    const auto made = entries("net", pickle_of_types(), {"0", "1"});
    const Bytes narrow = zip(made);
    const Bytes wide = zip(made, {.wide = true});
    const std::size_t end = narrow.size() - 22;
    const std::size_t row = end - (46 + 11) - (46 + 10);  // of the second storage
    const std::size_t wide_end = wide.size() - 22;
    const std::size_t end64 = wide_end - 20 - 56;
    const std::size_t wide_row = end64 - (46 + 11 + 28) - (46 + 10 + 28);
    struct Lie {
        const char* what;
        const Bytes& file;
        std::size_t at;
    };
    const std::vector<Lie> lies = {
        {"mark of the end", narrow, end},
        {"entries", narrow, end + 8},
        {"the directory's bytes", narrow, end + 12},
        {"its begin", narrow, end + 16},
        {"mark of a row", narrow, row},
        {"an entry's bytes", narrow, row + 24},
        {"its header", narrow, row + 42},
        {"where ZIP64's end is", wide, wide_end - 12},
        {"the same, above 32 bits", wide, wide_end - 8},
        {"mark of ZIP64's end", wide, end64},
        {"ZIP64's entries", wide, end64 + 36},
        {"ZIP64's directory's bytes", wide, end64 + 40},
        {"its begin in ZIP64", wide, end64 + 48},
        {"length of ZIP64's field", wide, wide_row + 46 + 10},
        {"an entry's bytes in ZIP64", wide, wide_row + 46 + 10 + 4},
        {"its header in ZIP64", wide, wide_row + 46 + 10 + 4 + 16},
    };
    for (const auto& [what, file, at] : lies) {
        Bytes lying = file;
        store_le(lying.data() + at, UINT32_MAX - 1);
        ASSERT_FALSE(all_bytes(spans_of(file)));
        EXPECT_TRUE(all_bytes(spans_of(lying))) << what;
    }
}

TEST(TorchLayout, TakesEveryTruncationAndFlippedBit) {
    cut_truncated_and_flipped(zip(entries("n", pickle_of_types(), {"0"})), 7);
    cut_truncated_and_flipped(zip(entries("n", pickle_of_types(), {"0"}), {.wide = true}), 7);
}

// ---- ONNX ----

void put_varint(Bytes& to, std::uint64_t value) {
    for (; value >= 128; value >>= 7) to.push_back(static_cast<std::uint8_t>(value | 128));
    to.push_back(static_cast<std::uint8_t>(value));
}
Bytes field(unsigned number, const Bytes& value) {
    Bytes made;
    put_varint(made, number << 3 | 2u);
    put_varint(made, value.size());
    made.insert(made.end(), value.begin(), value.end());
    return made;
}
Bytes field(unsigned number, std::uint64_t value) {
    Bytes made;
    put_varint(made, number << 3);
    put_varint(made, value);
    return made;
}
Bytes operator+(Bytes a, const Bytes& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}
Bytes text(std::string_view of) { return Bytes(of.begin(), of.end()); }

Bytes initializer(const std::string& name, std::uint64_t type, std::size_t bytes,
                  unsigned data_field = 9) {
    return field(5, field(1, std::uint64_t{bytes}) + field(2, type) + field(8, text(name)) +
                        field(data_field, Bytes(bytes, 1)));
}
Bytes model(const Bytes& graph, const Bytes& behind = field(8, field(2, std::uint64_t{17}))) {
    return field(1, std::uint64_t{8}) + field(2, text("writer")) + field(7, graph) + behind;
}
Bytes node(const std::string& name) { return field(1, field(3, text(name))); }

TEST(OnnxLayout, CutsInitializersByTheirTypes) {
    const auto spans =
        spans_of(model(node("conv") + initializer("w", 1, kTensorBytes) + initializer("b", 1, 100) +
                       initializer("h", 10, kTensorBytes) + initializer("q", 3, kTensorBytes) +
                       initializer("f", 1, kTensorBytes, 4) + initializer("s", 8, kTensorBytes)));
    EXPECT_EQ(types_in(spans),
              (std::vector<ElementType>{ElementType::f32, ElementType::f16, ElementType::i8,
                                        ElementType::f32, ElementType::bytes}));
    ASSERT_EQ(spans.size(), 11u);
    EXPECT_GT(spans[2].length, 100u);
    EXPECT_EQ(spans[2].type, ElementType::bytes);
}

TEST(OnnxLayout, TellsTheRowsOfTensors) {
    const auto matrix = [](const Bytes& dimensions) {
        return spans_of(model(field(
            5, dimensions + field(2, std::uint64_t{3}) + field(9, Bytes(kTensorBytes, 1)))))[1]
            .rows;
    };
    const Bytes apart = field(1, std::uint64_t{64}) + field(1, std::uint64_t{128});
    EXPECT_EQ(matrix(apart), (Rows{128, 0}));
    EXPECT_EQ(matrix(field(1, Bytes{64, 0x80, 1})), (Rows{128, 0}));
    EXPECT_EQ(matrix(field(1, kTensorBytes)), (Rows{kTensorBytes, 0}));
    EXPECT_EQ(matrix({}), (Rows{kTensorBytes, 0}));
    EXPECT_EQ(matrix(field(1, std::uint64_t{63}) + field(1, std::uint64_t{128})), Rows{});
    EXPECT_EQ(matrix(field(1, std::uint64_t{0}) + field(1, std::uint64_t{128})), Rows{});
}

TEST(OnnxLayout, FindsTensorsWhereverTheyMoved) {
    const Bytes weights = initializer("w", 1, kTensorBytes) + initializer("v", 1, kTensorBytes);
    const auto before = spans_of(model(node("conv") + weights));
    const auto after = spans_of(model(node("convolution") + weights));
    ASSERT_EQ(before.size(), 5u);
    ASSERT_EQ(after.size(), before.size());
    for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(before[i].place, after[i].place);
    EXPECT_EQ(before[1].offset + 7, after[1].offset);
}

TEST(OnnxLayout, TakesOtherMessagesForBytes) {
    const Bytes weights = initializer("w", 1, kTensorBytes);
    const Bytes good = model(weights);
    ASSERT_FALSE(all_bytes(spans_of(good)));
    const std::vector<std::pair<const char*, Bytes>> files = {
        {"no version first", field(2, text("writer")) + field(7, weights)},
        {"no graph", field(1, std::uint64_t{8}) + field(2, weights)},
        {"a field of no model", model(weights, field(100, std::uint64_t{1}))},
        {"bytes behind it", good + Bytes{0}},
        {"a group", model(weights, Bytes{0x4b})},
        {"a length past the end", model(weights, Bytes{0x42, 0xff, 0x7f})},
        {"an initializer past its graph", model(field(5, weights + Bytes{0x4a, 0x05}))},
        {"raw data past its tensor",
         model(field(5, field(2, std::uint64_t{1}) + Bytes{0x4a, 0x80, 0x40}) +
               Bytes(kTensorBytes, 1))},
        {"a length of 70 bits", model(weights, Bytes{0x42} + Bytes(10, 0xff))},
        {"a small tensor", model(initializer("w", 1, 4095))},
        {"tensors that are little of it", model(weights + field(10, Bytes(2 * kTensorBytes, 'd')))},
    };
    for (const auto& [what, file] : files) EXPECT_TRUE(all_bytes(spans_of(file))) << what;
}

TEST(OnnxLayout, TakesEveryTruncationAndFlippedBit) {
    cut_truncated_and_flipped(model(node("conv") + initializer("w", 1, kTensorBytes)), 7);
}

// ---- both ----

TEST(ContainerLayout, HandsOnThatAFileCannotBeRead) {
    const Bytes torch = zip(entries("net", pickle_of_types(), {"0", "1"}));
    const Bytes onnx = model(initializer("w", 1, kTensorBytes));
    const auto ignore = [](const Span&) { return Status{}; };
    for (const Bytes* file : {&torch, &onnx}) {
        // Every read but the first `good` ones fails.
        for (int good = 0; good < 12; ++good) {
            int reads = 0;
            const ReadAt whole = reader_of(*file);
            const ReadAt read = [&](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
                if (reads++ >= good) return fail(Errc::unavailable, "the disk is gone");
                return whole(offset, out);
            };
            const Status status = cut(file->size(), read, ignore);
            EXPECT_EQ(status.has_value(), reads <= good) << good;
            if (!status) {
                EXPECT_EQ(status.error().code, Errc::unavailable);
            }
        }
    }
}

}  // namespace
}  // namespace tributary::codec
