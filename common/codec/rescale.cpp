#include "common/codec/rescale.h"

#include <algorithm>

namespace tributary::codec {
namespace {

// Shorter rows are taken together, to about so many elements.
constexpr std::uint32_t kTogether = 128;
// Fewer elements are hardly worth what is said of rows.
constexpr std::size_t kElementsMin = 1024;
constexpr int kOne = 64;  // a gain's unit
constexpr int kHalf = 32;

// Unsigned numbers count from the middle, so that a row that moves about it needs no shift: theirs
// are 128 less, and so are those with a sign once their top bit is flipped.
constexpr int kMiddle = 128;
std::uint8_t flip_of(ElementType type) { return type == ElementType::u8 ? 0 : 0x80; }
std::int16_t number(std::uint8_t element, std::uint8_t flip) {
    return static_cast<std::int16_t>((element ^ flip) - kMiddle);
}

// Calls `visit(row, first, length)` for the rows of so many elements.
template <class Visit>
void each_row(std::size_t elements, const Rows& rows, Visit&& visit) {
    std::size_t length = rows.length - rows.column;
    for (std::size_t row = 0, at = 0; at < elements; ++row, at += length, length = rows.length)
        visit(row, at, std::min(length, elements - at));
}

std::int64_t divide_to_nearest(std::int64_t a, std::int64_t b) {
    return (a < 0 ? a - b / 2 : a + b / 2) / b;
}
std::int64_t within_a_byte(std::int64_t value) {
    return std::clamp<std::int64_t>(value, INT8_MIN, INT8_MAX);
}

struct Sums {
    std::int64_t x = 0, y = 0, xx = 0, xy = 0;

    // Of the numbers x and how far they moved, y.
    void add(const std::uint8_t* from, const std::uint8_t* to, std::size_t count,
             std::uint8_t flip) {
        constexpr std::size_t kIn32Bits = 4096;
        for (std::size_t begin = 0; begin < count; begin += kIn32Bits) {
            const std::size_t end = std::min(count, begin + kIn32Bits);
            std::int32_t sum_x = 0, sum_y = 0, sum_xx = 0, sum_xy = 0;
            for (std::size_t i = begin; i < end; ++i) {
                const std::int16_t a = number(from[i], flip);
                const auto moved = static_cast<std::int16_t>(number(to[i], flip) - a);
                sum_x += a;
                sum_y += moved;
                sum_xx += a * a;
                sum_xy += a * moved;
            }
            x += sum_x, y += sum_y, xx += sum_xx, xy += sum_xy;
        }
    }
};

}  // namespace

bool may_be_rescaled(const Piece& piece, ByteView base) {
    return (piece.type == ElementType::i8 || piece.type == ElementType::u8) &&
           piece.rows.length != 0 && piece.rows.length <= kRescaledRowMax &&
           piece.rows.column < piece.rows.length &&
           std::min(piece.plain.size(), base.size()) >= kElementsMin;
}

Rows rows_to_rescale(const Piece& piece) {
    Rows rows = piece.rows;
    if (rows.length < kTogether / 2) rows.length *= kTogether / rows.length;
    const std::size_t elements = piece.plain.size();
    if (rows.length - rows.column >= elements) rows = {static_cast<std::uint32_t>(elements), 0};
    return rows;
}

std::size_t row_count(std::size_t elements, const Rows& rows) {
    return (elements + rows.column + rows.length - 1) / rows.length;
}

bool fit_rows(const Piece& piece, const Rows& rows, ByteView base, ByteSpan gains,
              ByteSpan shifts) {
    const std::uint8_t flip = flip_of(piece.type);
    const std::size_t both = std::min(piece.plain.size(), base.size());
    std::fill(gains.begin(), gains.end(), std::uint8_t{0});
    std::fill(shifts.begin(), shifts.end(), std::uint8_t{0});
    bool moved = false;
    each_row(both, rows, [&](std::size_t row, std::size_t first, std::size_t length) {
        Sums sums;
        sums.add(base.data() + first, piece.plain.data() + first, length, flip);
        const auto n = static_cast<std::int64_t>(length);
        const std::int64_t spread = n * sums.xx - sums.x * sums.x;
        const std::int64_t together = n * sums.xy - sums.x * sums.y;
        const std::int64_t gain =
            spread == 0 ? 0 : within_a_byte(divide_to_nearest(kOne * together, spread));
        const std::int64_t shift =
            within_a_byte(divide_to_nearest(kOne * sums.y - gain * sums.x, kHalf * n));
        gains[row] = static_cast<std::uint8_t>(gain);
        shifts[row] = static_cast<std::uint8_t>(shift);
        moved = moved || gain != 0 || shift != 0;
    });
    return moved;
}

void move_rows(ElementType type, std::size_t elements, const Rows& rows, const RowMoves& moves,
               ByteView base, ByteSpan out) {
    const std::uint8_t flip = flip_of(type);
    const std::size_t both = std::min(elements, base.size());
    each_row(both, rows, [&](std::size_t row, std::size_t first, std::size_t length) {
        // No product or sum leaves 16 bits.
        const auto factor =
            static_cast<std::int16_t>(kOne + static_cast<std::int8_t>(moves.gains[row]));
        const auto added =
            static_cast<std::int16_t>(kHalf * static_cast<std::int8_t>(moves.shifts[row]) + kHalf);
        const std::uint8_t* __restrict from = base.data() + first;
        std::uint8_t* __restrict to = out.data() + first;
        for (std::size_t i = 0; i < length; ++i) {
            const std::int16_t value = number(from[i], flip);
            const auto sum = static_cast<std::int16_t>(value * factor + added);
            const auto there = static_cast<std::int16_t>(sum >> 6);
            const auto kept = std::clamp<std::int16_t>(there, INT8_MIN, INT8_MAX);
            to[i] = static_cast<std::uint8_t>((kept + kMiddle) ^ flip);
        }
    });
    std::copy(base.begin() + static_cast<std::ptrdiff_t>(both), base.end(),
              out.begin() + static_cast<std::ptrdiff_t>(both));
}

}  // namespace tributary::codec
