// What bytes would cost after a perfect order-0 coder, in integers, so that every machine chooses
// alike.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "common/base/bytes.h"

namespace tributary::codec {

// A perfect coder's bits for symbols that come so often, times 65536.
std::uint64_t entropy(std::span<const std::uint32_t> counts);

// The same for `count` symbols like those in `counts`, a small sample: what it has not seen is
// charged for, so that a sample of noise does not look like something else.
std::uint64_t entropy_of_sampled(std::span<const std::uint32_t> counts, std::uint64_t count);

// Calls `visit(first, length)` for `runs` evenly spread runs of `run` in 0 .. count, or once when
// that is all.
template <class Visit>
void sample(std::size_t count, std::size_t runs, std::size_t run, Visit&& visit) {
    if (count <= runs * run) return visit(std::size_t{0}, count);
    const std::size_t step = (count - run) / (runs - 1);
    for (std::size_t i = 0; i < runs; ++i) visit(i * step, run);
}

// entropy() of a symbol in 1/1000 bit.
std::uint32_t millibits_each(std::span<const std::uint32_t> counts);

// What is known of bytes that were counted.
struct Spread {
    std::uint64_t bits = 0;  // entropy() of all
    std::uint32_t total = 0;
    std::uint32_t symbols = 0;  // different ones
    std::uint32_t zeros = 0;

    // entropy_of_sampled() of `count` bytes, but at most 8 bits a byte.
    std::uint64_t cost_of(std::uint64_t count) const;
    // 0 .. 8000
    std::uint32_t millibits_per_byte() const;
    bool is_mostly_zero() const { return zeros > total / 2; }
};

class Histogram {
public:
    void add(ByteView bytes);
    Spread spread() const;

private:
    // Four tables in turn: runs of one byte would wait for their own counter.
    std::array<std::array<std::uint32_t, 256>, 4> tables_{};
};

}  // namespace tributary::codec
