#include "common/codec/runs.h"

#include <algorithm>
#include <array>

#include "common/codec/classes.h"
#include "common/codec/estimate.h"
#include "common/codec/planes.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kNumericBytesMin = 4096;
// Text lies below, weights of any type above; in 1/1000 bit a byte.
constexpr std::uint32_t kNumericFrom = 6000;

// Types are guessed for slices, and where they change, the place is sought in steps.
constexpr std::size_t kSliceBytes = 16384;
constexpr std::size_t kSlicesMax = limits::kPieceBytesMax / kSliceBytes;
constexpr std::array<std::size_t, 2> kStepBytes = {4096, 1024};  // first coarse, then fine
constexpr std::size_t kSampled = 512;                            // elements of a slice

// A candidate whose top bytes are worth more than this is not tried; in 1/1000 bit a byte.
constexpr std::uint32_t kTopByteTo = 6500;

// Where the bytes of every four differ by more than this, they are not one number each.
constexpr std::uint32_t kAlikeWithin = 2000;

// Of slices whose bytes differ by less, lane by lane, what is best for one is for the other. Every
// so many slices all candidates are asked.
constexpr std::uint32_t kLanesWithin = 500;
constexpr std::size_t kStride = 4;

// What another run costs besides its elements: its header and tables that learn anew.
constexpr std::uint64_t kRunCost = std::uint64_t{200} * 8 << 16;

// How the elements of a slice may be understood. Phases count from the piece's start.
struct Candidate {
    ElementType type;
    std::uint8_t phase;
    bool delta;
};
constexpr std::array<Candidate, 18> kCandidates = {{
    {ElementType::bytes, 0, false},
    {ElementType::f32, 0, true},
    {ElementType::f32, 1, true},
    {ElementType::f32, 2, true},
    {ElementType::f32, 3, true},
    {ElementType::f32, 0, false},
    {ElementType::f32, 1, false},
    {ElementType::f32, 2, false},
    {ElementType::f32, 3, false},
    {ElementType::f16, 0, true},
    {ElementType::f16, 1, true},
    {ElementType::f16, 0, false},
    {ElementType::f16, 1, false},
    {ElementType::bf16, 0, true},
    {ElementType::bf16, 1, true},
    {ElementType::bf16, 0, false},
    {ElementType::bf16, 1, false},
    {ElementType::i8, 0, true},
}};
using Costs = std::array<std::uint64_t, kCandidates.size()>;

std::uint8_t phase_at(const Candidate& candidate, std::size_t offset) {
    const std::size_t width = element_bytes(candidate.type);
    return static_cast<std::uint8_t>((candidate.phase + width - offset % width) % width);
}

// Byte planes without a base, in bits times 65536.
std::uint64_t estimate_alone(const Piece& piece, std::size_t sampled) {
    constexpr std::size_t kSampleRuns = 8;
    const Elements e = elements_of(piece.type, piece.phase, piece.plain.size());
    std::array<std::array<std::uint32_t, 256>, 4> counts{};
    std::array<std::uint8_t, 4 * kSampled> planes;
    sample(e.count, kSampleRuns, sampled / kSampleRuns, [&](std::size_t first, std::size_t length) {
        split(piece.type, piece.plain.data() + e.head + first * e.width, length, planes.data(),
              length);
        for (std::size_t k = 0; k < e.width; ++k)
            for (std::size_t i = 0; i < length; ++i) ++counts[k][planes[k * length + i]];
    });
    std::uint64_t bits = 0;
    for (std::size_t k = 0; k < e.width; ++k)
        bits += std::min(entropy_of_sampled(counts[k], e.count), std::uint64_t{e.count} << 19);
    return bits;
}

std::uint64_t estimate_bytes(ByteView plain, std::size_t sampled) {
    constexpr std::size_t kSampleRuns = 8;
    std::array<std::uint32_t, 256> counts{};
    sample(plain.size(), kSampleRuns, sampled / kSampleRuns,
           [&](std::size_t first, std::size_t length) {
               for (const std::uint8_t byte : plain.subspan(first, length)) ++counts[byte];
           });
    return std::min(entropy_of_sampled(counts, plain.size()), std::uint64_t{plain.size()} << 19);
}

// Bytes at offset 0 to 3 of every four, in 1/1000 bit a byte. Sign and exponent of a number tell
// themselves by how few values they take, and so where numbers lie, and how wide they are.
struct Lanes {
    Lanes() = default;
    explicit Lanes(ByteView slice) {
        constexpr std::size_t kSampleRuns = 8;
        std::array<std::array<std::uint32_t, 256>, 4> counts{};
        sample(slice.size() / 4, kSampleRuns, kSampled / kSampleRuns,
               [&](std::size_t first, std::size_t length) {
                   for (std::size_t i = first; i < first + length; ++i)
                       for (std::size_t k = 0; k < counts.size(); ++k)
                           ++counts[k][slice[4 * i + k]];
               });
        for (std::size_t k = 0; k < counts.size(); ++k) millibits[k] = millibits_each(counts[k]);
    }
    bool may_be(const Candidate& candidate) const {
        const std::size_t width = element_bytes(candidate.type);
        const auto [least, most] = std::minmax_element(millibits.begin(), millibits.end());
        if (candidate.type == ElementType::i8) return *most - *least < kAlikeWithin;
        if (width == 1) return true;
        const std::size_t first = candidate.phase + width - 1;
        for (std::size_t top = first; top < first + 4; top += width)
            if (millibits[top % 4] > kTopByteTo) return false;
        return true;
    }
    bool alike(const Lanes& other) const {
        for (std::size_t k = 0; k < millibits.size(); ++k)
            if (std::max(millibits[k], other.millibits[k]) -
                    std::min(millibits[k], other.millibits[k]) >
                kLanesWithin)
                return false;
        return true;
    }
    std::array<std::uint32_t, 4> millibits;
};

class Finder {
public:
    Finder(ByteView plain, ByteView base) : plain_(plain), base_(base) {}

    void find(std::vector<Run>& runs) {
        const std::size_t slices = std::max<std::size_t>(1, plain_.size() / kSliceBytes);
        choose(slices);
        std::size_t begin = 0;
        for (std::size_t i = 0; i < slices; ++i) {
            if (i + 1 < slices && chosen_[i] == chosen_[i + 1]) continue;
            const std::size_t end = i + 1 < slices ? border(i, kCandidates[chosen_[i]],
                                                            kCandidates[chosen_[i + 1]], begin)
                                                   : plain_.size();
            const Candidate& candidate = kCandidates[chosen_[i]];
            if (end > begin)
                runs.push_back(
                    {end - begin, candidate.type, phase_at(candidate, begin), candidate.delta});
            begin = end;
        }
    }

private:
    std::uint64_t cost(const Candidate& candidate, std::size_t offset, std::size_t bytes,
                       std::size_t sampled) const {
        const ByteView plain = plain_.subspan(offset, bytes);
        // Numbers must save a thirty-second of what bytes cost.
        if (candidate.type == ElementType::bytes) {
            const std::uint64_t bits = estimate_bytes(plain, sampled);
            return bits - bits / 32;
        }
        const Piece piece{plain, candidate.type, phase_at(candidate, offset)};
        if (!candidate.delta) return estimate_alone(piece, sampled);
        return estimate_classes(piece, base_.subspan(offset), sampled);
    }
    bool possible(const Candidate& candidate, std::size_t offset) const {
        return !candidate.delta || offset < base_.size();
    }

    // What each candidate costs for each slice; the last slice has what is left over.
    void estimate(std::size_t slices) {
        estimate_slice(0, slices);
        for (std::size_t i = 0; i + 1 < slices;) {
            const std::size_t next = std::min(i + kStride, slices - 1);
            estimate_slice(next, slices);
            for (std::size_t between = i + 1; between < next; ++between)
                if (!take_like(i, next, between, slices)) estimate_slice(between, slices);
            i = next;
        }
    }
    void estimate_slice(std::size_t i, std::size_t slices) {
        const auto [offset, bytes] = slice(i, slices);
        lanes_[i] = Lanes(plain_.subspan(offset, bytes));
        for (std::size_t k = 0; k < kCandidates.size(); ++k)
            costs_[i][k] = possible(kCandidates[k], offset) && lanes_[i].may_be(kCandidates[k])
                               ? cost(kCandidates[k], offset, bytes, kSampled)
                               : too_much(bytes);
    }
    // Slice i between two that suit one candidate best, and that it looks like, suits it too.
    bool take_like(std::size_t a, std::size_t b, std::size_t i, std::size_t slices) {
        const auto best = [&](std::size_t at) {
            return std::min_element(costs_[at].begin(), costs_[at].end()) - costs_[at].begin();
        };
        if (best(a) != best(b)) return false;
        const auto [offset, bytes] = slice(i, slices);
        lanes_[i] = Lanes(plain_.subspan(offset, bytes));
        if (!lanes_[i].alike(lanes_[a]) && !lanes_[i].alike(lanes_[b])) return false;
        costs_[i].fill(too_much(bytes));
        costs_[i][static_cast<std::size_t>(best(a))] = 0;
        return true;
    }
    static std::uint64_t too_much(std::size_t bytes) { return std::uint64_t{bytes} << 20; }
    struct Slice {
        std::size_t offset;
        std::size_t bytes;
    };
    Slice slice(std::size_t i, std::size_t slices) const {
        const std::size_t offset = i * kSliceBytes;
        return {offset, i + 1 < slices ? kSliceBytes : plain_.size() - offset};
    }

    // The cheapest way through all slices.
    void choose(std::size_t slices) {
        estimate(slices);
        std::array<std::array<std::uint8_t, kCandidates.size()>, kSlicesMax> from;
        Costs total{};
        for (std::size_t i = 0; i < slices; ++i) {
            const auto best = std::min_element(total.begin(), total.end());
            const std::uint64_t other = *best + kRunCost;
            const auto best_index = static_cast<std::uint8_t>(best - total.begin());
            for (std::size_t k = 0; k < kCandidates.size(); ++k) {
                const bool stay = total[k] <= other;
                from[i][k] = stay ? static_cast<std::uint8_t>(k) : best_index;
                if (!stay) total[k] = other;
            }
            for (std::size_t k = 0; k < kCandidates.size(); ++k) total[k] += costs_[i][k];
        }
        auto k =
            static_cast<std::uint8_t>(std::min_element(total.begin(), total.end()) - total.begin());
        for (std::size_t i = slices; i-- > 0; k = from[i][k]) chosen_[i] = k;
    }

    // Between slice i, which is `a`, and the next, which is `b`: where it is cheapest to go over
    // from one to the other. Either slice may be of both kinds.
    std::size_t border(std::size_t i, const Candidate& a, const Candidate& b,
                       std::size_t begin) const {
        std::size_t first = std::max(begin, i * kSliceBytes);
        std::size_t last = std::min(plain_.size(), (i + 2) * kSliceBytes);
        std::size_t at = first;
        for (const std::size_t step : kStepBytes) {
            at = border(first, last, step, a, b);
            first = std::max(first, at - std::min(at, step));
            last = std::min(last, at + step);
        }
        return at;
    }
    std::size_t border(std::size_t first, std::size_t last, std::size_t step, const Candidate& a,
                       const Candidate& b) const {
        std::int64_t saved = 0;  // by taking what is before as `a`
        std::int64_t most = 0;
        std::size_t at = first;
        for (std::size_t offset = first; offset + step <= last; offset += step) {
            if (!possible(a, offset) || !possible(b, offset)) break;
            saved += static_cast<std::int64_t>(cost(b, offset, step, kSampled));
            saved -= static_cast<std::int64_t>(cost(a, offset, step, kSampled));
            if (saved > most) {
                most = saved;
                at = offset + step;
            }
        }
        return at;
    }

    ByteView plain_;
    ByteView base_;
    std::array<Lanes, kSlicesMax> lanes_;
    std::array<Costs, kSlicesMax> costs_;
    std::array<std::uint8_t, kSlicesMax> chosen_{};
};

}  // namespace

void find_runs(ByteView plain, ByteView base, std::vector<Run>& runs) {
    runs.clear();
    Histogram histogram;
    sample(plain.size(), 16, kNumericBytesMin / 16, [&](std::size_t first, std::size_t length) {
        histogram.add(plain.subspan(first, length));
    });
    if (plain.size() >= kNumericBytesMin && histogram.spread().millibits_per_byte() >= kNumericFrom)
        Finder(plain, base).find(runs);
    else
        runs.push_back({plain.size(), ElementType::bytes, 0, false});
}

}  // namespace tributary::codec
