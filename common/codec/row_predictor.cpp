#include "common/codec/row_predictor.h"

#include <algorithm>

namespace tributary::codec {
namespace {

// Directions and amounts have 10 bits below 1, values 9.
constexpr std::int32_t kPartMax = 8191;
constexpr std::uint32_t kOne = 1 << 20;  // of products
constexpr std::int32_t kGainMax = 1023;  // so that 16 bits hold 32 times as much
constexpr std::uint32_t kAmountRate = 24 << 24;     // 3/8
constexpr std::uint32_t kDirectionRate = 36 << 24;  // 9/16
constexpr std::uint32_t kSeed = 1;
constexpr std::int32_t kStartMax = 128;

std::int32_t to_value(std::int32_t product) {
    return std::clamp(product >> 11, -RowPredictor::kValueMax, RowPredictor::kValueMax);
}

// The longer the vector that is added, the less of it.
std::int32_t rate_of(std::uint32_t rate, std::int32_t square) {
    return static_cast<std::int32_t>(rate / (static_cast<std::uint32_t>(square) + kOne));
}

std::int32_t gain_of(std::int32_t miss, std::int32_t rate) {
    return std::clamp((miss * rate) >> 9, -kGainMax, kGainMax);
}

}  // namespace

// Never more than 32 * 8191^2, which 31 bits hold.
std::int32_t RowPredictor::product(const Vector& a, const Vector& b) {
    static_assert(std::int64_t{kDirections} * kPartMax * kPartMax <= 0x7fffffff);
    std::int32_t sum = 0;
    for (std::size_t k = 0; k < kDirections; ++k) sum += a[k] * b[k];
    return sum;
}

// (gain * direction + 512) >> 10, as 16-bit multiplications have it.
void RowPredictor::add(Vector& to, std::int32_t gain, const Vector& direction) {
    const auto factor = static_cast<std::int16_t>(gain * 32);
    for (std::size_t k = 0; k < kDirections; ++k) {
        const auto times_4 = static_cast<std::int16_t>(direction[k] * 4);
        const auto twice = static_cast<std::int16_t>((factor * times_4) >> 16);
        const auto part = static_cast<std::int16_t>(to[k] + ((twice + 1) >> 1));
        to[k] = std::clamp(part, static_cast<std::int16_t>(-kPartMax),
                           static_cast<std::int16_t>(kPartMax));
    }
}

void RowPredictor::start(std::size_t row, std::size_t column) {
    row_ = row;
    first_ = column_ = column;
    amounts_.fill(0);
    directions_.resize(row);
    gains_.resize(row);
    values_.resize(row);
    std::uint32_t random = kSeed;
    for (std::size_t i = 0; i < row; ++i) {
        for (std::int16_t& part : directions_[i]) {
            random = random * 1664525 + 1013904223;
            part = static_cast<std::int16_t>(
                static_cast<std::int32_t>((random >> 16) % (2 * kStartMax + 1)) - kStartMax);
        }
        gains_[i] = rate_of(kAmountRate, product(directions_[i], directions_[i]));
    }
}

std::int32_t RowPredictor::predict() const {
    return to_value(product(directions_[column_], amounts_));
}

void RowPredictor::learn(std::int32_t value, std::int32_t predicted) {
    values_[column_] = static_cast<std::int16_t>(value);
    const std::int32_t miss = std::clamp(value - predicted, -kValueMax, kValueMax);
    add(amounts_, gain_of(miss, gains_[column_]), directions_[column_]);
    if (++column_ == row_) end_row();
}

void RowPredictor::end_row() {
    const std::int32_t rate = rate_of(kDirectionRate, product(amounts_, amounts_));
    for (std::size_t i = first_; i < row_; ++i) {
        const std::int32_t predicted = to_value(product(directions_[i], amounts_));
        const std::int32_t miss = std::clamp(values_[i] - predicted, -kValueMax, kValueMax);
        add(directions_[i], gain_of(miss, rate), amounts_);
        gains_[i] = rate_of(kAmountRate, product(directions_[i], directions_[i]));
    }
    amounts_.fill(0);
    first_ = column_ = 0;
}

}  // namespace tributary::codec
