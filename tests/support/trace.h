// A sum of what happened in a world, thing by thing: two runs that were the same have the same one.
#pragma once

#include <array>

#include "common/base/bytes.h"
#include "common/hash/hash.h"

namespace tributary::test {

class Trace {
public:
    Trace& add(std::uint64_t number) {
        std::array<std::uint8_t, 8> bytes;
        store_le(bytes.data(), number);
        return add(ByteView(bytes));
    }
    Trace& add(ByteView bytes) {
        sum_ = crc32c(bytes, sum_);
        return *this;
    }
    std::uint32_t sum() const { return sum_; }

private:
    std::uint32_t sum_ = 0;
};

}  // namespace tributary::test
