// Where in a piece the rows of matrices lie, found by what the encoder sees alone: the steps that
// training takes add up to few directions (gradients are outer products), so that the rows of a
// matrix of steps are like, or opposite to, one another. At a distance other than a row's length
// they are not.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "common/codec/row_predictor.h"

namespace tributary::codec {

inline constexpr std::size_t kRowElementsMin = 16;

// `count` elements in rows of `row` elements; row 0: no rows to speak of.
struct Matrix {
    std::uint32_t count = 0;
    std::uint16_t row = 0;
    std::uint16_t column = 0;  // of the first element
    std::uint8_t shift = 0;    // bits by which values are larger than the predictor's
    bool operator==(const Matrix&) const = default;
};

inline constexpr unsigned kMatrixShiftMax = 47;
inline constexpr std::size_t kMatricesMax = 255;

// What the predictor is told of a value.
inline std::int32_t predictable(std::int64_t value, const Matrix& matrix) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(
        value >> matrix.shift, -RowPredictor::kValueMax, RowPredictor::kValueMax));
}

// Holds its buffers: 32 KiB, 2 bytes an element, and 258 for each 4,096 elements.
class MatrixFinder {
public:
    // Fills in the values of elements `first` and up; less than 2^63 in size.
    using Values = std::function<void(std::size_t first, std::span<std::int64_t> out)>;
    // The matrices that so many elements are made of, in order; rows only where `predictor` finds
    // that they pay. At most kMatricesMax.
    void find(std::size_t count, const Values& values, RowPredictor& predictor,
              std::vector<Matrix>& matrices);

private:
    static constexpr std::size_t kLags = kRowElementsMax + 1;

    void level(std::size_t count, const Values& values);
    std::int64_t window_score(std::size_t at, std::size_t lag) const;
    void score_lags(std::size_t begin, std::size_t end);
    void choose_rows(std::size_t blocks);
    std::size_t border(std::size_t block, std::size_t begin) const;
    std::uint16_t first_column(std::size_t begin, std::size_t end, std::size_t row);
    Matrix matrix(std::size_t begin, std::size_t end, std::size_t row, const Values& values,
                  RowPredictor& predictor);

    std::vector<std::int16_t> values_;
    std::int64_t unit_ = 1;             // what a window scores by chance, in 1 / kScore
    std::vector<std::int64_t> scores_;  // of each lag in the block at hand, or of each column
    std::vector<std::int64_t> totals_;  // of the best way to each lag
    std::vector<bool> stays_;           // block by block, lag by lag: that way came from the same
    std::vector<std::uint16_t> rows_;   // of each block; before that, the best lag before it
};

}  // namespace tributary::codec
