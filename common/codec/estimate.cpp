#include "common/codec/estimate.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "common/codec/elements.h"

namespace tributary::codec {
namespace {

constexpr int kFractionBits = 16;

// log2(1 + i/256) in units of 2^-16, by squaring: each doubling of the exponent gives one bit.
constexpr std::array<std::uint32_t, 256> make_log_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint64_t x = std::uint64_t{256 + i} << 23;  // in [1, 2), 31 fractional bits
        std::uint32_t bits = 0;
        for (int b = 0; b < kFractionBits; ++b) {
            x = (x * x) >> 31;
            bits <<= 1;
            if (x >= (std::uint64_t{2} << 31)) {
                bits |= 1;
                x >>= 1;
            }
        }
        table[i] = bits;
    }
    return table;
}
constexpr auto kLogTable = make_log_table();

// log2(value) in units of 2^-16, rounded down to what the top nine bits say; exact enough to choose
// by.
constexpr std::uint64_t log2_fixed(std::uint32_t value) {
    const auto exponent = static_cast<std::uint32_t>(std::bit_width(value) - 1);
    const std::uint32_t fraction = ((value << (31 - exponent)) >> 23) & 255;
    return (std::uint64_t{exponent} << kFractionBits) + kLogTable[fraction];
}

// count * log2(count). Samples are small, so that nearly all of it stands in a table.
constexpr std::uint32_t kTableCounts = 2048;
constexpr auto kCountLogs = [] {
    std::array<std::uint32_t, kTableCounts> table{};
    for (std::uint32_t count = 1; count < kTableCounts; ++count)
        table[count] = static_cast<std::uint32_t>(count * log2_fixed(count));
    return table;
}();
std::uint64_t count_log(std::uint32_t count) {
    return count < kTableCounts ? kCountLogs[count] : count * log2_fixed(count);
}

}  // namespace

std::uint64_t entropy(std::span<const std::uint32_t> counts) {
    std::uint32_t total = 0;
    for (const std::uint32_t count : counts) total += count;
    if (total == 0) return 0;
    std::uint64_t bits = total * log2_fixed(total);
    for (const std::uint32_t count : counts) bits -= count_log(count);
    return bits;
}

namespace {

// A sample's entropy is too small by about half a natural unit for each symbol but one (G. Miller,
// "Note on the bias of information estimates", 1955).
std::uint64_t unbiased(std::uint64_t bits, std::uint64_t symbols) {
    constexpr std::uint64_t kHalfNaturalUnit = 47274;  // in bits times 65536
    return bits + (symbols - 1) * kHalfNaturalUnit;
}

}  // namespace

std::uint64_t entropy_of_sampled(std::span<const std::uint32_t> counts, std::uint64_t count) {
    std::uint64_t total = 0;
    std::uint64_t symbols = 0;
    for (const std::uint32_t c : counts) {
        total += c;
        if (c != 0) ++symbols;
    }
    if (total == 0) return 0;
    return unbiased(entropy(counts), symbols) * count / total;
}

std::uint32_t millibits_each(std::span<const std::uint32_t> counts) {
    const std::uint64_t total = std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
    if (total == 0) return 0;
    return static_cast<std::uint32_t>((entropy(counts) * 1000 / total) >> kFractionBits);
}

void Histogram::add(ByteView bytes) {
    std::size_t i = 0;
    for (; i + 4 <= bytes.size(); i += 4) {
        const auto word = load<std::uint32_t>(bytes.data() + i);
        ++tables_[0][word & 255];
        ++tables_[1][word >> 8 & 255];
        ++tables_[2][word >> 16 & 255];
        ++tables_[3][word >> 24];
    }
    for (; i < bytes.size(); ++i) ++tables_[0][bytes[i]];
}

Spread Histogram::spread() const {
    std::array<std::uint32_t, 256> counts;
    for (std::size_t k = 0; k < counts.size(); ++k)
        counts[k] = tables_[0][k] + tables_[1][k] + tables_[2][k] + tables_[3][k];
    Spread spread;
    spread.bits = entropy(counts);
    for (const std::uint32_t count : counts) {
        spread.total += count;
        spread.symbols += count != 0;
    }
    spread.zeros = counts[0];
    return spread;
}

std::uint64_t Spread::cost_of(std::uint64_t count) const {
    if (total == 0) return 0;
    return std::min(unbiased(bits, symbols) * count / total, count << (kFractionBits + 3));
}

std::uint32_t Spread::millibits_per_byte() const {
    if (total == 0) return 0;
    return static_cast<std::uint32_t>((bits * 1000 / total) >> kFractionBits);
}

}  // namespace tributary::codec
