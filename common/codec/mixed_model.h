// How likely an element's step has one length or another, and what its sign and leading bits are:
// the contexts of the encoding mixed, and the decisions that it makes of an element. The same code
// writes and reads; a Coder has `bool code(bool bit, std::uint32_t one)`.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "common/codec/binary_model.h"

namespace tributary::codec {

// What is known of an element before it is coded.
struct Outlook {
    // How long elements like it were, in 1/16 bit: a few before it, many, and of both.
    int recent = 0;
    int usual = 0;
    int both = 0;
    // Of the base: how far its exponent is below the high one, at most 31, and the leading 4 bits
    // of its mantissa. Of single bytes, their leading 5 and 4 bits.
    unsigned scale = 0;
    unsigned leading = 0;
    int missing = 0;  // what prediction says beyond whole units, -8 .. 8 sixteenths
    // Without a base: how large prediction says it is beside the usual, 0 .. 11, and its sign.
    unsigned expected = 0;
    bool expected_down = false;
};

class MixedModel {
public:
    static constexpr unsigned kLengthMax = 64;

    void reset();

    // The number of bits of the step, or, without a base, the exponent's class: 0 .. `most`.
    // `agrees`: without a base, whether the sign was the expected one.
    template <class Coder>
    unsigned length(Coder& coder, const Outlook& o, unsigned length, unsigned most, bool alone,
                    bool agrees) {
        alone_ = alone;
        agrees_ = agrees;
        unsigned v = static_cast<unsigned>(std::clamp(o.both / 16 + 1, 1, static_cast<int>(most)));
        if (reaches(coder, o, length >= v, v, kFirst)) {
            while (v < most && reaches(coder, o, length > v, v + 1, kUp)) ++v;
            return v;
        }
        do --v;
        while (v > 0 && !reaches(coder, o, length >= v, v, kDown));
        return v;
    }
    template <class Coder>
    bool sign(Coder& coder, const Outlook& o, bool down, unsigned length) {
        const auto before = static_cast<std::size_t>(sign_before_);
        return signs_.code(
            coder, down, 0,
            {&sign_by_length_[length][o.leading],
             &sign_by_likeness_[likeness(length, o.usual)][before],
             &sign_by_missing_[static_cast<std::size_t>(o.missing + 8)][std::min(length, 7u)]});
    }
    template <class Coder>
    bool sign_alone(Coder& coder, const Outlook& o, bool down) {
        const auto before = static_cast<std::size_t>(sign_before_);
        Counter* const expected = &sign_alone_[o.expected][o.expected_down ? 1 : 0][0];
        return signs_.code(coder, down, 1,
                           {&expected[0], &expected[1 + before], &sign_by_before_[before]});
    }
    void seen_sign(int sign) { sign_before_ = sign; }  // 0: none, 1, 2: down
    // The first bits below the leading one: number 0, then number 1, which knows the one before.
    template <class Coder>
    bool next_bit(Coder& coder, const Outlook& o, bool bit, unsigned length, unsigned before,
                  bool alone) {
        const std::size_t small = alone ? 0 : std::min(length, 7u);
        return bits_.code(coder, bit, before * 8 + small,
                          {&bit_by_likeness_[before][small][likeness(length, o.usual)],
                           &bit_by_length_[before][length][o.leading]});
    }

private:
    enum Path : std::size_t { kFirst, kUp, kDown };
    static constexpr std::size_t kPaths = 3;
    static constexpr std::size_t kLikeness = 96;
    using Row = std::array<Counter, kLikeness>;

    // How far a length is from what was expected, in quarters of a bit.
    static std::size_t likeness(unsigned length, int expected) {
        const int quarters = (16 * static_cast<int>(length) - expected) >> 2;
        return static_cast<std::size_t>(std::clamp(quarters + static_cast<int>(kLikeness / 2), 0,
                                                   static_cast<int>(kLikeness - 1)));
    }

    Counter& by_prediction(const Outlook& o, unsigned v, Path path) {
        if (alone_) {
            const std::size_t agreement = o.expected == 0 ? 0 : agrees_ ? 1 : 2;
            return length_by_expected_[agreement][o.expected][path][likeness(v, o.both + 8)];
        }
        const auto missing = static_cast<std::size_t>(std::abs(o.missing));
        const auto usual = static_cast<std::size_t>(std::clamp((o.both + 32) >> 4, 0, 7));
        return length_by_missing_[std::min(v, 7u)][path][missing][usual];
    }
    // Whether the length is v or more.
    template <class Coder>
    bool reaches(Coder& coder, const Outlook& o, bool bit, unsigned v, Path path) {
        const std::size_t small = alone_ ? 0 : std::min(v, 5u);
        return lengths_.code(coder, bit, std::min(v, 7u) * kPaths + path,
                             {&length_by_usual_[small][path][likeness(v, o.usual + 8)],
                              &length_by_recent_[small][path][likeness(v, o.recent + 8)],
                              &length_by_scale_[v][path][o.scale], &by_prediction(o, v, path)});
    }

    bool alone_ = false;
    bool agrees_ = false;
    int sign_before_ = 0;

    Mixer<4, 8 * kPaths> lengths_;
    Mixer<3, 2> signs_;
    Mixer<2, 32> bits_;
    std::array<std::array<Row, kPaths>, 6> length_by_usual_;
    std::array<std::array<Row, kPaths>, 6> length_by_recent_;
    std::array<std::array<std::array<Counter, 32>, kPaths>, kLengthMax + 1> length_by_scale_;
    std::array<std::array<std::array<std::array<Counter, 8>, 9>, kPaths>, 8> length_by_missing_;
    std::array<std::array<std::array<Row, kPaths>, 12>, 3> length_by_expected_;
    std::array<std::array<Counter, 16>, kLengthMax + 1> sign_by_length_;
    std::array<std::array<Counter, 3>, kLikeness> sign_by_likeness_;
    std::array<std::array<Counter, 8>, 17> sign_by_missing_;
    std::array<std::array<std::array<Counter, 4>, 2>, 12> sign_alone_;
    std::array<Counter, 3> sign_by_before_;
    std::array<std::array<Row, 8>, 4> bit_by_likeness_;
    std::array<std::array<std::array<Counter, 16>, kLengthMax + 1>, 4> bit_by_length_;
};

}  // namespace tributary::codec
