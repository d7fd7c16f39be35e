#include "common/codec/safetensors.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "common/codec/header_bytes.h"

namespace tributary::codec {
namespace {

constexpr std::uint64_t kPrefixBytes = 8;
constexpr std::size_t kDimensionsMax = 64;
constexpr std::uint64_t kDataBytesMax = std::uint64_t{1} << 60;  // keeps products in 64 bits

struct Text {
    std::uint64_t hash = kNoName;
    std::array<char, 16> first{};  // enough for every word that the format knows
    std::size_t length = 0;

    void add(std::uint8_t byte) {
        hash = name_with(hash, byte);
        if (length < first.size()) first[length] = static_cast<char>(byte);
        ++length;
    }
    bool is(std::string_view word) const {
        return length == word.size() && std::string_view(first.data(), length) == word;
    }
};

// Unsigned 8 to 64 bit integers are coded as the signed type of their width, 8-bit floats as bytes
// with an order. Complex numbers and what is not known are bytes.
struct Dtype {
    std::string_view name;
    ElementType type;
};
constexpr std::array<Dtype, 15> kDtypes = {{
    {"F32", ElementType::f32},
    {"F16", ElementType::f16},
    {"BF16", ElementType::bf16},
    {"F64", ElementType::f64},
    {"I8", ElementType::i8},
    {"U8", ElementType::u8},
    {"I16", ElementType::i16},
    {"U16", ElementType::i16},
    {"I32", ElementType::i32},
    {"U32", ElementType::i32},
    {"I64", ElementType::i64},
    {"U64", ElementType::i64},
    {"BOOL", ElementType::boolean},
    {"F8_E4M3", ElementType::u8},
    {"F8_E5M2", ElementType::u8},
}};

class Parser {
public:
    Parser(HeaderBytes& in, std::uint64_t data_begin, std::uint64_t data_bytes)
        : in_(in),
          data_begin_(data_begin),
          data_bytes_(data_bytes),
          elements_max_(8 * std::min(data_bytes, kDataBytesMax)) {}

    // The whole header: one object, then nothing but spaces.
    bool parse() {
        if (!object([this](const Text& key) {
                return key.is("__metadata__") ? metadata() : tensor(key.hash);
            }))
            return false;
        skip_spaces();
        return in_.at_end();
    }
    std::vector<Tensor> take() { return std::move(tensors_); }

private:
    void skip_spaces() {
        for (std::uint8_t c = in_.peek(); c == ' ' || c == '\n' || c == '\r' || c == '\t';
             c = in_.peek())
            in_.take();
    }
    bool expect(char c) {
        skip_spaces();
        return in_.take() == static_cast<std::uint8_t>(c);
    }
    bool accept(char c) {
        skip_spaces();
        if (in_.peek() != static_cast<std::uint8_t>(c)) return false;
        in_.take();
        return true;
    }

    // `open`, values read by `item` with commas between, `close`.
    template <class Item>
    bool sequence(char open, char close, Item&& item) {
        if (!expect(open)) return false;
        if (accept(close)) return true;
        do {
            if (!item()) return false;
        } while (accept(','));
        return expect(close);
    }
    template <class Value>
    bool object(Value&& value) {
        return sequence('{', '}', [&] {
            Text key;
            return text(key) && expect(':') && value(key);
        });
    }

    // An escape counts as spelled; nothing here needs to know what it means.
    bool text(Text& out) {
        if (!expect('"')) return false;
        for (std::uint8_t c = in_.take(); c != '"'; c = in_.take()) {
            if (c < ' ') return false;
            out.add(c);
            if (c != '\\') continue;
            const std::uint8_t escaped = in_.take();
            if (escaped < ' ') return false;
            out.add(escaped);
        }
        return true;
    }
    bool number(std::uint64_t& out) {
        skip_spaces();
        int digits = 0;
        out = 0;
        for (std::uint8_t c = in_.peek(); c >= '0' && c <= '9'; c = in_.peek()) {
            const auto digit = static_cast<std::uint64_t>(c - '0');
            if (++digits > 19) return false;  // 19 digits fit 64 bits
            out = out * 10 + digit;
            in_.take();
        }
        return digits > 0;
    }

    bool metadata() {
        return object([this](const Text&) {
            Text value;
            return text(value);
        });
    }

    struct Shape {
        std::uint64_t elements = 1;
        std::size_t dimensions = 0;
        std::uint64_t first = 1;
    };

    bool tensor(std::uint64_t name) {
        Text dtype;
        Shape of;
        std::uint64_t begin = 0;
        std::uint64_t end = 0;
        unsigned seen = 0;
        const bool read = object([&](const Text& key) {
            if (key.is("dtype")) return seen |= 1, text(dtype);
            if (key.is("shape")) return seen |= 2, shape(of);
            if (key.is("data_offsets")) {
                seen |= 4;
                return expect('[') && number(begin) && expect(',') && number(end) && expect(']');
            }
            return false;
        });
        return read && seen == 7 && add(name, dtype, of, begin, end);
    }

    // The product of the dimensions; no element is smaller than a bit.
    bool shape(Shape& of) {
        of = {};
        return sequence('[', ']', [&] {
            std::uint64_t size = 0;
            if (++of.dimensions > kDimensionsMax || !number(size)) return false;
            if (size != 0 && of.elements > elements_max_ / size) return false;
            if (of.dimensions == 1) of.first = size;
            of.elements *= size;
            return true;
        });
    }

    bool add(std::uint64_t name, const Text& dtype, const Shape& of, std::uint64_t begin,
             std::uint64_t end) {
        if (begin > end || end > data_bytes_) return false;
        ElementType type = ElementType::bytes;
        const auto* known = std::find_if(kDtypes.begin(), kDtypes.end(),
                                         [&](const Dtype& d) { return dtype.is(d.name); });
        if (known != kDtypes.end()) {
            type = known->type;
            const std::uint64_t width = element_bytes(type);
            if ((end - begin) % width != 0 || (end - begin) / width != of.elements) return false;
        }
        if (begin == end) return true;
        if (tensors_.size() == kTensorsMax) return false;
        tensors_.push_back({data_begin_ + begin, end - begin, name, type,
                            row_of(of.elements, of.dimensions, of.first)});
        return true;
    }

    HeaderBytes& in_;
    std::uint64_t data_begin_;
    std::uint64_t data_bytes_;
    std::uint64_t elements_max_;
    std::vector<Tensor> tensors_;
};

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_safetensors(std::uint64_t file_bytes,
                                                            const ReadAt& read) {
    std::array<std::uint8_t, kPrefixBytes> prefix{};
    if (file_bytes < prefix.size() + 2) return std::nullopt;
    TRIBUTARY_ASSIGN(const std::size_t got, read(0, prefix));
    const auto header_bytes = load_le<std::uint64_t>(prefix.data());
    if (got != prefix.size() || header_bytes > kSafetensorsHeaderBytesMax ||
        header_bytes > file_bytes - kPrefixBytes)
        return std::nullopt;

    const std::uint64_t data_begin = kPrefixBytes + header_bytes;
    HeaderBytes header(read, kPrefixBytes, data_begin);
    Parser parser(header, data_begin, file_bytes - data_begin);
    const bool parsed = parser.parse();
    TRIBUTARY_TRY(header.status());
    if (!parsed) return std::nullopt;

    std::vector<Tensor> tensors = parser.take();
    if (!sort_tensors(tensors)) return std::nullopt;
    return tensors;
}

}  // namespace tributary::codec
