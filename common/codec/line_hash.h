// A quick hash of text for tables in memory; no stored byte depends on it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"

namespace tributary::codec {

inline std::uint64_t line_hash(ByteView text) {
    constexpr std::uint64_t kOdd = 0x9e3779b97f4a7c15;
    std::uint64_t h = text.size();
    std::size_t at = 0;
    for (; at + 8 <= text.size(); at += 8) {
        h = (h ^ load_le<std::uint64_t>(text.data() + at)) * kOdd;
        h ^= h >> 32;
    }
    for (; at < text.size(); ++at) h = (h ^ text[at]) * kOdd;
    return h ^ (h >> 32);
}

}  // namespace tributary::codec
