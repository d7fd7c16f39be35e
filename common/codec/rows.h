// Lines of text as a template and numbers: a template is the line with a zero byte in place of each
// number, and each number of a template, a column, is expected to look like the one above it.
// README.md says exactly what a number is; both directions rely on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"

namespace tributary::codec {

inline constexpr std::uint8_t kNumberMark = 0;
inline constexpr unsigned kDigitsMax = 18;

// How the numbers of a column are written.
struct Shape {
    std::uint8_t decimals = 0;      // values are in units of 10^-decimals
    std::uint8_t decimals_min = 0;  // zeros at the end are left out down to so many decimals
    std::uint8_t digits_min = 1;    // zeros fill the front up to so many digits before the point

    static constexpr std::size_t kBytes = 3;  // as stored, in this order
    bool valid() const {
        return decimals <= kDigitsMax && decimals_min <= decimals && digits_min >= 1 &&
               digits_min <= kDigitsMax;
    }
    bool operator==(const Shape&) const = default;
};

// A number as it stands in a line.
struct Number {
    std::int64_t value = 0;  // all its digits, without the point; less than 10^18 either way
    std::uint8_t digits = 0;
    std::uint8_t decimals = 0;
    bool leading_zero = false;   // "07", not "0"
    bool trailing_zero = false;  // "0.70", not "70"
};

// The number last seen in a column.
struct Column {
    std::int64_t value = 0;  // in units of its shape; less than 10^18 either way
    Shape shape;

    void reshape(Shape to);  // the same value, but for what does not fit
    // Adds modulo 2^64; whether the sum is in bounds.
    [[nodiscard]] bool add(std::uint64_t difference);
};

// What a column became with one more number.
struct Step {
    std::uint64_t difference = 0;  // new value minus old in units of the shape, modulo 2^64
    bool reshaped = false;         // the shape changed before
};
Step take(Column& column, const Number& number);

inline constexpr std::size_t kNumberBytesMax = 40;
// Writes the column's value; bytes written, at most kNumberBytesMax.
std::size_t print(const Column& column, std::uint8_t* out);

// Takes a line apart. Holds what the last line had.
class Row {
public:
    static constexpr std::size_t kNumbersMax = 65536;

    // False when there are more numbers; then it holds a part of the line.
    [[nodiscard]] bool parse(ByteView line);
    ByteView text() const { return text_; }  // the template
    const std::vector<Number>& numbers() const { return numbers_; }

private:
    Bytes text_;
    std::vector<Number> numbers_;
};

// The templates of a piece, numbered in the order in which they come, and the last numbers of each.
class Templates {
public:
    static constexpr std::size_t kTemplatesMax = 4096;
    static constexpr std::size_t kColumnsMax = Row::kNumbersMax;  // of all templates together

    struct Template {
        std::uint32_t text = 0;  // where it begins in texts_
        std::uint32_t text_bytes = 0;
        std::uint32_t column = 0;  // the first
        std::uint32_t columns = 0;
    };

    void clear();
    std::size_t size() const { return templates_.size(); }
    std::size_t column_count() const { return columns_.size(); }
    const Template& operator[](std::size_t index) const { return templates_[index]; }
    ByteView text(const Template& t) const {
        return ByteView(texts_).subspan(t.text, t.text_bytes);
    }
    Column* columns(const Template& t) { return columns_.data() + t.column; }

    std::optional<std::uint32_t> find(ByteView text) const;
    // Nullopt past the limits.
    std::optional<std::uint32_t> add(ByteView text);
    // To be called for the template of each row before its numbers are taken. A new one's columns
    // begin as those of the last row with as many numbers, else as those of the last row.
    void use(std::uint32_t index);

    // Takes the lines of a text's end, so that what follows it finds its templates and numbers.
    void learn_end_of(ByteView text);

private:
    std::size_t slot_of(ByteView text) const;  // in slots_: that text's, or a free one

    Bytes texts_;
    std::vector<Template> templates_;
    std::vector<Column> columns_;
    std::vector<std::uint16_t> slots_;      // hash table of template number + 1
    std::vector<std::uint16_t> last_with_;  // by numbers in a row: template number + 1
    std::size_t used_ = 0;                  // templates below have been used
    std::optional<std::uint32_t> last_;
    Row row_;
};

}  // namespace tributary::codec
