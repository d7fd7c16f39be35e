// How likely the next bit is set, as several contexts see it, and what they say together: counters
// and a mixer that learns which of them to believe (logistic mixing, M. Mahoney, "Adaptive Weighing
// of Context Models for Lossless Data Compression", 2005). Integers only.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/codec/logistic.h"

namespace tributary::codec {

// The share of set bits in one context: soon from the first few, later from the last few hundred.
class Counter {
public:
    static constexpr std::uint32_t kSeenMax = 255;

    Counter() = default;
    // `probability` of 16 bits, believed as if so many bits had been seen.
    constexpr Counter(std::uint32_t probability, std::uint32_t seen)
        : state_(probability << 16 | seen) {}

    int stretched() const { return kStretched[state_ >> 20]; }
    void learn(bool bit) {
        const std::uint32_t seen = state_ & kSeenMask;
        const auto probability = static_cast<std::int32_t>(state_ >> kSeenBits);
        const std::int32_t miss = (bit ? kOne : 0) - probability;
        const auto change =
            static_cast<std::int32_t>((std::int64_t{miss} * kRates[seen]) >> kRateBits);
        state_ = static_cast<std::uint32_t>(probability + change) << kSeenBits |
                 (seen + (seen < kSeenMax ? 1 : 0));
    }

private:
    static constexpr unsigned kSeenBits = 10;
    static constexpr std::uint32_t kSeenMask = (1u << kSeenBits) - 1;
    static constexpr std::int32_t kOne = (1 << 22) - 1;
    static constexpr unsigned kRateBits = 16;
    // 1 / (seen + 1.5)
    static constexpr auto kRates = [] {
        std::array<std::int32_t, kSeenMax + 1> rates{};
        for (std::size_t i = 0; i < rates.size(); ++i)
            rates[i] = static_cast<std::int32_t>((2u << kRateBits) / (2 * i + 3));
        return rates;
    }();
    // 22 bits of probability, then how many bits were seen, at most kSeenMax.
    std::uint32_t state_ = (1u << 31) | 0;
};

// What the stretched probabilities of `kInputs` counters, and a constant, say together. Which
// weights they have is up to the set.
template <std::size_t kInputs, std::size_t kSets>
class Mixer {
public:
    void reset() {
        for (Set& set : sets_) {
            set.weights.fill(kWeightAtFirst);
            set.weights[kInputs] = 0;
            set.used = 0;
        }
    }
    // Codes `bit`, or, where `coder` decodes, any; and learns from it.
    template <class Coder>
    bool code(Coder& coder, bool bit, std::size_t set_number,
              const std::array<Counter*, kInputs>& counters) {
        Set& set = sets_[set_number];
        std::array<std::int32_t, kInputs + 1> inputs;
        for (std::size_t i = 0; i < kInputs; ++i) inputs[i] = counters[i]->stretched();
        inputs[kInputs] = kConstant;
        std::int64_t sum = 0;
        for (std::size_t i = 0; i <= kInputs; ++i) sum += std::int64_t{set.weights[i]} * inputs[i];
        const auto limit = std::int64_t{kStretchedMax} << kWeightBits;
        const auto x = static_cast<int>(std::clamp(sum, -limit, limit) >> kWeightBits);
        const std::uint32_t one = squash(x);
        bit = coder.code(bit, one);

        const std::int32_t miss = (bit ? 65536 : 0) - static_cast<std::int32_t>(one);
        const std::int32_t rate = kRate + (kHurriedUses - set.used) / 16;
        if (set.used < kHurriedUses) ++set.used;
        for (std::size_t i = 0; i <= kInputs; ++i)
            set.weights[i] =
                std::clamp(set.weights[i] + ((((inputs[i] * miss) >> 10) * rate + 128) >> 8),
                           -kWeightMax, kWeightMax);
        for (Counter* const counter : counters) counter->learn(bit);
        return bit;
    }

private:
    static constexpr unsigned kWeightBits = 16;
    static constexpr std::int32_t kWeightAtFirst = 19661;  // 0.3
    static constexpr std::int32_t kWeightMax = 1 << 20;
    static constexpr std::int32_t kConstant = 256;
    static constexpr std::int32_t kRate = 6;
    static constexpr std::int32_t kHurriedUses = 256;
    struct Set {
        std::array<std::int32_t, kInputs + 1> weights;
        std::int32_t used;
    };
    std::array<Set, kSets> sets_;
};

}  // namespace tributary::codec
