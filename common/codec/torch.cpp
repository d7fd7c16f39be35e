#include "common/codec/torch.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>

#include "common/codec/header_bytes.h"
#include "common/codec/zip.h"

namespace tributary::codec {
namespace {

constexpr std::uint64_t kPickleBytesMax = 64 * limits::MiB;
constexpr std::size_t kTypeNameBytesMax = 32;  // of more than any type's name there is no need

struct StorageType {
    std::string_view name;
    ElementType type;
};
constexpr std::array<StorageType, 10> kStorageTypes = {{
    {"FloatStorage", ElementType::f32},
    {"HalfStorage", ElementType::f16},
    {"BFloat16Storage", ElementType::bf16},
    {"DoubleStorage", ElementType::f64},
    {"CharStorage", ElementType::i8},
    {"ByteStorage", ElementType::u8},
    {"ShortStorage", ElementType::i16},
    {"IntStorage", ElementType::i32},
    {"LongStorage", ElementType::i64},
    {"BoolStorage", ElementType::boolean},
}};

// The number that a storage goes by: in the pickle, and as the name of its entry.
std::optional<std::size_t> storage_number(std::string_view text) {
    std::size_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = 10 * number + static_cast<std::size_t>(c - '0');
        if (number >= kTensorsMax) return std::nullopt;
    }
    if (text.empty()) return std::nullopt;
    return number;
}

// Reads the words of a pickle, of any binary protocol. A storage is named by a tuple: "storage",
// its type, its number, where it was, its length. So what follows a type's name is the number of a
// storage of that type; the name itself is spelled once and called up from the memo later.
class Pickle {
public:
    // `types` of the storages, by number; grows as they are met.
    Pickle(HeaderBytes& in, std::vector<ElementType>& types) : in_(in), types_(types) {}

    // Up to the first word that no pickle has: what was read until then holds.
    void read() {
        while (!in_.at_end() && !in_.ran_out() && word(in_.take())) {
        }
    }

private:
    bool word(std::uint8_t code) {
        switch (code) {
            // Texts.
            case 'X':
            case 'T': return text(in_.number<std::uint32_t>());
            case 'U':
            case 0x8c: return text(in_.take());
            case 0x8d: return text(in_.number<std::uint64_t>());
            case 'V':
            case 'S': return line(), is_text();
            case 'c':
                return line(), line(), is_text();  // module, name
            // The memo.
            case 'q': return put(in_.take());
            case 'r': return put(in_.number<std::uint32_t>());
            case 0x94: return put(puts_);
            case 'h': return get(in_.take());
            case 'j': return get(in_.number<std::uint32_t>());
            // What is passed over.
            case 'B': return skip(in_.number<std::uint32_t>());
            case 'C': return skip(in_.take());
            case 0x8a: return skip(in_.take());
            case 0x8b: return skip(in_.number<std::uint32_t>());
            case 0x8e:
            case 0x96: return skip(in_.number<std::uint64_t>());
            case 'K':
            case 0x80:
            case 0x82: return skip(1);
            case 'M':
            case 0x83: return skip(2);
            case 'J':
            case 0x84: return skip(4);
            case 'G':
            case 0x95: return skip(8);
            case 'I':
            case 'L':
            case 'F':
            case 'P':
            case 'p':
            case 'g': return line(), true;
            case 0x93: return named_ = type_.has_value(), true;  // the last two texts: a global
            case 'i': return line(), line(), true;
            case '.': return false;
            default: return true;
        }
    }

    bool skip(std::uint64_t bytes) {
        in_.skip(bytes);
        return true;
    }
    bool text(std::uint64_t bytes) {
        const auto kept = static_cast<std::size_t>(std::min<std::uint64_t>(bytes, text_.size()));
        for (length_ = 0; length_ < kept; ++length_) text_[length_] = static_cast<char>(in_.take());
        in_.skip(bytes - kept);
        return is_text();
    }
    void line() {
        length_ = 0;
        for (std::uint8_t c = in_.take(); c != '\n' && !in_.ran_out(); c = in_.take())
            if (length_ < text_.size()) text_[length_++] = static_cast<char>(c);
    }
    bool is_text() {
        const std::string_view text(text_.data(), length_);
        const auto* known = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                         [&](const StorageType& t) { return t.name == text; });
        named_ = known != kStorageTypes.end();
        if (named_) {
            type_ = known->type;
        } else if (type_) {
            if (const auto number = storage_number(text)) {
                if (types_.size() <= *number) types_.resize(*number + 1);
                types_[*number] = *type_;
            }
            type_.reset();
        }
        return true;
    }

    // What was just named is number `index` from now on.
    bool put(std::uint64_t index) {
        ++puts_;
        if (!named_) return true;
        named_ = false;
        memo_[memo_next_++ % memo_.size()] = {index, *type_};
        return true;
    }
    bool get(std::uint64_t index) {
        for (const Memo& memo : memo_)
            if (memo.index == index) type_ = memo.type;
        return true;
    }

    struct Memo {
        std::uint64_t index = UINT64_MAX;
        ElementType type{};
    };

    HeaderBytes& in_;
    std::vector<ElementType>& types_;
    std::array<char, kTypeNameBytesMax> text_{};
    std::size_t length_ = 0;
    bool named_ = false;               // the last word was a type's name
    std::optional<ElementType> type_;  // of the storage whose number comes next
    std::array<Memo, 2 * kStorageTypes.size()> memo_;
    std::size_t memo_next_ = 0;
    std::uint64_t puts_ = 0;
};

// What an entry's name says behind the archive's own, up to the first slash.
std::string_view inner_name(std::string_view name) {
    const std::size_t slash = name.find('/');
    return slash == std::string_view::npos ? std::string_view{} : name.substr(slash + 1);
}

}  // namespace

Result<std::optional<std::vector<Tensor>>> read_torch(std::uint64_t file_bytes,
                                                      const ReadAt& read) {
    constexpr std::string_view kFolder = "data/";
    std::optional<ZipEntry> pickle;
    std::vector<Tensor> tensors;       // `offset`: of the entry's header
    std::vector<std::size_t> numbers;  // of the storages, in the same order
    bool too_many = false;
    const auto visit = [&](const ZipEntry& entry) {
        const std::string_view name = inner_name(entry.name);
        if (name == "data.pkl") pickle = ZipEntry{{}, entry.header, entry.bytes};
        if (!name.starts_with(kFolder) || entry.bytes < kTensorBytesMin) return;
        const auto number = storage_number(name.substr(kFolder.size()));
        if (!number) return;
        if (tensors.size() == kTensorsMax) {
            too_many = true;
            return;
        }
        Tensor tensor{.offset = entry.header, .bytes = entry.bytes, .name = kNoName};
        for (const char c : name)
            tensor.name = name_with(tensor.name, static_cast<std::uint8_t>(c));
        tensors.push_back(tensor);
        numbers.push_back(*number);
    };
    TRIBUTARY_ASSIGN(const bool is_zip, read_zip(file_bytes, read, visit));
    if (!is_zip || too_many || !pickle || !are_most_of(tensors, file_bytes)) return std::nullopt;

    std::vector<ElementType> types;
    TRIBUTARY_ASSIGN(const std::uint64_t begin, zip_entry_begin(*pickle, file_bytes, read));
    if (begin == 0 || pickle->bytes > kPickleBytesMax) return std::nullopt;
    HeaderBytes in(read, begin, begin + pickle->bytes);
    Pickle(in, types).read();
    TRIBUTARY_TRY(in.status());

    for (std::size_t i = 0; i < tensors.size(); ++i) {
        Tensor& tensor = tensors[i];
        TRIBUTARY_ASSIGN(tensor.offset,
                         zip_entry_begin({{}, tensor.offset, tensor.bytes}, file_bytes, read));
        if (tensor.offset == 0) return std::nullopt;
        if (numbers[i] < types.size()) tensor.type = types[numbers[i]];
    }
    if (!sort_tensors(tensors)) return std::nullopt;
    return tensors;
}

}  // namespace tributary::codec
