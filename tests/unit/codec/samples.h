// Byte buffers like those the codec meets, made from a seed.
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/random.h"

namespace tributary::codec {

inline Bytes noise(Random& random, std::size_t count) {
    Bytes bytes(count);
    for (std::uint8_t& byte : bytes) byte = static_cast<std::uint8_t>(random.next());
    return bytes;
}

// f32 values between about 2^-8 and 2^-3 of either sign, as a trained layer has.
inline Bytes weights(Random& random, std::size_t count) {
    Bytes bytes(count * 4);
    for (std::size_t i = 0; i < count; ++i) {
        const auto bits = static_cast<std::uint32_t>(random.next());
        const auto exponent = static_cast<std::uint32_t>(119 + random.below(6u));
        store_le(bytes.data() + 4 * i, (bits & 0x807fffff) | (exponent << 23));
    }
    return bytes;
}

// Each whole f32 moved by less than 2^bits of its last units; what is left over stays.
inline Bytes step(Random& random, ByteView from, int bits) {
    Bytes bytes(from.begin(), from.end());
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
        const auto move = static_cast<std::uint32_t>(random.below(std::uint64_t{2} << bits));
        const std::uint32_t value = load_le<std::uint32_t>(bytes.data() + i);
        store_le(bytes.data() + i, value + move - (std::uint32_t{1} << bits));
    }
    return bytes;
}

// As training moves weights(): steps of one size for all, near zero more often than far from it, so
// that a small weight moves by more of its last units than a large one.
inline Bytes train(Random& random, ByteView from) {
    Bytes bytes(from.begin(), from.end());
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
        std::uint64_t sum = 0;
        for (int k = 0; k < 4; ++k) sum += random.below(std::uint64_t{1} << 15);
        const std::uint32_t value = load_le<std::uint32_t>(bytes.data() + i);
        const std::uint32_t exponent = (value >> 23) & 255;
        const auto move = static_cast<std::uint32_t>(sum >> (exponent - 118));
        store_le(bytes.data() + i, value + move - (std::uint32_t{1} << (16 - (exponent - 118))));
    }
    return bytes;
}

// Weights that go on as they went: seven eighths of the step before, and a little that is new.
inline Bytes go_on(Random& random, ByteView last, ByteView before) {
    Bytes bytes(last.begin(), last.end());
    for (std::size_t i = 0; i + 4 <= bytes.size(); i += 4) {
        const std::uint32_t value = load_le<std::uint32_t>(last.data() + i);
        const std::uint32_t step = value - load_le<std::uint32_t>(before.data() + i);
        const auto news = static_cast<std::uint32_t>(random.below(65u)) - 32;
        const auto part = static_cast<std::uint32_t>(static_cast<std::int32_t>(step) / 8 * 7);
        store_le(bytes.data() + i, value + part + news);
    }
    return bytes;
}

}  // namespace tributary::codec
