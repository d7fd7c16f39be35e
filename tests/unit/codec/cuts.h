// How a file in memory is cut.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <vector>

#include "common/codec/layout.h"

namespace tributary::codec {

inline ReadAt reader_of(const Bytes& file) {
    return [&file](std::uint64_t offset, ByteSpan out) -> Result<std::size_t> {
        const auto from = static_cast<std::size_t>(std::min<std::uint64_t>(offset, file.size()));
        const std::size_t count = std::min(out.size(), file.size() - from);
        std::copy_n(file.data() + from, count, out.begin());
        return count;
    };
}

// Cuts a file and checks that the spans cover it in order.
inline std::vector<Span> spans_of(const Bytes& file) {
    std::vector<Span> spans;
    const Status status = cut(file.size(), reader_of(file), [&](const Span& span) {
        spans.push_back(span);
        return Status{};
    });
    EXPECT_TRUE(status);
    std::uint64_t at = 0;
    for (const Span& span : spans) {
        EXPECT_EQ(span.offset, at);
        EXPECT_GE(span.length, 1u);
        EXPECT_LE(span.length, 1024u * 1024u);
        at += span.length;
    }
    EXPECT_EQ(at, file.size());
    return spans;
}

inline bool all_bytes(const std::vector<Span>& spans) {
    return std::all_of(spans.begin(), spans.end(), [](const Span& span) {
        return span.type == ElementType::bytes && span.place == 0;
    });
}

// No file, however damaged, is cut otherwise than in pieces of allowed lengths, without gaps.
inline void cut_truncated_and_flipped(const Bytes& whole, std::size_t step = 1) {
    for (std::size_t length = 0; length < whole.size(); length += step)
        spans_of(Bytes(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)));
    for (std::size_t bit = 0; bit < 8 * whole.size(); bit += step) {
        Bytes flipped = whole;
        flipped[bit / 8] ^= static_cast<std::uint8_t>(1 << (bit % 8));
        spans_of(flipped);
    }
}

}  // namespace tributary::codec
