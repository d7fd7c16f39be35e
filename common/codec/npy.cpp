#include "common/codec/npy.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "common/codec/header_bytes.h"

namespace tributary::codec {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::uint64_t kUnnamed = 0;  // there is one array, and its rows may move
constexpr std::uint64_t kElementsMax = std::uint64_t{1} << 56;

struct Descr {
    std::string_view name;
    ElementType type;
};
constexpr std::array<Descr, 12> kDescrs = {{
    {"<f4", ElementType::f32},
    {"<f2", ElementType::f16},
    {"<f8", ElementType::f64},
    {"|i1", ElementType::i8},
    {"|u1", ElementType::u8},
    {"<i2", ElementType::i16},
    {"<u2", ElementType::i16},
    {"<i4", ElementType::i32},
    {"<u4", ElementType::i32},
    {"<i8", ElementType::i64},
    {"<u8", ElementType::i64},
    {"|b1", ElementType::boolean},
}};

// What follows `key` in the dictionary, spaces left out; empty when there is no such key.
std::string_view value_of(std::string_view dictionary, std::string_view key) {
    const std::size_t at = dictionary.find(key);
    if (at == std::string_view::npos) return {};
    std::string_view rest = dictionary.substr(at + key.size());
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    return rest;
}

std::optional<ElementType> type_of(std::string_view dictionary) {
    const std::string_view value = value_of(dictionary, "'descr':");
    for (const Descr& descr : kDescrs)
        if (value.size() > 4 && value[0] == '\'' && value.substr(1, 3) == descr.name &&
            value[4] == '\'')
            return descr.type;
    return std::nullopt;
}

// Nullopt when the shape is not a tuple of numbers.
std::optional<std::uint64_t> elements_of_shape(std::string_view dictionary) {
    const std::string_view value = value_of(dictionary, "'shape':");
    if (value.empty() || value[0] != '(') return std::nullopt;
    std::uint64_t elements = 1;
    std::uint64_t size = 0;
    bool digits = false;
    for (const char c : value.substr(1)) {
        if (c >= '0' && c <= '9') {
            size = size * 10 + static_cast<std::uint64_t>(c - '0');
            digits = true;
            if (size > kElementsMax) return std::nullopt;
            continue;
        }
        if (digits && (c == ',' || c == ')')) {
            if (size != 0 && elements > kElementsMax / size) return std::nullopt;
            elements *= size;
            size = 0;
            digits = false;
        }
        if (c == ')') return elements;
        if (digits || (c != ',' && c != ' ')) return std::nullopt;
    }
    return std::nullopt;
}

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_npy(std::uint64_t file_bytes, const ReadAt& read) {
    HeaderBytes in(read, 0, std::min(file_bytes, kNpyHeaderBytesMax));
    std::string magic(kMagic.size(), '\0');
    for (char& c : magic) c = static_cast<char>(in.take());
    const auto version = in.number<std::uint16_t>();  // major, then minor
    const bool known = magic == kMagic && version >= 1 && version <= 3;
    std::uint64_t length = 0;
    if (known) length = version == 1 ? in.number<std::uint16_t>() : in.number<std::uint32_t>();
    if (length > kNpyHeaderBytesMax) length = 0;
    std::string dictionary(static_cast<std::size_t>(length), '\0');
    for (char& c : dictionary) c = static_cast<char>(in.take());
    TRIBUTARY_TRY(in.status());
    if (!known || in.ran_out()) return std::nullopt;

    const auto type = type_of(dictionary);
    const auto elements = elements_of_shape(dictionary);
    const std::uint64_t begin = in.position();
    if (!type || !elements || file_bytes - begin != *elements * element_bytes(*type))
        return std::nullopt;
    if (begin == file_bytes) return std::vector<Tensor>{};
    return std::vector<Tensor>{{begin, file_bytes - begin, kUnnamed, *type}};
}

}  // namespace tributary::codec
