#include "common/codec/numeric.h"

#include <algorithm>
#include <array>

#include "common/codec/estimate.h"
#include "common/codec/typed.h"

namespace tributary::codec {
namespace {

// In 1/1000 bit a byte, as a sample shows them: random bytes show 7,800 and more.
constexpr std::uint32_t kNoisyFrom = 7000;
constexpr std::uint32_t kPredictableTo = 6000;
constexpr std::uint32_t kQuantisedFrom = 6500;
constexpr std::uint32_t kQuantisedTo = 7700;

// Text lies below, weights of any type above.
constexpr std::uint32_t kNumericFrom = 6000;
constexpr std::size_t kGuessBytesMin = 4096;

struct Candidate {
    ElementType type;
    bool alone;  // worth a look without base; of single bytes zstd sees as much
};
// bf16 differs from f16 in no step of the coding.
constexpr std::array<Candidate, 3> kCandidates = {{
    {ElementType::f32, true},
    {ElementType::f16, true},
    {ElementType::i8, false},
}};

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
            least = std::min(least, histogram.millibits_per_byte());
            most = std::max(most, histogram.millibits_per_byte());
        }
        if (least <= kPredictableTo && most >= kNoisyFrom) return true;
    }
    Histogram histogram;
    histogram.add(sample);
    const std::uint32_t millibits = histogram.millibits_per_byte();
    return millibits >= kQuantisedFrom && millibits <= kQuantisedTo;
}

std::optional<Guess> guess_elements(ByteView plain, ByteView base) {
    if (plain.size() < kGuessBytesMin) return std::nullopt;
    Histogram histogram;
    histogram.add(plain.subspan((plain.size() - kGuessBytesMin) / 2, kGuessBytesMin));
    if (histogram.millibits_per_byte() < kNumericFrom) return std::nullopt;

    const std::uint64_t bits = std::uint64_t{plain.size()} * 8 << 16;
    std::uint64_t least = bits / 16 * 15;
    std::optional<Guess> best;
    const auto look = [&](const Piece& piece, ByteView with) {
        const std::uint64_t cost = estimate_planes(piece, with);
        if (cost >= least) return;
        least = cost;
        best = Guess{piece.type, piece.phase, !with.empty()};
    };
    for (const Candidate& candidate : kCandidates)
        for (std::uint8_t phase = 0; phase < element_bytes(candidate.type); ++phase) {
            const Piece piece{plain, candidate.type, phase};
            if (!base.empty()) look(piece, base);
            if (candidate.alone) look(piece, {});
        }
    return best;
}

}  // namespace tributary::codec
