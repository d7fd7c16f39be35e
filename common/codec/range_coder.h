// Binary arithmetic coding by ranges of 32 bits with carries (G. N. N. Martin 1979; the form of the
// LZMA specification, without its first byte, which is always zero).
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"

namespace tributary::codec {

inline constexpr std::uint32_t kRangeMin = 1u << 24;
inline constexpr std::size_t kRangeTailBytes = 4;

// Writes as long as there is room; finish() tells.
class RangeEncoder {
public:
    explicit RangeEncoder(ByteSpan out) : out_(out) {}

    // `one`: the probability of a set bit, 1 .. 65535.
    void put(bool bit, std::uint32_t one) {
        const std::uint32_t bound = (range_ >> 16) * one;
        if (bit) {
            range_ = bound;
        } else {
            low_ += bound;
            range_ -= bound;
        }
        while (range_ < kRangeMin) {
            range_ <<= 8;
            shift();
        }
    }
    // The bytes written; 0 when they did not fit.
    std::size_t finish() {
        for (std::size_t i = 0; i <= kRangeTailBytes; ++i) shift();
        return fits_ ? at_ : 0;
    }

private:
    // A byte that a carry may still change is held back, and so are the 255s behind it.
    void shift() {
        const auto top = static_cast<std::uint32_t>(low_ >> 24);  // with the carry, 9 bits
        if (top != 255) {
            put_byte(static_cast<std::uint8_t>(held_ + (top >> 8)));
            for (; full_ > 0; --full_) put_byte(static_cast<std::uint8_t>(255 + (top >> 8)));
            held_ = static_cast<std::uint8_t>(top);
        } else {
            ++full_;
        }
        low_ = (low_ & 0xffffff) << 8;
    }
    void put_byte(std::uint8_t byte) {
        if (first_) {
            first_ = false;
        } else if (at_ < out_.size()) {
            out_[at_++] = byte;
        } else {
            fits_ = false;
        }
    }

    ByteSpan out_;
    std::size_t at_ = 0;
    std::uint64_t low_ = 0;  // below 2^33
    std::uint32_t range_ = 0xffffffff;
    std::uint32_t full_ = 0;
    std::uint8_t held_ = 0;
    bool first_ = true;  // the byte that is left out is still to come
    bool fits_ = true;
};

// Behind the end there are zeros; done() tells.
class RangeDecoder {
public:
    explicit RangeDecoder(ByteView in) : in_(in) {
        for (std::size_t i = 0; i < kRangeTailBytes; ++i) code_ = code_ << 8 | next();
    }
    bool take(std::uint32_t one) {
        const std::uint32_t bound = (range_ >> 16) * one;
        const bool bit = code_ < bound;
        if (bit) {
            range_ = bound;
        } else {
            code_ -= bound;
            range_ -= bound;
        }
        while (range_ < kRangeMin) {
            range_ <<= 8;
            code_ = code_ << 8 | next();
        }
        return bit;
    }
    // Whether all bytes have been taken, none that was not there, and no more was meant by them.
    bool done() const { return at_ == in_.size() && code_ == 0; }

private:
    std::uint32_t next() {
        const std::uint32_t byte = at_ < in_.size() ? in_[at_] : 0u;
        ++at_;
        return byte;
    }
    ByteView in_;
    std::size_t at_ = 0;
    std::uint32_t range_ = 0xffffffff;
    std::uint32_t code_ = 0;
};

}  // namespace tributary::codec
