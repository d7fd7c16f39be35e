#include "common/codec/tflite.h"

#include <algorithm>
#include <array>

namespace tributary::codec {
namespace {

constexpr std::uint32_t kNameBytesMax = 4096;
constexpr std::uint32_t kIdentifier = 0x334c4654;  // "TFL3"

// Fields of the tables, by number.
constexpr std::uint32_t kModelSubgraphs = 2;
constexpr std::uint32_t kModelBuffers = 4;
constexpr std::uint32_t kSubgraphTensors = 0;
constexpr std::uint32_t kTensorShape = 0;
constexpr std::uint32_t kTensorType = 1;
constexpr std::uint32_t kTensorBuffer = 2;
constexpr std::uint32_t kTensorName = 3;
constexpr std::uint32_t kTensorQuantization = 4;
constexpr std::uint32_t kQuantizedDimension = 6;
constexpr std::uint32_t kBufferData = 0;
constexpr std::uint32_t kBufferOffset = 1;  // in the file, of data behind the FlatBuffer
constexpr std::uint32_t kBufferSize = 2;

// By TensorType. Texts, complex numbers and handles are bytes; numbers of four bits are packed in
// pairs.
ElementType type_of(std::uint64_t number) {
    using enum ElementType;
    constexpr std::array<ElementType, 19> kTypes = {f32,   f16,   i32, u8,  i64,   bytes, boolean,
                                                    i16,   bytes, i8,  f64, bytes, i64,   bytes,
                                                    bytes, i32,   i16, u8,  bf16};
    return number < kTypes.size() ? kTypes[static_cast<std::size_t>(number)] : bytes;
}

// Numbers anywhere in the file, read in blocks of which it keeps some. What lies outside is 0, and
// is_sound() tells; then, or when more was read than an honest file needs, all else is 0 as well.
class FileNumbers {
public:
    FileNumbers(const ReadAt& read, std::uint64_t file_bytes)
        : read_(read), file_bytes_(file_bytes), budget_(4 * (file_bytes / kBlockBytes) + 1024) {}

    template <class T>
    T at(std::uint64_t offset) {
        T value = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i)
            value = static_cast<T>(value | static_cast<T>(T{byte_at(offset + i)} << (8 * i)));
        return value;
    }
    bool holds(std::uint64_t offset, std::uint64_t bytes) const {
        return offset <= file_bytes_ && bytes <= file_bytes_ - offset;
    }
    void distrust() { sound_ = false; }
    bool is_sound() const { return sound_ && status_.has_value(); }
    const Status& status() const { return status_; }

private:
    static constexpr std::size_t kBlockBytes = 4096;
    struct Block {
        std::uint64_t number = UINT64_MAX;
        Bytes bytes;
    };

    std::uint8_t byte_at(std::uint64_t offset) {
        if (offset >= file_bytes_) distrust();
        if (!is_sound()) return 0;
        const std::uint64_t number = offset / kBlockBytes;
        if (blocks_[0].number != number && !fetch(number)) return 0;
        return blocks_[0].bytes[static_cast<std::size_t>(offset % kBlockBytes)];
    }
    // Puts it first; the one that was not asked for the longest goes.
    bool fetch(std::uint64_t number) {
        auto found = std::ranges::find(blocks_, number, &Block::number);
        const bool kept = found != blocks_.end();
        if (!kept) --found;
        std::rotate(blocks_.begin(), found, found + 1);
        return kept || load(blocks_[0], number);
    }
    bool load(Block& block, std::uint64_t number) {
        block.number = UINT64_MAX;
        if (budget_-- == 0) {
            distrust();
            return false;
        }
        const std::uint64_t begin = number * kBlockBytes;
        block.bytes.assign(kBlockBytes, 0);
        const auto length = std::min<std::uint64_t>(kBlockBytes, file_bytes_ - begin);
        const auto got =
            read_(begin, ByteSpan(block.bytes).first(static_cast<std::size_t>(length)));
        if (!got) status_ = tl::unexpected<Error>(got.error());
        if (!got || *got != length) distrust();
        if (is_sound()) block.number = number;
        return is_sound();
    }

    const ReadAt& read_;
    std::uint64_t file_bytes_;
    std::uint64_t budget_;  // blocks that may still be read
    std::array<Block, 16> blocks_;
    bool sound_ = true;
    Status status_;
};

struct Vector {
    std::uint64_t begin = 0;  // of the first element; 0: there is no vector
    std::uint32_t count = 0;
};

class Parser {
public:
    Parser(FileNumbers& in, std::uint64_t file_bytes) : in_(in), file_bytes_(file_bytes) {}

    bool parse() {
        if (file_bytes_ < 8 || in_.at<std::uint32_t>(4) != kIdentifier) return false;
        const std::uint64_t model = pointed(0);
        const Vector subgraphs = tables(model, kModelSubgraphs);
        buffers_ = tables(model, kModelBuffers);
        seen_.resize(buffers_.count);
        for (std::uint32_t i = 0; i < subgraphs.count && in_.is_sound(); ++i) {
            const Vector tensors = tables(element(subgraphs, i), kSubgraphTensors);
            if (tensors.count > tensors_left_) in_.distrust();
            tensors_left_ -= std::min(tensors.count, tensors_left_);
            for (std::uint32_t k = 0; k < tensors.count && in_.is_sound(); ++k)
                tensor(element(tensors, k));
        }
        return in_.is_sound() && sort_tensors(tensors_);
    }
    std::vector<Tensor> take() { return std::move(tensors_); }

private:
    // What the offset at `at` points to. Offsets lead on, so there are no rings.
    std::uint64_t pointed(std::uint64_t at) {
        const std::uint32_t offset = in_.at<std::uint32_t>(at);
        if (offset == 0) in_.distrust();
        return at + offset;
    }
    // Where the field of a table lies; 0 when it has none, or nothing adds up any more.
    std::uint64_t field(std::uint64_t table, std::uint32_t number) {
        if (table == 0) return 0;
        // Signed, and taken away: where the table says what lies where in it.
        const auto back = static_cast<std::int32_t>(in_.at<std::uint32_t>(table));
        const std::uint64_t slots = table - static_cast<std::uint64_t>(std::int64_t{back});
        const std::uint64_t slot = 4 + 2 * std::uint64_t{number};
        if (slot + 2 > in_.at<std::uint16_t>(slots)) return 0;
        const std::uint16_t place = in_.at<std::uint16_t>(slots + slot);
        return place == 0 || !in_.is_sound() ? 0 : table + place;
    }
    template <class T>
    T number(std::uint64_t table, std::uint32_t field_number) {
        const std::uint64_t at = field(table, field_number);
        return at == 0 ? T{0} : in_.at<T>(at);
    }
    Vector vector(std::uint64_t table, std::uint32_t field_number, std::uint64_t element_size) {
        const std::uint64_t at = field(table, field_number);
        if (at == 0) return {};
        const std::uint64_t begin = pointed(at);
        const Vector found{begin + 4, in_.at<std::uint32_t>(begin)};
        if (!in_.holds(found.begin, element_size * found.count)) in_.distrust();
        return in_.is_sound() ? found : Vector{};
    }
    // A vector of offsets to tables.
    Vector tables(std::uint64_t table, std::uint32_t field_number) {
        const Vector found = vector(table, field_number, 4);
        if (found.count <= kTensorsMax) return found;
        in_.distrust();
        return {};
    }
    std::uint64_t element(const Vector& of, std::uint32_t index) {
        return pointed(of.begin + 4 * std::uint64_t{index});
    }

    void tensor(std::uint64_t table) {
        const auto index = number<std::uint32_t>(table, kTensorBuffer);
        if (index >= buffers_.count) return in_.distrust();
        if (seen_[index]) return;  // several tensors may share it
        seen_[index] = true;
        Tensor found = data_of(element(buffers_, index));
        if (found.bytes < kTensorBytesMin) return;
        found.name = kNoName;
        const Vector name = vector(table, kTensorName, 1);
        if (name.count > kNameBytesMax) return in_.distrust();
        for (std::uint32_t i = 0; i < name.count && in_.is_sound(); ++i)
            found.name = name_with(found.name, in_.at<std::uint8_t>(name.begin + i));
        found.type = type_of(number<std::uint8_t>(table, kTensorType));
        found.row = row(table, found.bytes / element_bytes(found.type));
        tensors_.push_back(found);
    }
    // Where its bytes lie; none: it is filled when the model runs.
    Tensor data_of(std::uint64_t buffer) {
        Vector data = vector(buffer, kBufferData, 1);
        if (data.count != 0) return {.offset = data.begin, .bytes = data.count};
        const auto offset = number<std::uint64_t>(buffer, kBufferOffset);
        const auto bytes = number<std::uint64_t>(buffer, kBufferSize);
        if (bytes == 0) return {};
        if (!in_.holds(offset, bytes)) in_.distrust();
        return {.offset = offset, .bytes = bytes};
    }
    // Elements that share a scale, where those are neighbours.
    std::uint32_t row(std::uint64_t table, std::uint64_t elements) {
        const std::uint64_t quantization = field(table, kTensorQuantization);
        if (quantization != 0 &&
            number<std::uint32_t>(pointed(quantization), kQuantizedDimension) != 0)
            return 0;
        const Vector shape = vector(table, kTensorShape, 4);
        const auto first = shape.count == 0 ? 0 : in_.at<std::uint32_t>(shape.begin);
        return row_of(elements, shape.count, first);
    }

    FileNumbers& in_;
    std::uint64_t file_bytes_;
    Vector buffers_;
    std::uint32_t tensors_left_ = kTensorsMax;  // that may still come, of all subgraphs
    std::vector<bool> seen_;                    // which buffers
    std::vector<Tensor> tensors_;
};

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_tflite(std::uint64_t file_bytes,
                                                       const ReadAt& read) {
    FileNumbers in(read, file_bytes);
    Parser parser(in, file_bytes);
    const bool parsed = parser.parse();
    TRIBUTARY_TRY(in.status());
    if (!parsed) return std::nullopt;
    std::vector<Tensor> tensors = parser.take();
    if (!are_most_of(tensors, file_bytes)) return std::nullopt;
    return tensors;
}

}  // namespace tributary::codec
