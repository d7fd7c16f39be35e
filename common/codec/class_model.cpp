#include "common/codec/class_model.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

namespace tributary::codec {
namespace {

// A count weighs this much; what all contexts have seen together weighs as much as this many.
constexpr std::uint32_t kCountWeight = 256;
constexpr std::uint32_t kTogetherCounts = 16;
// Weights are 32-bit: a piece has at most 2^20 elements.
constexpr unsigned kScaleBits = 16;
static_assert(std::uint64_t{kTogetherCounts} * kCountWeight << kScaleBits <= 0xffffffff);

}  // namespace

void ClassModel::reset(std::size_t symbols, Kinship kinship) {
    symbols_ = symbols;
    kinship_ = kinship;
    for (auto& counts : counts_) counts.fill(0);
    for (Table& table : tables_) table.slots.fill({0, 0});
    counted_.fill(true);
}

// What a symbol has in common with others stands in together_ behind this place.
std::size_t ClassModel::kin(std::size_t context) const {
    return kinship_ == Kinship::same ? 0 : 4 * (kContexts - context);
}

void ClassModel::learn(bool lookup) {
    sum_up();
    for (std::size_t context = 0; context < kContexts; ++context)
        if (std::exchange(counted_[context], false)) make(context, lookup);
}

// Symbol 0 means the same in every context.
void ClassModel::sum_up() {
    together_.fill(0);
    for (std::size_t context = 0; context < kContexts; ++context) {
        const auto& counts = counts_[context];
        together_[0] += counts[0];
        std::uint32_t* const to = together_.data() + kin(context);
        for (std::size_t symbol = 1; symbol < symbols_; ++symbol) to[symbol] += counts[symbol];
    }
    together_total_ = std::accumulate(together_.begin(), together_.end(), std::uint32_t{0});
    together_begin_ = 1;
    together_end_ = together_.size();
    while (together_begin_ < together_end_ && together_[together_begin_] == 0) ++together_begin_;
    while (together_begin_ < together_end_ && together_[together_end_ - 1] == 0) --together_end_;
}

void ClassModel::make(std::size_t context, bool lookup) {
    Table& table = tables_[context];
    const auto& counts = counts_[context];
    const std::uint32_t scale =
        together_total_ == 0 ? 0 : (kTogetherCounts * kCountWeight << kScaleBits) / together_total_;
    const auto weight_of = [&](std::uint32_t count, std::uint32_t shared) {
        return count * kCountWeight + (shared != 0 ? 1 : 0) + (shared * scale >> kScaleBits);
    };
    // Outside of first .. end no symbol but 0 is live, and none ever was: only these have places,
    // 0 the first one.
    const std::size_t behind = kin(context);
    const std::size_t first = std::max(together_begin_, behind + 1) - behind;
    const std::size_t end = std::min(symbols_, std::max(together_end_, behind + first) - behind);
    const std::size_t places = 1 + end - std::min(first, end);
    std::array<std::uint32_t, kSymbols> weights;
    weights[0] = weight_of(counts[0], together_[0]);
    for (std::size_t i = 1; i < places; ++i)
        weights[i] = weight_of(counts[first - 1 + i], together_[behind + first - 1 + i]);
    std::uint32_t total = 0;
    std::uint32_t live = 0;
    std::int32_t most = 0;  // signed: SSE2 has no maximum of others
    for (std::size_t i = 0; i < places; ++i) {
        total += weights[i];
        live += weights[i] != 0 ? 1u : 0u;
        most = std::max(most, static_cast<std::int32_t>(weights[i]));
    }

    // The less is known, the likelier is something new. Never all: a frequency stays below the
    // total.
    constexpr std::uint32_t kAll = kProbabilityTotal;
    std::uint32_t escape = kAll - 1;
    if (live != 0)
        escape = std::clamp<std::uint32_t>(2 * kAll / (total / kCountWeight + 1), 1, kAll / 4);
    const std::uint32_t rest = kAll - escape;
    // Each live symbol has one; the others are divided by weight, and the first of the heaviest
    // takes what rounding leaves. 32 bits do: a weight times `per_weight` is at most `divided`
    // << kShareBits.
    constexpr unsigned kShareBits = 20;
    static_assert(kAll <= 1u << (32 - kShareBits));
    const std::uint32_t divided = rest - std::min(rest, live);
    const auto bits = static_cast<unsigned>(std::bit_width(total));
    const unsigned drop = bits > kShareBits ? bits - kShareBits : 0;
    const std::uint32_t per_weight = live == 0 ? 0 : (divided << kShareBits) / (total >> drop);
    std::array<std::uint32_t, kSymbols> frequencies;
    std::uint32_t given = 0;
    for (std::size_t i = 0; i < places; ++i) {
        frequencies[i] =
            ((weights[i] >> drop) * per_weight >> kShareBits) + (weights[i] != 0 ? 1u : 0u);
        given += frequencies[i];
    }
    const auto heaviest =
        std::find(weights.begin(), weights.end(), static_cast<std::uint32_t>(most)) -
        weights.begin();
    frequencies[static_cast<std::size_t>(heaviest)] += rest - given;

    std::uint32_t start = 0;
    for (std::size_t i = 0; i < places; ++i) {
        table.slots[i == 0 ? 0 : first - 1 + i] = {static_cast<std::uint16_t>(frequencies[i]),
                                                   static_cast<std::uint16_t>(start)};
        start += frequencies[i];
    }
    table.slots[kEscape] = {static_cast<std::uint16_t>(escape), static_cast<std::uint16_t>(start)};
    if (!lookup) return;
    std::uint8_t* at = table.symbol_at.data();
    for (std::size_t i = 0; i < places; ++i)
        at = std::fill_n(at, frequencies[i], static_cast<std::uint8_t>(i == 0 ? 0 : first - 1 + i));
    std::fill_n(at, escape, kEscape);
}

}  // namespace tributary::codec
