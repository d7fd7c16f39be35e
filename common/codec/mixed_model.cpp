#include "common/codec/mixed_model.h"

namespace tributary::codec {
namespace {

// In all arrays of arrays.
void fill(Counter& counter, Counter value) { counter = value; }
template <class Array>
void fill(Array& array, Counter value) {
    for (auto& inner : array) fill(inner, value);
}

constexpr std::uint32_t kEven = 1u << 15;
constexpr std::uint32_t kBelieved = 2;

}  // namespace

void MixedModel::reset() {
    sign_before_ = 0;
    lengths_.reset();
    signs_.reset();
    bits_.reset();
    const Counter even(kEven, 0);
    fill(length_by_scale_, even);
    fill(length_by_missing_, even);
    fill(sign_by_length_, even);
    fill(sign_by_likeness_, even);
    fill(sign_by_missing_, even);
    fill(sign_alone_, even);
    fill(sign_by_before_, even);
    fill(bit_by_likeness_, even);
    fill(bit_by_length_, even);
    fill(length_by_expected_, even);
    // The longer than expected, the less likely, by about e^1.6 for each bit.
    for (std::size_t path = 0; path < kPaths; ++path) {
        constexpr std::array<int, kPaths> kKnown = {128, -51, 307};
        for (std::size_t i = 0; i < kLikeness; ++i) {
            const int more = 4 * (static_cast<int>(i) - static_cast<int>(kLikeness / 2)) + 2;
            const Counter likely(squash(kKnown[path] - 26 * more), kBelieved);
            for (auto& of_length : length_by_usual_) of_length[path][i] = likely;
            for (auto& of_length : length_by_recent_) of_length[path][i] = likely;
        }
    }
}

}  // namespace tributary::codec
