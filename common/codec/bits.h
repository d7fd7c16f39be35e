// Bits to bytes and back, least significant first.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/elements.h"

namespace tributary::codec {

class BitWriter {
public:
    // The caller sees to it that `out` has room for all bits and 8 bytes more.
    explicit BitWriter(std::uint8_t* out) : begin_(out), at_(out) {}

    static constexpr unsigned kBitsMax = 56;  // with the 7 that may be held, fewer than 64
    // `value` has no bit at or above `count`, which is at most kBitsMax. Always stores, so that
    // there is no branch to be guessed wrongly.
    void put(std::uint64_t value, unsigned count) {
        held_ |= value << count_;
        count_ += count;
        store(at_, held_);
        at_ += count_ / 8;
        held_ >>= count_ & ~7u;
        count_ &= 7;
    }
    // The same for up to 64.
    void put_long(std::uint64_t value, unsigned count) {
        const unsigned low = std::min(count, 32u);
        put(value & ((std::uint64_t{1} << low) - 1), low);
        put(value >> low, count - low);
    }
    // The bits after the last fill its byte with zeros. Bytes written.
    std::size_t finish() { return static_cast<std::size_t>(at_ - begin_) + (count_ != 0 ? 1 : 0); }

private:
    std::uint8_t* begin_;
    std::uint8_t* at_;
    std::uint64_t held_ = 0;
    unsigned count_ = 0;
};

// Behind the end there are zero bits; done() tells.
class BitReader {
public:
    explicit BitReader(ByteView in) : in_(in) {}

    // `count` is at most 32.
    std::uint32_t take(unsigned count) {
        if (in_.size() - at_ >= 8) {
            // Whole bytes up to 56 bits and more; what is loaded twice is the same.
            held_ |= load<std::uint64_t>(in_.data() + at_) << count_;
            at_ += (63 - count_) / 8;
            count_ |= 56;
        } else {
            refill_at_end();
        }
        const auto value = static_cast<std::uint32_t>(held_ & ((std::uint64_t{1} << count) - 1));
        held_ >>= count;
        count_ -= count;
        return value;
    }
    // Whether exactly the bits that were there have been taken, but for the zeros of the last byte.
    bool done() {
        refill_at_end();
        return at_ == in_.size() && count_ >= missing_ && count_ - missing_ < 8 && held_ == 0;
    }

private:
    void refill_at_end() {
        // Above its count a fast refill left bits of the next byte.
        if (count_ < 64) held_ &= (std::uint64_t{1} << count_) - 1;
        for (; count_ <= 56; count_ += 8) {
            if (at_ < in_.size())
                held_ |= std::uint64_t{in_[at_++]} << count_;
            else
                missing_ += 8;
        }
    }

    ByteView in_;
    std::size_t at_ = 0;
    std::uint64_t held_ = 0;
    unsigned count_ = 0;
    unsigned missing_ = 0;  // of the bits held, those that were never there
};

}  // namespace tributary::codec
