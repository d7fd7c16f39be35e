#include "common/codec/torch.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "common/codec/header_bytes.h"
#include "common/codec/zip.h"

namespace tributary::codec {
namespace {

constexpr std::uint64_t kPickleBytesMax = 64 * limits::MiB;
constexpr std::size_t kTextBytesMax = 256;  // of a longer key the beginning tells enough

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

std::uint64_t name_of(std::uint64_t name, std::uint32_t number) {
    for (; number != 0; number >>= 8) name = name_with(name, static_cast<std::uint8_t>(number));
    return name;
}

// What a pickle says of a storage.
struct Storage {
    ElementType type = ElementType::bytes;
    std::uint64_t name = 0;  // as Tensor has it; 0: none
};

// Reads the words of a pickle, of any binary protocol. A storage is named by a tuple: "storage",
// its type, its number, where it was, its length. So what follows a type's name is the number of a
// storage of that type; the name itself is spelled once and called up from the memo later. What was
// spelled last before the tuple is most often the tensor's key. Numbers are given in order, so one
// tensor more shifts them, and keys stay. A key that others share too is spelled for the first
// alone: those that come before the next one that is spelled are told apart by how many came.
class Pickle {
public:
    // `storages`, by number; grows as they are met.
    Pickle(HeaderBytes& in, std::vector<Storage>& storages) : in_(in), storages_(storages) {}

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
            case 'S': return line(), may_be_name();
            case 'c':
                return line(), line(), may_be_type();  // module, name
            // The memo.
            case 'q': return put(in_.take());
            case 'r': return put(in_.number<std::uint32_t>());
            case 0x94: return put(puts_);
            case 'h': return get(in_.take());
            case 'j': return get(in_.number<std::uint32_t>());
            // What is passed over.
            case 'B':
            case 0x8b: return skip(in_.number<std::uint32_t>());
            case 'C':
            case 0x8a: return skip(in_.take());
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
        return may_be_name();
    }
    void line() {
        length_ = 0;
        for (std::uint8_t c = in_.take(); c != '\n' && !in_.ran_out(); c = in_.take())
            if (length_ < text_.size()) text_[length_++] = static_cast<char>(c);
    }
    // What was read last, after which the pickle goes on.
    bool may_be_type() {
        const std::string_view text(text_.data(), length_);
        const auto* known = std::find_if(kStorageTypes.begin(), kStorageTypes.end(),
                                         [&](const StorageType& t) { return t.name == text; });
        named_ = known != kStorageTypes.end();
        type_ = named_ ? std::optional(known->type) : std::nullopt;
        return true;
    }
    bool may_be_name() {
        const std::string_view text(text_.data(), length_);
        const bool is_place = std::exchange(place_next_, false);
        const std::optional<ElementType> type = type_;
        may_be_type();
        if (named_ || is_place || text == "storage") return true;
        if (type) {
            if (const auto number = storage_number(text)) say(*number, *type);
            return true;
        }
        key_ = kNoName;
        for (const char c : text) key_ = name_with(key_, static_cast<std::uint8_t>(c));
        with_key_ = 0;
        return true;
    }
    void say(std::size_t number, ElementType type) {
        if (storages_.size() <= number) storages_.resize(number + 1);
        const std::uint64_t name = with_key_ == 0 ? key_ : name_of(key_, with_key_);
        ++with_key_;
        storages_[number] = {type, name};
        place_next_ = true;
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
        place_next_ = false;
        for (const Memo& memo : memo_)
            if (memo.index == index) type_ = memo.type;
        return true;
    }

    struct Memo {
        std::uint64_t index = UINT64_MAX;
        ElementType type{};
    };

    HeaderBytes& in_;
    std::vector<Storage>& storages_;
    std::array<char, kTextBytesMax> text_{};
    std::size_t length_ = 0;
    bool named_ = false;               // the last word was a type's name
    std::optional<ElementType> type_;  // of the storage whose number comes next
    std::array<Memo, 2 * kStorageTypes.size()> memo_;
    std::size_t memo_next_ = 0;
    std::uint64_t puts_ = 0;
    std::uint64_t key_ = kNoName;  // the text spelled last that may be one
    std::uint32_t with_key_ = 0;   // storages since then
    bool place_next_ = false;      // the next text says on which device a storage was
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
    std::vector<Tensor> tensors;  // `offset`: of the entry's header; `name`: the storage's number
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
        tensors.push_back({.offset = entry.header, .bytes = entry.bytes, .name = *number});
    };
    TRIBUTARY_ASSIGN(const bool is_zip, read_zip(file_bytes, read, visit));
    if (!is_zip || too_many || !pickle || !are_most_of(tensors, file_bytes)) return std::nullopt;

    std::vector<Storage> storages;
    TRIBUTARY_ASSIGN(const std::uint64_t begin, zip_entry_begin(*pickle, file_bytes, read));
    if (begin == 0 || pickle->bytes > kPickleBytesMax) return std::nullopt;
    HeaderBytes in(read, begin, begin + pickle->bytes);
    Pickle(in, storages).read();
    TRIBUTARY_TRY(in.status());

    // In file order, so that a reader of whole pieces has each of them once. Where two headers are
    // one, or lie in another's bytes, so do the tensors.
    std::ranges::sort(tensors, {}, &Tensor::offset);
    for (Tensor& tensor : tensors) {
        const auto number = static_cast<std::uint32_t>(tensor.name);
        const Storage said = number < storages.size() ? storages[number] : Storage{};
        tensor.type = said.type;
        tensor.name = said.name != 0 ? said.name : name_of(kNoName, number);
        TRIBUTARY_ASSIGN(tensor.offset,
                         zip_entry_begin({{}, tensor.offset, tensor.bytes}, file_bytes, read));
        if (tensor.offset == 0) return std::nullopt;
    }
    if (!sort_tensors(tensors)) return std::nullopt;
    return tensors;
}

}  // namespace tributary::codec
