// Seeded randomness for tests: common/base's, and bytes of it.
#pragma once

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace tributary::test {

class Random : public tributary::Random {
public:
    using tributary::Random::Random;

    bool one_in(std::uint32_t count) { return below(count) == 0; }

    void fill(ByteSpan out) {
        for (auto& byte : out) byte = static_cast<std::uint8_t>(next());
    }
    Bytes bytes(std::size_t count) {
        Bytes out(count);
        fill(out);
        return out;
    }
};

}  // namespace tributary::test
