#include "common/codec/class_model.h"

#include <algorithm>
#include <bit>

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
}

// What a symbol has in common with others stands in together_ behind this place.
std::size_t ClassModel::kin(std::size_t context) const {
    return kinship_ == Kinship::same ? 0 : 4 * (kContexts - context);
}

void ClassModel::learn(std::uint32_t changed, bool lookup) {
    sum_up();
    for (std::size_t context = 0; context < kContexts; ++context)
        if ((changed >> context & 1) != 0) make(context, lookup);
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
    together_total_ = 0;
    together_end_ = 0;
    for (std::size_t i = 0; i < together_.size(); ++i) {
        together_total_ += together_[i];
        if (together_[i] != 0) together_end_ = i + 1;
    }
}

void ClassModel::make(std::size_t context, bool lookup) {
    Table& table = tables_[context];
    const auto& counts = counts_[context];
    const std::uint32_t scale =
        together_total_ == 0 ? 0 : (kTogetherCounts * kCountWeight << kScaleBits) / together_total_;
    const auto weight_of = [&](std::uint32_t count, std::uint32_t shared) {
        return count * kCountWeight + (shared != 0 ? 1 : 0) + (shared * scale >> kScaleBits);
    };
    // Behind `end` no symbol is live, and none ever was.
    const std::size_t behind = kin(context);
    const std::size_t end =
        std::min(symbols_, std::max<std::size_t>(together_end_, behind + 1) - behind);
    std::array<std::uint32_t, kSymbols> weights;
    weights[0] = weight_of(counts[0], together_[0]);
    for (std::size_t symbol = 1; symbol < end; ++symbol)
        weights[symbol] = weight_of(counts[symbol], together_[behind + symbol]);
    std::uint32_t total = 0;
    std::uint32_t live = 0;
    std::size_t heaviest = 0;
    for (std::size_t symbol = 0; symbol < end; ++symbol) {
        total += weights[symbol];
        if (weights[symbol] != 0) ++live;
        if (weights[symbol] > weights[heaviest]) heaviest = symbol;
    }

    // The less is known, the likelier is something new. Never all: a frequency stays below the
    // total.
    constexpr std::uint32_t kAll = kProbabilityTotal;
    std::uint32_t escape = kAll - 1;
    if (live != 0)
        escape = std::clamp<std::uint32_t>(2 * kAll / (total / kCountWeight + 1), 1, kAll / 4);
    const std::uint32_t rest = kAll - escape;
    std::uint32_t start = 0;
    // Each live symbol has one; the others are divided by weight, and the heaviest takes what
    // rounding leaves. 32 bits do: a weight times `per_weight` is at most `divided` << kShareBits.
    constexpr unsigned kShareBits = 20;
    static_assert(kAll <= 1u << (32 - kShareBits));
    const std::uint32_t divided = rest - std::min(rest, live);
    const auto bits = static_cast<unsigned>(std::bit_width(total));
    const unsigned drop = bits > kShareBits ? bits - kShareBits : 0;
    const std::uint32_t per_weight = live == 0 ? 0 : (divided << kShareBits) / (total >> drop);
    const auto share = [&](std::uint32_t weight) {
        return (weight >> drop) * per_weight >> kShareBits;
    };
    std::uint32_t left = divided;
    for (std::size_t symbol = 0; symbol < end; ++symbol) left -= share(weights[symbol]);
    for (std::size_t symbol = 0; symbol < end; ++symbol) {
        std::uint32_t frequency = 0;
        if (live == 0)
            frequency = symbol == 0 ? 1 : 0;
        else if (weights[symbol] != 0)
            frequency = 1 + share(weights[symbol]) + (symbol == heaviest ? left : 0);
        table.slots[symbol] = {static_cast<std::uint16_t>(frequency),
                               static_cast<std::uint16_t>(start)};
        if (lookup)
            std::fill_n(table.symbol_at.begin() + start, frequency,
                        static_cast<std::uint8_t>(symbol));
        start += frequency;
    }
    table.slots[kEscape] = {static_cast<std::uint16_t>(escape), static_cast<std::uint16_t>(start)};
    if (lookup) std::fill_n(table.symbol_at.begin() + start, escape, kEscape);
}

}  // namespace tributary::codec
