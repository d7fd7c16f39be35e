#include "common/codec/numeric.h"

#include <algorithm>

#include "common/codec/estimate.h"

namespace tributary::codec {
namespace {

// In 1/1000 bit a byte, as a sample shows them: random bytes show 7,800 and more.
constexpr std::uint32_t kNoisyFrom = 7000;
constexpr std::uint32_t kPredictableTo = 6000;
constexpr std::uint32_t kQuantisedFrom = 6500;
constexpr std::uint32_t kQuantisedTo = 7700;

}  // namespace

bool looks_numeric(ByteView sample) {
    for (const std::size_t width : {std::size_t{4}, std::size_t{2}}) {
        Bytes column(sample.size() / width);
        std::uint32_t least = 8000;
        std::uint32_t most = 0;
        for (std::size_t k = 0; k < width; ++k) {
            for (std::size_t i = 0; i < column.size(); ++i) column[i] = sample[i * width + k];
            Histogram histogram;
            histogram.add(column);
            least = std::min(least, histogram.spread().millibits_per_byte());
            most = std::max(most, histogram.spread().millibits_per_byte());
        }
        if (least <= kPredictableTo && most >= kNoisyFrom) return true;
    }
    Histogram histogram;
    histogram.add(sample);
    const std::uint32_t millibits = histogram.spread().millibits_per_byte();
    return millibits >= kQuantisedFrom && millibits <= kQuantisedTo;
}

}  // namespace tributary::codec
