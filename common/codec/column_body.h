// The body of a columns payload, before it is packed: integers, shapes and texts one behind the
// other.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/codec/rows.h"

namespace tributary::codec {

// Seven bits a byte, least significant first, the top bit set in all but the last.
class BodyWriter {
public:
    explicit BodyWriter(Bytes& out) : out_(out) { out_.clear(); }
    void put(std::uint64_t value) {
        for (; value > 127; value >>= 7) out_.push_back(static_cast<std::uint8_t>(value | 128));
        out_.push_back(static_cast<std::uint8_t>(value));
    }
    void put(const Shape& shape) {
        out_.push_back(shape.decimals);
        out_.push_back(shape.decimals_min);
        out_.push_back(shape.digits_min);
    }
    void put(ByteView bytes) { out_.insert(out_.end(), bytes.begin(), bytes.end()); }

private:
    Bytes& out_;
};

// A read past the end yields zeros, and a number of more than 64 bits loses the upper ones; after
// either ok() is false.
class BodyReader {
public:
    explicit BodyReader(ByteView in) : in_(in) {}

    std::uint64_t take() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 64; shift += 7) {
            if (at_ == in_.size()) break;
            const std::uint8_t byte = in_[at_++];
            if (shift == 63 && byte > 1) break;
            value |= std::uint64_t{byte & 127u} << shift;
            if (byte < 128) return value;
        }
        ok_ = false;
        return 0;
    }
    ByteView take(std::uint64_t count) {
        if (count > in_.size() - at_) {
            ok_ = false;
            return {};
        }
        const ByteView bytes = in_.subspan(at_, static_cast<std::size_t>(count));
        at_ += bytes.size();
        return bytes;
    }
    Shape take_shape() {
        const ByteView bytes = take(Shape::kBytes);
        if (bytes.empty()) return {};
        return {bytes[0], bytes[1], bytes[2]};
    }
    bool ok() const { return ok_; }
    std::size_t position() const { return at_; }
    std::size_t remaining() const { return in_.size() - at_; }

private:
    ByteView in_;
    std::size_t at_ = 0;
    bool ok_ = true;
};

}  // namespace tributary::codec
