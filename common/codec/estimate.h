// What bytes would cost after a perfect order-0 coder, in integers, so that every machine chooses
// alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"

namespace tributary::codec {

class Histogram {
public:
    void add(ByteView bytes);
    // A perfect coder's bits for all bytes added, times 65536; the table of a real one not counted.
    std::uint64_t cost() const;
    std::uint32_t total() const { return total_; }
    // cost() per byte in 1/1000 bit: 0 .. 8000.
    std::uint32_t millibits_per_byte() const;

private:
    std::array<std::uint32_t, 256> counts_{};
    std::uint32_t total_ = 0;
};

}  // namespace tributary::codec
