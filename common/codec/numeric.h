// Recognising numbers in bytes of which no header speaks: files of formats without a reader.
#pragma once

#include <cstddef>

#include "common/base/bytes.h"

namespace tributary::codec {

inline constexpr std::size_t kNumericSampleBytes = 4096;

// Whether a sample of that many bytes is more like weights than like text, programs or compressed
// data: the bytes of one significance (an exponent) are predictable and those of another are not,
// or all are somewhat unevenly spread, as in quantised weights.
bool looks_numeric(ByteView sample);

}  // namespace tributary::codec
