// Predicts each row of a matrix from the rows before, as a combination of a few directions that
// both the encoder and the decoder learn as they go: the steps of training are sums of outer
// products and so of low rank. Within a row it learns how much of each direction there is
// (normalised least mean squares, Widrow and Hoff 1960); behind it, the directions themselves (the
// subspace rule of Oja 1989). Integers of 16 and 32 bits only.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tributary::codec {

inline constexpr std::size_t kRowElementsMax = 2048;

class RowPredictor {
public:
    static constexpr std::int32_t kValueMax = 16383;

    // Forgets everything. `row`: elements of a row, 1 .. kRowElementsMax; the next value is that of
    // `column`, less than `row`.
    void start(std::size_t row, std::size_t column);
    // What the next value will be, from -kValueMax to kValueMax. Values of mean size 512 suit best.
    std::int32_t predict() const;
    // What it was; `predicted` is what predict() said.
    void learn(std::int32_t value, std::int32_t predicted);

private:
    static constexpr std::size_t kDirections = 32;
    using Vector = std::array<std::int16_t, kDirections>;

    static std::int32_t product(const Vector& a, const Vector& b);
    static void add(Vector& to, std::int32_t gain, const Vector& direction);
    void end_row();

    Vector amounts_{};                // of each direction in this row
    std::vector<Vector> directions_;  // column by column
    std::vector<std::int32_t> gains_;
    std::vector<std::int16_t> values_;  // of this row
    std::size_t row_ = 0;
    std::size_t first_ = 0;  // the first column of this row that was there
    std::size_t column_ = 0;
};

}  // namespace tributary::codec
