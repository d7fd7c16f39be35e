// Recognising numbers in bytes of which no header speaks: ONNX, PyTorch, GGUF and the like.
#pragma once

#include <optional>

#include "common/base/bytes.h"
#include "common/codec/codec.h"

namespace tributary::codec {

inline constexpr std::size_t kNumericSampleBytes = 4096;

// Whether a sample of that many bytes is more like weights than like text, programs or compressed
// data: the bytes of one significance (an exponent) are predictable and those of another are not,
// or all are somewhat unevenly spread, as in quantised weights.
bool looks_numeric(ByteView sample);

// The element type and phase under which `piece` costs least, against the base or without, if that
// saves a sixteenth. Estimates only.
struct Guess {
    ElementType type = ElementType::bytes;
    std::uint8_t phase = 0;
    bool delta = false;
};
std::optional<Guess> guess_elements(ByteView plain, ByteView base);

}  // namespace tributary::codec
