// How the encoding mixed goes through the elements of a piece: the same code for writing and
// reading, with a Coder for each. A Coder has `bool code(bool bit, std::uint32_t one)`, which
// answers the bit that is coded, and `std::uint64_t raw(std::uint64_t bits, unsigned count)`.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/codec/fixed_point.h"
#include "common/codec/matrices.h"
#include "common/codec/mixed_model.h"
#include "common/codec/planes.h"
#include "common/codec/row_predictor.h"
#include "common/codec/steps.h"

namespace tributary::codec {

// The mean sizes of what was coded: of the last few, and of more.
class UsualSizes {
public:
    void learn(std::uint64_t size) {
        ++count_;
        const auto known = static_cast<int>(std::bit_width(count_)) - 1;
        recent_ += signed_shift(size - recent_, std::min(known, 3));
        usual_ += signed_shift(size - usual_, std::min(known, 6));
    }
    // `units`: by how much lengths are longer than those of the sizes.
    Outlook outlook(int units) const {
        Outlook o;
        o.recent = log16(recent_) + units;
        o.usual = log16(usual_) + units;
        o.both = (o.recent + 3 * o.usual) >> 2;
        return o;
    }

private:
    static std::uint64_t signed_shift(std::uint64_t value, int bits) {
        return static_cast<std::uint64_t>(static_cast<std::int64_t>(value) >> bits);
    }
    std::uint64_t recent_ = 0;
    std::uint64_t usual_ = 0;
    std::uint32_t count_ = 0;
};

inline constexpr unsigned kBitsModelled = 2;  // below the leading one

// Against a base: steps from its elements.
template <class Kind, class Coder>
class StepPass {
public:
    using T = typename Kind::Word;
    using Steps = WideSteps<Kind>;
    static constexpr bool kAlone = false;

    StepPass(Coder& coder, MixedModel& model, unsigned high)
        : coder_(coder), model_(model), high_(static_cast<int>(high)) {}

    // `from` is the base's element, or where prediction moved it; `missing` what that left over.
    // Writing, `to` is coded; reading, it does not matter, and the element is the answer.
    T take(T from, std::int64_t, int missing, T to) {
        int below = 0;
        if constexpr (Kind::kSigned)
            below = std::clamp(high_ - static_cast<int>(Kind::magnitude(from)), 0, 31);
        Outlook o = sizes_.outlook(16 * (below - kUnitBits));
        o.scale = static_cast<unsigned>(below);
        o.missing = missing;
        if constexpr (Kind::kSigned) {
            o.leading = static_cast<unsigned>(from >> (Kind::kMantissaBits - 4)) & 15;
        } else if constexpr (sizeof(T) == 1) {
            // Quantised values that are scaled anew move by a share of what they were.
            o.scale = from >> 3;
            o.leading = from >> 4;
        }

        const T change = Steps::change(from, to);
        bool down = sign_mask(change) != 0;
        T size = down ? static_cast<T>(T{0} - change) : change;
        const unsigned length = model_.length(
            coder_, o, static_cast<unsigned>(std::bit_width(size)), kBits<T>, false, false);
        if (length > 0) {
            down = model_.sign(coder_, o, down, length);
            size = static_cast<T>(leading_and_below(o, size, length));
        } else {
            down = false;
            size = 0;
        }
        model_.seen_sign(length == 0 ? 0 : down ? 2 : 1);
        sizes_.learn(std::min<std::uint64_t>(size, kSizeMax) << kUnitBits >> below);
        return Steps::moved(from, size, down);
    }

private:
    static constexpr int kUnitBits = 24;
    static constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 38;

    std::uint64_t leading_and_below(const Outlook& o, std::uint64_t size, unsigned length) {
        unsigned below = length - 1;
        std::uint64_t known = 1;
        for (unsigned i = 0; i < kBitsModelled && below > 0; ++i) {
            --below;
            const bool bit = model_.next_bit(coder_, o, (size >> below & 1) != 0, length,
                                             static_cast<unsigned>(known), false);
            known = known << 1 | (bit ? 1 : 0);
        }
        const std::uint64_t mask = (std::uint64_t{1} << below) - 1;
        return known << below | coder_.raw(size & mask, below);
    }

    Coder& coder_;
    MixedModel& model_;
    UsualSizes sizes_;
    int high_;
};

// Floats without a base: sign, class of the exponent, mantissa.
template <class Kind, class Coder>
class AlonePass {
public:
    using T = typename Kind::Word;
    static constexpr bool kAlone = true;

    AlonePass(Coder& coder, MixedModel& model, unsigned high)
        : coder_(coder), model_(model), low_(static_cast<int>(high) - kClassOfHigh) {}

    // `expected`: the value that is predicted, on the scale of FixedPoint, or 0.
    T take(T, std::int64_t expected, int, T to) {
        Outlook o = sizes_.outlook(0);
        if (expected != 0) {
            o.expected_down = expected < 0;
            const int size = log16(static_cast<std::uint64_t>(expected < 0 ? -expected : expected));
            o.expected = static_cast<unsigned>(std::clamp(((size + 64 - o.both) >> 3) + 6, 0, 11));
        }
        const bool down = model_.sign_alone(coder_, o, sign_mask(to) != 0);
        const unsigned length =
            model_.length(coder_, o, class_of(to), kOther, true, down == o.expected_down);
        model_.seen_sign(down ? 2 : 1);
        const T sign = down ? kTopBit<T> : T{0};
        if (length == kOther) {
            const auto rest = static_cast<T>(to & static_cast<T>(kTopBit<T> - 1));
            return static_cast<T>(sign | static_cast<T>(coder_.raw(rest, kBits<T> - 1)));
        }
        std::uint64_t mantissa = 0;
        if (length != 0) mantissa = code_mantissa(o, to, length);
        sizes_.learn(length == 0 ? 0 : ((kOne + mantissa) >> (kM - 4)) << length >> 4);
        if (length == 0) return sign;
        const auto exponent = static_cast<T>(low_ + static_cast<int>(length));
        return static_cast<T>(sign | static_cast<T>(exponent << kM) | static_cast<T>(mantissa));
    }

private:
    static constexpr int kClassOfHigh = 40;
    static constexpr unsigned kOther = 46;  // neither zero nor near the high exponent
    static constexpr unsigned kM = static_cast<unsigned>(Kind::kMantissaBits);
    static constexpr std::uint64_t kOne = std::uint64_t{1} << kM;

    unsigned class_of(T element) const {
        if (static_cast<T>(element << 1) == 0) return 0;
        const int exponent = static_cast<int>(Kind::magnitude(element));
        const int above = exponent - low_;
        return exponent == 0 || above < 1 || above >= static_cast<int>(kOther)
                   ? kOther
                   : static_cast<unsigned>(above);
    }
    std::uint64_t code_mantissa(const Outlook& o, T element, unsigned length) {
        unsigned below = kM;
        std::uint64_t known = 1;
        for (unsigned i = 0; i < kBitsModelled; ++i) {
            --below;
            const bool bit = model_.next_bit(coder_, o, (element >> below & 1) != 0, length,
                                             static_cast<unsigned>(known), true);
            known = known << 1 | (bit ? 1 : 0);
        }
        const std::uint64_t mask = (std::uint64_t{1} << below) - 1;
        return (known << below | coder_.raw(element & mask, below)) & (kOne - 1);
    }

    Coder& coder_;
    MixedModel& model_;
    UsualSizes sizes_;
    int low_;
};

// Elements number 0 and up, as many as `matrices` have. visit(i, code) calls code(element), or, if
// it is not known yet, code(anything), and keeps the element that this answers.
template <class Kind, template <class, class> class Pass, class Coder, class Visit>
void pass_elements(Coder& coder, MixedModel& model, RowPredictor& rows, unsigned high,
                   const BaseElements& base, std::span<const Matrix> matrices, Visit&& visit) {
    using T = typename Kind::Word;
    Pass<Kind, Coder> pass(coder, model, high);
    const FixedPoint<Kind> fixed(high);
    std::size_t i = 0;
    for (const Matrix& matrix : matrices) {
        if (matrix.row != 0) rows.start(matrix.row, matrix.column);
        for (const std::size_t end = i + matrix.count; i < end; ++i) {
            const T from = i < base.count ? load<T>(base.at + i * sizeof(T)) : T{0};
            if (matrix.row == 0) {
                visit(i, [&](T to) { return pass.take(from, 0, 0, to); });
                continue;
            }
            const std::int32_t predicted = rows.predict();
            const std::int64_t expected =
                std::int64_t{predicted} * (std::int64_t{1} << matrix.shift);
            Moved<T> moved{from, 0};
            if (!Pass<Kind, Coder>::kAlone && predicted != 0) moved = fixed.move(from, expected);
            visit(i, [&](T to) {
                to = pass.take(moved.value, expected, moved.missing, to);
                rows.learn(predictable(fixed.step(from, to), matrix), predicted);
                return to;
            });
        }
    }
}

}  // namespace tributary::codec
