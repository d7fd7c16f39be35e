#include "common/codec/matrices.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdlib>

#include "common/codec/logistic.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kWindow = 64;     // elements whose likeness to others is one number
constexpr std::size_t kWindowStep = 4;  // the search looks at one of so many
constexpr std::size_t kBlock = 4096;    // elements that get a row length together
constexpr std::size_t kRowsMin = 4;     // fewer say too little of the next
constexpr std::int64_t kLevel = 4;      // the mean size that values are brought to
constexpr std::int64_t kLevelMax = 12;

// Scores count in 1/64 of what two windows of noise have on average. As much again is taken off, so
// that only likeness beyond chance adds up.
constexpr std::int64_t kScore = 64;
constexpr std::int64_t kChance = 2 * kScore;
// Another row length than in the block before must be worth this.
constexpr std::int64_t kChangeCost = 100 * kScore;

// What it takes to describe a matrix, in 1/16 bit; prediction is to save 1/16 bit a value besides.
constexpr std::int64_t kMatrixCost = 16 * 64;

template <class Use>
void for_windows(std::size_t begin, std::size_t end, const MatrixFinder::Values& values,
                 Use&& use) {
    std::array<std::int64_t, kWindow> window;
    for (std::size_t at = begin; at < end; at += kWindow) {
        const auto part = std::span(window).first(std::min(kWindow, end - at));
        values(at, part);
        use(std::span<const std::int64_t>(part));
    }
}

// So that their mean size is 512 to the predictor, within a factor of two.
std::uint8_t shift_for(std::size_t begin, std::size_t end, const MatrixFinder::Values& values) {
    const std::uint64_t count = end - begin;
    std::uint64_t mean = 0;
    std::uint64_t rest = 0;  // of the divisions
    for_windows(begin, end, values, [&](std::span<const std::int64_t> window) {
        for (const std::int64_t value : window) {
            const auto size = static_cast<std::uint64_t>(std::abs(value));
            mean += size / count;
            rest += size % count;
        }
    });
    mean += rest / count;
    const auto bits = static_cast<int>(std::bit_width(mean + mean / 4));
    return static_cast<std::uint8_t>(std::clamp(bits - 10, 0, static_cast<int>(kMatrixShiftMax)));
}

// What windows of values with these squares summed up cost more or less than one another, in 1/16
// bit: half a doubling of the square for each value. Next to nothing is alike.
std::int64_t cost_of_squares(std::int64_t squares) {
    constexpr std::uint64_t kNothing = 64 * kWindow;
    return std::int64_t{log16(static_cast<std::uint64_t>(squares) + kNothing)} *
           static_cast<std::int64_t>(kWindow) / 2;
}

}  // namespace

// The same mean size everywhere, so that no window weighs more than another.
void MatrixFinder::level(std::size_t count, const Values& values) {
    constexpr int kSpare = 8;  // bits, so that a window's sum has 64
    values_.resize(count);
    std::array<std::int64_t, kWindow> window;
    std::int64_t squares = 0;
    for (std::size_t at = 0; at < count; at += kWindow) {
        const auto part = std::span(window).first(std::min(kWindow, count - at));
        values(at, part);
        std::int64_t sum = 0;
        for (std::int64_t& value : part) sum += std::abs(value >>= kSpare);
        const std::int64_t unit =
            std::max<std::int64_t>(1, sum / (kLevel * static_cast<std::int64_t>(part.size())));
        for (std::size_t i = 0; i < part.size(); ++i) {
            const std::int64_t levelled = std::clamp(part[i] / unit, -kLevelMax, kLevelMax);
            values_[at + i] = static_cast<std::int16_t>(levelled);
            squares += levelled * levelled;
        }
    }
    const std::int64_t square =
        std::max<std::int64_t>(1, squares / static_cast<std::int64_t>(count));
    unit_ = square * square * static_cast<std::int64_t>(kWindow) / kScore;
}

std::int64_t MatrixFinder::window_score(std::size_t at, std::size_t lag) const {
    const std::int16_t* const a = values_.data() + at;
    const std::int16_t* const b = a + lag;
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < kWindow; ++i) sum += a[i] * b[i];
    return std::int64_t{sum} * sum / unit_ - kChance;
}

void MatrixFinder::score_lags(std::size_t begin, std::size_t end) {
    std::fill(scores_.begin(), scores_.end(), 0);
    for (std::size_t at = begin; at + kWindow <= end; at += kWindow * kWindowStep) {
        const std::size_t lags = std::min(values_.size() - at - kWindow, kRowElementsMax);
        for (std::size_t lag = kRowElementsMin; lag <= lags; ++lag)
            scores_[lag] += window_score(at, lag);
    }
    // Values that are like all their neighbours say nothing of rows.
    std::int64_t before = 0;
    for (std::size_t lag = kRowElementsMin; lag < kLags; ++lag) {
        const std::int64_t here = scores_[lag];
        const std::int64_t behind = lag + 1 < kLags ? scores_[lag + 1] : 0;
        scores_[lag] -= std::max({before, behind, std::int64_t{0}});
        before = here;
    }
    // A row is like the one after the next as well. A row's half is not, but for every other.
    for (std::size_t lag = kRowElementsMin; lag < kLags; ++lag)
        for (std::size_t many = 2 * lag; many < kLags; many += lag) scores_[lag] += scores_[many];
}

// The best row length for each block, lag 0 being none (A. Viterbi's way through all of them).
void MatrixFinder::choose_rows(std::size_t blocks) {
    scores_.assign(kLags, 0);
    totals_.assign(kLags, 0);
    stays_.assign(blocks * kLags, false);
    rows_.resize(blocks);
    const auto best = [&] {
        return static_cast<std::uint16_t>(std::max_element(totals_.begin(), totals_.end()) -
                                          totals_.begin());
    };
    for (std::size_t block = 0; block < blocks; ++block) {
        const std::size_t end = block + 1 < blocks ? (block + 1) * kBlock : values_.size();
        score_lags(block * kBlock, end);
        rows_[block] = best();
        const std::int64_t other = totals_[rows_[block]] - kChangeCost;
        for (std::size_t lag = 0; lag < kLags; ++lag) {
            const bool stay = totals_[lag] >= other;
            stays_[block * kLags + lag] = stay;
            totals_[lag] = (stay ? totals_[lag] : other) + scores_[lag];
        }
    }
    std::uint16_t row = best();
    for (std::size_t block = blocks; block-- > 0;) {
        const std::uint16_t other = rows_[block];
        rows_[block] = row;
        if (!stays_[block * kLags + row]) row = other;
    }
}

// Where, in this block or the next, the rows of this one end: up to there windows are like those a
// row before, and from there on like those a row behind.
std::size_t MatrixFinder::border(std::size_t block, std::size_t begin) const {
    const std::size_t left = rows_[block];
    const std::size_t right = rows_[block + 1];
    const std::size_t last = std::min(values_.size(), (block + 2) * kBlock);
    std::int64_t saved = 0;
    std::int64_t most = 0;
    std::size_t at = std::max(begin, block * kBlock);
    for (std::size_t i = at; i + kWindow <= last; i += kWindow) {
        if (left != 0 && i >= left) saved += window_score(i - left, left);
        if (right != 0 && i + right + kWindow <= values_.size()) saved -= window_score(i, right);
        if (saved > most) {
            most = saved;
            at = i + kWindow;
        }
    }
    return at;
}

// The likeness of two rows is the same from end to end, so that it adds up to most over whole rows.
std::uint16_t MatrixFinder::first_column(std::size_t begin, std::size_t end, std::size_t row) {
    scores_.assign(row, 0);  // of each place where rows may begin
    std::int64_t sum = 0;
    for (std::size_t i = begin; i + row < end; ++i) {
        sum += values_[i] * values_[i + row];
        if (i < begin + row) continue;
        sum -= values_[i - row] * values_[i];
        scores_[(i + 1 - begin) % row] += sum * sum / unit_;
    }
    const auto best = static_cast<std::size_t>(std::max_element(scores_.begin(), scores_.end()) -
                                               scores_.begin());
    return static_cast<std::uint16_t>((row - best) % row);
}

// Rows that do not pay are none.
Matrix MatrixFinder::matrix(std::size_t begin, std::size_t end, std::size_t row,
                            const Values& values, RowPredictor& predictor) {
    Matrix with_rows{.count = static_cast<std::uint32_t>(end - begin)};
    const Matrix without = with_rows;
    if (row == 0 || end - begin < kRowsMin * row) return without;
    with_rows.row = static_cast<std::uint16_t>(row);
    with_rows.column = first_column(begin, end, row);
    with_rows.shift = shift_for(begin, end, values);

    predictor.start(with_rows.row, with_rows.column);
    std::int64_t saved = -kMatrixCost - static_cast<std::int64_t>(end - begin);
    for_windows(begin, end, values, [&](std::span<const std::int64_t> window) {
        std::int64_t sum = 0;
        std::int64_t squares = 0;
        std::int64_t squares_left = 0;
        for (const std::int64_t exact : window) {
            const std::int32_t value = predictable(exact, with_rows);
            const std::int32_t predicted = predictor.predict();
            const std::int64_t left = value - predicted;
            sum += value;
            squares += std::int64_t{value} * value;
            squares_left += left * left;
            predictor.learn(value, predicted);
        }
        // What they have in common is found out without rows, too.
        squares -= sum * sum / static_cast<std::int64_t>(window.size());
        saved += cost_of_squares(squares) - cost_of_squares(squares_left);
    });
    return saved > 0 ? with_rows : without;
}

void MatrixFinder::find(std::size_t count, const Values& values, RowPredictor& predictor,
                        std::vector<Matrix>& matrices) {
    matrices.clear();
    level(count, values);
    const std::size_t blocks = std::max<std::size_t>(1, count / kBlock);
    choose_rows(blocks);
    std::size_t begin = 0;
    for (std::size_t block = 0; block < blocks; ++block) {
        const bool last = block + 1 == blocks;
        if (!last && rows_[block] == rows_[block + 1]) continue;
        const std::size_t end = last ? count : border(block, begin);
        if (end == begin) continue;
        const Matrix next = matrix(begin, end, rows_[block], values, predictor);
        const bool full = matrices.size() == kMatricesMax;
        if (!matrices.empty() && (full || (matrices.back().row == 0 && next.row == 0)))
            matrices.back().count += next.count;
        else
            matrices.push_back(next);
        begin = end;
    }
}

}  // namespace tributary::codec
