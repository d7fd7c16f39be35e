#include "common/codec/rows.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/codec/line_hash.h"
#include "common/codec/line_index.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kSlots = 2 * Templates::kTemplatesMax;
// Of the text before a piece so much is looked at.
constexpr std::size_t kLearnedBytes = 32 * 1024;

constexpr auto kPowers = [] {
    std::array<std::uint64_t, kDigitsMax + 1> powers{1};
    for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = 10 * powers[i - 1];
    return powers;
}();

bool is_digit(std::uint8_t c) { return c >= '0' && c <= '9'; }
bool is_letter(std::uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }
bool is_word(std::uint8_t c) { return is_digit(c) || is_letter(c) || c == '_'; }

std::uint64_t magnitude(std::int64_t value) {
    const auto bits = static_cast<std::uint64_t>(value);
    return value < 0 ? 0 - bits : bits;
}

// Whether digits that begin at `at` may be a number: not those of a name, a hexadecimal number, or
// a second point; but those of 2026-11-20T15:02 may.
bool may_begin(ByteView line, std::size_t at) {
    if (at == 0) return true;
    const std::uint8_t before = line[at - 1];
    if (before == 'T') return at >= 2 && is_digit(line[at - 2]);
    return !is_letter(before) && before != '_' && before != '.';
}

// A minus sign, not a hyphen.
bool is_sign(ByteView line, std::size_t at) {
    return line[at] == '-' && (at == 0 || !is_word(line[at - 1]));
}

// The digits at `begin`, with decimals; `end` is where they end. Nullopt when there are too many.
std::optional<Number> read_digits(ByteView line, std::size_t begin, std::size_t& end) {
    Number number;
    std::uint64_t value = 0;
    std::size_t at = begin;
    for (; at < line.size() && is_digit(line[at]); ++at) value = 10 * value + (line[at] - '0');
    const std::size_t digits = at - begin;
    std::size_t decimals = 0;
    if (at + 1 < line.size() && line[at] == '.' && is_digit(line[at + 1])) {
        const std::size_t point = at++;
        for (; at < line.size() && is_digit(line[at]); ++at) value = 10 * value + (line[at] - '0');
        decimals = at - point - 1;
    }
    end = at;
    if (digits + decimals > kDigitsMax) return std::nullopt;
    number.value = static_cast<std::int64_t>(value);
    number.digits = static_cast<std::uint8_t>(digits);
    number.decimals = static_cast<std::uint8_t>(decimals);
    number.leading_zero = digits > 1 && line[begin] == '0';
    number.trailing_zero = decimals > 0 && line[end - 1] == '0';
    return number;
}

// Whether a column of this shape writes the number as it stands.
bool fits(const Shape& shape, const Number& number) {
    if (number.decimals > shape.decimals || number.decimals < shape.decimals_min) return false;
    if (number.decimals > shape.decimals_min && number.trailing_zero) return false;
    if (number.leading_zero ? shape.digits_min != number.digits : shape.digits_min > number.digits)
        return false;
    const std::uint64_t factor = kPowers[shape.decimals - number.decimals];
    return magnitude(number.value) <= (kPowers[kDigitsMax] - 1) / factor;
}

// A shape that fits the number and, as far as can be, those before.
Shape widened(Shape shape, const Number& number) {
    if (number.decimals < shape.decimals_min ||
        (number.decimals > shape.decimals_min && number.trailing_zero))
        shape.decimals_min = number.decimals;
    if (number.leading_zero || number.digits < shape.digits_min) shape.digits_min = number.digits;
    shape.decimals = std::max(shape.decimals, number.decimals);
    if (!fits(shape, number)) shape.decimals = number.decimals;
    return shape;
}

}  // namespace

// ---- numbers ----

void Column::reshape(Shape to) {
    const bool negative = value < 0;
    std::uint64_t size = magnitude(value);
    if (to.decimals >= shape.decimals) {
        const std::uint64_t factor = kPowers[to.decimals - shape.decimals];
        size = size <= (kPowers[kDigitsMax] - 1) / factor ? size * factor : 0;
    } else {
        size /= kPowers[shape.decimals - to.decimals];
    }
    value = static_cast<std::int64_t>(negative ? 0 - size : size);
    shape = to;
}

bool Column::add(std::uint64_t difference) {
    value = static_cast<std::int64_t>(static_cast<std::uint64_t>(value) + difference);
    return magnitude(value) < kPowers[kDigitsMax];
}

Step take(Column& column, const Number& number) {
    Step step;
    if (!fits(column.shape, number)) {
        column.reshape(widened(column.shape, number));
        step.reshaped = true;
    }
    const auto factor = static_cast<std::int64_t>(kPowers[column.shape.decimals - number.decimals]);
    const std::int64_t value = number.value * factor;
    step.difference = static_cast<std::uint64_t>(value) - static_cast<std::uint64_t>(column.value);
    column.value = value;
    return step;
}

std::size_t print(const Column& column, std::uint8_t* out) {
    // Backwards, then to its place.
    std::array<std::uint8_t, kNumberBytesMax> buffer;
    std::uint8_t* const end = buffer.data() + buffer.size();
    std::uint8_t* at = end;
    std::uint64_t rest = magnitude(column.value);
    unsigned decimals = column.shape.decimals;
    for (; decimals > column.shape.decimals_min && rest % 10 == 0; --decimals) rest /= 10;
    if (decimals > 0) {
        for (unsigned i = 0; i < decimals; ++i, rest /= 10)
            *--at = static_cast<std::uint8_t>('0' + rest % 10);
        *--at = '.';
    }
    const std::uint8_t* const filled = at - column.shape.digits_min;
    // Most machines divide 32 bits much faster.
    for (; rest > UINT32_MAX; rest /= 10) *--at = static_cast<std::uint8_t>('0' + rest % 10);
    for (auto low = static_cast<std::uint32_t>(rest); low != 0; low /= 10)
        *--at = static_cast<std::uint8_t>('0' + low % 10);
    while (at > filled) *--at = '0';
    if (column.value < 0) *--at = '-';
    const auto size = static_cast<std::size_t>(end - at);
    std::memcpy(out, at, size);
    return size;
}

// ---- rows ----

bool Row::parse(ByteView line) {
    text_.clear();
    numbers_.clear();
    std::size_t gap = 0;
    for (std::size_t at = 0; at < line.size();) {
        if (!is_digit(line[at])) {
            ++at;
            continue;
        }
        std::size_t begin = at;
        std::optional<Number> number = read_digits(line, begin, at);
        if (!number || !may_begin(line, begin)) continue;
        if (numbers_.size() == kNumbersMax) return false;
        if (begin > 0 && number->value != 0 && is_sign(line, begin - 1)) {
            number->value = -number->value;
            --begin;
        }
        text_.insert(text_.end(), line.begin() + static_cast<std::ptrdiff_t>(gap),
                     line.begin() + static_cast<std::ptrdiff_t>(begin));
        text_.push_back(kNumberMark);
        numbers_.push_back(*number);
        gap = at;
    }
    text_.insert(text_.end(), line.begin() + static_cast<std::ptrdiff_t>(gap), line.end());
    return true;
}

// ---- templates ----

void Templates::clear() {
    texts_.clear();
    templates_.clear();
    columns_.clear();
    slots_.assign(kSlots, 0);
    last_with_.assign(1, 0);
    used_ = 0;
    last_.reset();
}

std::size_t Templates::slot_of(ByteView wanted) const {
    std::size_t slot = line_hash(wanted) % kSlots;
    while (slots_[slot] != 0 && !std::ranges::equal(text(templates_[slots_[slot] - 1u]), wanted))
        slot = (slot + 1) % kSlots;
    return slot;
}

std::optional<std::uint32_t> Templates::find(ByteView wanted) const {
    if (last_ && std::ranges::equal(text(templates_[*last_]), wanted)) return last_;
    const std::uint16_t found = slots_[slot_of(wanted)];
    if (found == 0) return std::nullopt;
    return found - 1u;
}

std::optional<std::uint32_t> Templates::add(ByteView text) {
    const auto columns =
        static_cast<std::size_t>(std::count(text.begin(), text.end(), kNumberMark));
    if (size() == kTemplatesMax || columns > kColumnsMax - columns_.size()) return std::nullopt;
    const auto index = static_cast<std::uint32_t>(size());
    slots_[slot_of(text)] = static_cast<std::uint16_t>(index + 1);
    templates_.push_back(
        {static_cast<std::uint32_t>(texts_.size()), static_cast<std::uint32_t>(text.size()),
         static_cast<std::uint32_t>(columns_.size()), static_cast<std::uint32_t>(columns)});
    texts_.insert(texts_.end(), text.begin(), text.end());
    columns_.resize(columns_.size() + columns);
    if (last_with_.size() <= columns) last_with_.resize(columns + 1);
    return index;
}

void Templates::use(std::uint32_t index) {
    const Template& t = templates_[index];
    if (index >= used_) {
        std::optional<std::uint32_t> like = last_;
        if (last_with_[t.columns] != 0) like = last_with_[t.columns] - 1u;
        if (like) {
            const Template& from = templates_[*like];
            std::copy_n(columns(from), std::min(from.columns, t.columns), columns(t));
        }
        used_ = index + 1;
    }
    last_with_[t.columns] = static_cast<std::uint16_t>(index + 1);
    last_ = index;
}

void Templates::learn_end_of(ByteView text) {
    if (text.size() > kLearnedBytes) {
        text = text.last(kLearnedBytes);
        text = text.subspan(line_bytes(text));
    }
    while (!text.empty()) {
        const ByteView line = text.first(line_bytes(text));
        text = text.subspan(line.size());
        if (std::find(line.begin(), line.end(), kNumberMark) != line.end()) continue;
        if (!row_.parse(line)) continue;
        std::optional<std::uint32_t> index = find(row_.text());
        if (!index) index = add(row_.text());
        if (!index) continue;
        use(*index);
        Column* column = columns(templates_[*index]);
        for (const Number& number : row_.numbers()) take(*column++, number);
    }
}

}  // namespace tributary::codec
