// rANS (Duda 2013), four streams in turn: 32-bit states, 16-bit renormalisation, frequencies of
// ClassModel. The encoder takes the symbols backwards.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/class_model.h"
#include "common/codec/elements.h"

namespace tributary::codec::rans {

inline constexpr std::size_t kStates = 4;
inline constexpr std::uint32_t kStateMin = 1u << 16;
inline constexpr std::size_t kStateBytes = 4 * kStates;

// Calls `visit(i, lane)` for first <= i < end, where `first` is a multiple of kStates; the lanes
// are constants to the compiler, which can then keep the states in registers.
template <class Visit>
void for_lanes(std::size_t first, std::size_t end, Visit&& visit) {
    static_assert(kStates == 4);
    for (std::size_t i = first; i < end; i += kStates) {
        visit(i, 0);
        if (i + 1 < end) visit(i + 1, 1);
        if (i + 2 < end) visit(i + 2, 2);
        if (i + 3 < end) visit(i + 3, 3);
    }
}
// The same from the last to the first, `first` being 0.
template <class Visit>
void for_lanes_backwards(std::size_t end, Visit&& visit) {
    for (std::size_t i = (end + kStates - 1) / kStates * kStates; i > 0; i -= kStates) {
        if (i - 1 < end) visit(i - 1, 3);
        if (i - 2 < end) visit(i - 2, 2);
        if (i - 3 < end) visit(i - 3, 1);
        visit(i - 4, 0);
    }
}

// 2^43 / f + 1: state * kInverse[f] >> 43 is state / f for every state below f << 21, which is what
// renormalisation leaves. No product passes 64 bits, because f is at most 2^11.
inline constexpr unsigned kInverseBits = 43;
static_assert(kInverseBits == 32 + ClassModel::kProbabilityBits);
inline constexpr auto kInverse = [] {
    std::array<std::uint64_t, ClassModel::kProbabilityTotal> inverse{};
    for (std::size_t f = 1; f < inverse.size(); ++f)
        inverse[f] = (std::uint64_t{1} << kInverseBits) / f + 1;
    return inverse;
}();

// Writes downwards from the end of a buffer that has room for 2 bytes a symbol and kStateBytes + 2.
class Encoder {
public:
    explicit Encoder(std::uint8_t* end) : end_(end), at_(end) { states_.fill(kStateMin); }

    // Symbol number i of the piece goes by lane i % kStates; they come from the last. Always
    // stores, so that there is no branch to be guessed wrongly.
    void put(std::size_t lane, ClassModel::Slot slot) {
        const std::uint32_t frequency = slot.frequency;
        std::uint32_t state = states_[lane];
        const std::uint32_t full =
            state >= frequency << (32 - ClassModel::kProbabilityBits) ? 1 : 0;
        store(at_ - 2, static_cast<std::uint16_t>(state));
        at_ -= 2 * full;
        state >>= 16 * full;
        const auto whole = static_cast<std::uint32_t>(state * kInverse[frequency] >> kInverseBits);
        states_[lane] =
            (whole << ClassModel::kProbabilityBits) + (state - whole * frequency) + slot.start;
    }
    // The bytes from the beginning of the stream to `end`.
    ByteView finish() {
        for (std::size_t i = kStates; i-- > 0;) {
            at_ -= 4;
            store(at_, states_[i]);
        }
        return {at_, static_cast<std::size_t>(end_ - at_)};
    }

private:
    std::uint8_t* end_;
    std::uint8_t* at_;
    std::array<std::uint32_t, kStates> states_;
};

class Decoder {
public:
    // `in` has at least kStateBytes.
    explicit Decoder(ByteView in) : in_(in) {
        for (std::size_t i = 0; i < kStates; ++i)
            states_[i] = load<std::uint32_t>(in.data() + 4 * i);
    }

    // What a damaged stream gives is of no use, but harmless.
    std::uint8_t take(std::size_t lane, const ClassModel::Table& table) {
        std::uint32_t state = states_[lane];
        const std::uint32_t place = state & (ClassModel::kProbabilityTotal - 1);
        const std::uint8_t symbol = table.symbol_at[place];
        const ClassModel::Slot slot = table.slots[symbol];
        state = slot.frequency * (state >> ClassModel::kProbabilityBits) + place - slot.start;
        // Loads in any case, behind the end the last word again.
        const std::uint32_t word = load<std::uint16_t>(in_.data() + std::min(at_, in_.size() - 2));
        const std::uint32_t low = state < kStateMin ? 1 : 0;
        states_[lane] = state << (16 * low) | (word & (0 - low));
        at_ += 2 * low;
        return symbol;
    }
    // Whether the stream is used up and the states are as the encoder began.
    bool done() const {
        for (const std::uint32_t state : states_)
            if (state != kStateMin) return false;
        return at_ == in_.size();
    }

private:
    ByteView in_;
    std::size_t at_ = kStateBytes;
    std::array<std::uint32_t, kStates> states_;
};

}  // namespace tributary::codec::rans
