#include "common/codec/onnx.h"

#include <algorithm>
#include <array>

#include "common/codec/header_bytes.h"

namespace tributary::codec {
namespace {

// Of a protobuf field: what its tag says, and where the value of a long one lies.
enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };
struct Field {
    std::uint64_t number = 0;
    Wire wire{};
    std::uint64_t value = 0;  // of a varint; of bytes: how many

    bool is(std::uint64_t n, Wire w) const { return number == n && wire == w; }
};

constexpr std::uint64_t kIrVersion = 1;  // of a model; all writers begin with it
constexpr std::uint64_t kGraph = 7;
constexpr std::uint64_t kModelFieldMax = 32;
constexpr std::uint64_t kInitializer = 5;  // of a graph
constexpr std::uint64_t kDimensions = 1;   // of a tensor
constexpr std::uint64_t kDataType = 2;
constexpr std::uint64_t kFloatData = 4;
constexpr std::uint64_t kName = 8;
constexpr std::uint64_t kRawData = 9;

// By TensorProto.DataType. Floats of eight bits are bytes with an order, numbers of four are packed
// in pairs. Texts and complex numbers are bytes.
ElementType type_of(std::uint64_t number) {
    using enum ElementType;
    constexpr std::array<ElementType, 23> kTypes = {
        bytes, f32, u8,    i8,    i16,  i16, i32, i64, bytes, boolean, f16, f64,
        i32,   i64, bytes, bytes, bf16, u8,  u8,  u8,  u8,    u8,      u8};
    return number < kTypes.size() ? kTypes[static_cast<std::size_t>(number)] : bytes;
}

class Parser {
public:
    Parser(HeaderBytes& in, std::uint64_t file_bytes) : in_(in), file_bytes_(file_bytes) {}

    bool parse() {
        bool first = true;
        bool graph_seen = false;
        while (!in_.at_end()) {
            Field field;
            if (!take(field, file_bytes_) || field.number > kModelFieldMax) return false;
            if (first && !field.is(kIrVersion, Wire::varint)) return false;
            first = false;
            if (field.is(kGraph, Wire::bytes)) {
                graph_seen = true;
                if (!graph(in_.position() + field.value)) return false;
            } else if (field.wire == Wire::bytes) {
                in_.skip(field.value);
            }
        }
        return graph_seen && !in_.ran_out() && sort_tensors(tensors_);
    }
    std::vector<Tensor> take() { return std::move(tensors_); }

private:
    // Up to the value of bytes, past all others. False when it does not end before `end`.
    bool take(Field& field, std::uint64_t end) {
        std::uint64_t tag = 0;
        if (!varint(tag)) return false;
        field = {tag >> 3, static_cast<Wire>(tag & 7)};
        switch (field.wire) {
            case Wire::varint:
                if (!varint(field.value)) return false;
                break;
            case Wire::fixed64: in_.skip(8); break;
            case Wire::fixed32: in_.skip(4); break;
            case Wire::bytes:
                if (!varint(field.value)) return false;
                break;
            default: return false;
        }
        if (field.number == 0 || in_.ran_out() || in_.position() > end) return false;
        return field.wire != Wire::bytes || field.value <= end - in_.position();
    }
    bool varint(std::uint64_t& value) {
        value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            const std::uint8_t byte = in_.take();
            value |= std::uint64_t{byte & 127u} << shift;
            if (byte < 128) return !in_.ran_out();
        }
        return false;
    }

    bool graph(std::uint64_t end) {
        while (in_.position() < end) {
            Field field;
            if (!take(field, end)) return false;
            if (field.is(kInitializer, Wire::bytes)) {
                if (!tensor(in_.position() + field.value)) return false;
            } else if (field.wire == Wire::bytes) {
                in_.skip(field.value);
            }
        }
        return true;
    }

    bool tensor(std::uint64_t end) {
        Tensor found{.name = kNoName};
        std::uint64_t data_type = 0;
        bool floats = false;
        std::size_t dimensions = 0;
        std::uint64_t first = 0;
        const auto dimension = [&](std::uint64_t size) {
            if (dimensions++ == 0) first = size;
        };
        while (in_.position() < end) {
            Field field;
            if (!take(field, end)) return false;
            if (field.is(kDimensions, Wire::varint)) dimension(field.value);
            if (field.is(kDataType, Wire::varint)) data_type = field.value;
            if (field.wire != Wire::bytes) continue;
            if (field.number == kDimensions) {
                const std::uint64_t packed_end = in_.position() + field.value;
                while (in_.position() < packed_end) {
                    std::uint64_t size = 0;
                    if (!varint(size)) return false;
                    dimension(size);
                }
                if (in_.position() > packed_end) return false;
                continue;
            }
            if (field.number == kName) {
                for (; field.value != 0; --field.value)
                    found.name = name_with(found.name, in_.take());
                continue;
            }
            if (field.number == kRawData || field.number == kFloatData) {
                found.offset = in_.position();
                found.bytes = field.value;
                floats = field.number == kFloatData;
            }
            in_.skip(field.value);
        }
        if (found.bytes < kTensorBytesMin) return true;
        if (tensors_.size() == kTensorsMax) return false;
        found.type = floats ? ElementType::f32 : type_of(data_type);
        found.row = row_of(found.bytes / element_bytes(found.type), dimensions, first);
        tensors_.push_back(found);
        return true;
    }

    HeaderBytes& in_;
    std::uint64_t file_bytes_;
    std::vector<Tensor> tensors_;
};

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_onnx(std::uint64_t file_bytes, const ReadAt& read) {
    HeaderBytes in(read, 0, file_bytes);
    Parser parser(in, file_bytes);
    const bool parsed = parser.parse();
    TRIBUTARY_TRY(in.status());
    if (!parsed) return std::nullopt;
    std::vector<Tensor> tensors = parser.take();
    if (!are_most_of(tensors, file_bytes)) return std::nullopt;
    return tensors;
}

}  // namespace tributary::codec
