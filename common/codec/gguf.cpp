#include "common/codec/gguf.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/codec/header_bytes.h"

namespace tributary::codec {
namespace {

constexpr std::uint32_t kMagic = 0x46554747;  // "GGUF"
constexpr std::uint32_t kDimensionsMax = 4;
constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 56;  // keeps products in 64 bits
constexpr std::uint32_t kAlignmentMin = 8;
constexpr std::uint32_t kAlignmentMax = 65536;
constexpr std::string_view kAlignmentKey = "general.alignment";

enum class ValueType : std::uint32_t { u32 = 4, text = 8, array = 9 };

// 0: not a number.
std::uint64_t value_bytes(std::uint32_t type) {
    constexpr std::array<std::uint8_t, 13> kBytes = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
    return type < kBytes.size() ? kBytes[type] : 0;
}

// `elements` of a row's neighbours make a block of `bytes`. What we have no type for is bytes.
struct TensorType {
    std::uint32_t number;
    std::uint32_t elements;
    std::uint32_t bytes;
    ElementType type;
};
constexpr std::array<TensorType, 31> kTypes = {{
    {0, 1, 4, ElementType::f32},       {1, 1, 2, ElementType::f16},
    {2, 32, 18, ElementType::q4_0},    {3, 32, 20, ElementType::q4_1},
    {6, 32, 22, ElementType::q5_0},    {7, 32, 24, ElementType::q5_1},
    {8, 32, 34, ElementType::q8_0},    {9, 32, 36, ElementType::q8_1},
    {10, 256, 84, ElementType::q2_k},  {11, 256, 110, ElementType::q3_k},
    {12, 256, 144, ElementType::q4_k}, {13, 256, 176, ElementType::q5_k},
    {14, 256, 210, ElementType::q6_k}, {15, 256, 292, ElementType::q8_k},
    {16, 256, 66, ElementType::bytes}, {17, 256, 74, ElementType::bytes},
    {18, 256, 98, ElementType::bytes}, {19, 256, 50, ElementType::bytes},
    {20, 32, 18, ElementType::q4_0},   {21, 256, 110, ElementType::bytes},
    {22, 256, 82, ElementType::bytes}, {23, 256, 136, ElementType::bytes},
    {24, 1, 1, ElementType::i8},       {25, 1, 2, ElementType::i16},
    {26, 1, 4, ElementType::i32},      {27, 1, 8, ElementType::i64},
    {28, 1, 8, ElementType::f64},      {29, 256, 56, ElementType::bytes},
    {30, 1, 2, ElementType::bf16},     {34, 256, 54, ElementType::bytes},
    {35, 256, 66, ElementType::bytes},
}};

class Parser {
public:
    Parser(HeaderBytes& in, std::uint64_t file_bytes) : in_(in), file_bytes_(file_bytes) {}

    bool parse() {
        if (in_.number<std::uint32_t>() != kMagic) return false;
        const auto version = in_.number<std::uint32_t>();
        if (version != 2 && version != 3) return false;
        const auto tensors = in_.number<std::uint64_t>();
        const auto values = in_.number<std::uint64_t>();
        if (tensors > kTensorsMax) return false;
        // Whatever the counts say, the header's bytes run out.
        for (std::uint64_t i = 0; i < values; ++i)
            if (!key_and_value()) return false;
        for (std::uint64_t i = 0; i < tensors; ++i)
            if (!tensor()) return false;
        return !in_.ran_out() && place();
    }
    std::vector<Tensor> take() { return std::move(tensors_); }

private:
    void skip_text() { in_.skip(in_.number<std::uint64_t>()); }

    bool key_and_value() {
        const auto length = in_.number<std::uint64_t>();
        bool alignment = length == kAlignmentKey.size();
        if (alignment)
            for (const char c : kAlignmentKey)
                alignment &= in_.take() == static_cast<std::uint8_t>(c);
        else
            in_.skip(length);
        const auto type = in_.number<std::uint32_t>();
        if (!alignment) return value(type);
        alignment_ = in_.number<std::uint32_t>();
        return type == static_cast<std::uint32_t>(ValueType::u32) && alignment_ >= kAlignmentMin &&
               alignment_ <= kAlignmentMax && (alignment_ & (alignment_ - 1)) == 0;
    }
    bool value(std::uint32_t type) {
        if (type == static_cast<std::uint32_t>(ValueType::array)) return array();
        if (type == static_cast<std::uint32_t>(ValueType::text))
            skip_text();
        else if (const std::uint64_t bytes = value_bytes(type); bytes != 0)
            in_.skip(bytes);
        else
            return false;
        return !in_.ran_out();
    }
    // Of numbers or texts. Arrays of arrays are allowed and used by nobody.
    bool array() {
        const auto type = in_.number<std::uint32_t>();
        const auto count = in_.number<std::uint64_t>();
        if (type == static_cast<std::uint32_t>(ValueType::text)) {
            for (std::uint64_t i = 0; i < count && !in_.ran_out(); ++i) skip_text();
        } else {
            const std::uint64_t bytes = value_bytes(type);
            if (bytes == 0 || count > kGgufHeaderBytesMax) return false;
            in_.skip(count * bytes);
        }
        return !in_.ran_out();
    }

    bool tensor() {
        std::uint64_t name = kNoName;
        for (auto left = in_.number<std::uint64_t>(); left != 0 && !in_.ran_out(); --left)
            name = name_with(name, in_.take());
        const auto dimensions = in_.number<std::uint32_t>();
        if (dimensions > kDimensionsMax) return false;
        std::uint64_t row = 1;
        std::uint64_t elements = 1;
        for (std::uint32_t i = 0; i < dimensions; ++i) {
            const auto size = in_.number<std::uint64_t>();
            if (size != 0 && elements > kElementsMax / size) return false;
            elements *= size;
            if (i == 0) row = size;
        }
        const auto number = in_.number<std::uint32_t>();
        const auto offset = in_.number<std::uint64_t>();
        const auto* type = std::find_if(kTypes.begin(), kTypes.end(),
                                        [&](const TensorType& t) { return t.number == number; });
        // Where an unknown type ends is not known either.
        if (in_.ran_out() || type == kTypes.end() || row % type->elements != 0) return false;
        if (elements != 0)
            tensors_.push_back({offset, elements / type->elements * type->bytes, name, type->type});
        return true;
    }

    // From offsets in the data to offsets in the file.
    bool place() {
        const std::uint64_t mask = alignment_ - 1;
        const std::uint64_t data_begin = (in_.position() + mask) & ~mask;
        if (data_begin > file_bytes_) return tensors_.empty();
        const std::uint64_t data_bytes = file_bytes_ - data_begin;
        for (Tensor& tensor : tensors_) {
            if (tensor.offset > data_bytes || tensor.bytes > data_bytes - tensor.offset ||
                (tensor.offset & mask) != 0)
                return false;
            tensor.offset += data_begin;
        }
        if (!sort_tensors(tensors_)) return false;
        for (std::size_t i = 0; i < tensors_.size(); ++i) {
            const std::uint64_t end =
                i + 1 < tensors_.size() ? tensors_[i + 1].offset : file_bytes_;
            if (end - tensors_[i].offset - tensors_[i].bytes < alignment_)
                tensors_[i].bytes = end - tensors_[i].offset;
        }
        return true;
    }

    HeaderBytes& in_;
    std::uint64_t file_bytes_;
    std::uint32_t alignment_ = 32;
    std::vector<Tensor> tensors_;
};

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_gguf(std::uint64_t file_bytes, const ReadAt& read) {
    HeaderBytes header(read, 0, std::min(file_bytes, kGgufHeaderBytesMax));
    Parser parser(header, file_bytes);
    const bool parsed = parser.parse();
    TRIBUTARY_TRY(header.status());
    if (!parsed) return std::nullopt;
    return parser.take();
}

}  // namespace tributary::codec
