// CRC-32C: the processor's instruction where it has one, over three stretches at a time; else
// eight tables ("slicing by 8", Kounavis and Berry 2005).
#include <array>
#include <cstring>

#include "common/hash/hash.h"

#if defined(__x86_64__)
#include <nmmintrin.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#ifndef HWCAP_CRC32
#define HWCAP_CRC32 (1 << 7)
#endif
#endif

namespace tributary {
namespace {

using Tables = std::array<std::array<std::uint32_t, 256>, 8>;

constexpr Tables make_tables() {
    constexpr std::uint32_t kPolynomial = 0x82F63B78;  // Castagnoli, reflected
    Tables tables{};
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
        std::uint32_t crc = byte;
        for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1) ? kPolynomial : 0);
        tables[0][byte] = crc;
    }
    // tables[k][b]: the effect of byte b followed by k zero bytes.
    for (std::size_t k = 1; k < tables.size(); ++k)
        for (std::size_t byte = 0; byte < 256; ++byte) {
            const std::uint32_t before = tables[k - 1][byte];
            tables[k][byte] = (before >> 8) ^ tables[0][before & 0xFF];
        }
    return tables;
}
constexpr Tables kTables = make_tables();

// All steps take and give the inverted register, so that they can follow one another.
using Step = std::uint32_t (*)(std::uint32_t crc, const std::uint8_t* at, std::size_t count);

std::uint32_t step_tables(std::uint32_t crc, const std::uint8_t* at, std::size_t count) {
    for (; count >= 8; at += 8, count -= 8) {
        const std::uint32_t low = crc ^ load_le<std::uint32_t>(at);
        const std::uint32_t high = load_le<std::uint32_t>(at + 4);
        crc = kTables[7][low & 0xFF] ^ kTables[6][(low >> 8) & 0xFF] ^
              kTables[5][(low >> 16) & 0xFF] ^ kTables[4][low >> 24] ^ kTables[3][high & 0xFF] ^
              kTables[2][(high >> 8) & 0xFF] ^ kTables[1][(high >> 16) & 0xFF] ^
              kTables[0][high >> 24];
    }
    for (; count > 0; ++at, --count) crc = (crc >> 8) ^ kTables[0][(crc ^ *at) & 0xFF];
    return crc;
}

#if defined(__x86_64__)

#define TRIBUTARY_CRC_TARGET __attribute__((target("sse4.2")))

TRIBUTARY_CRC_TARGET inline std::uint64_t take_word(std::uint64_t crc, std::uint64_t word) {
    return _mm_crc32_u64(crc, word);
}
TRIBUTARY_CRC_TARGET inline std::uint32_t take_byte(std::uint32_t crc, std::uint8_t byte) {
    return _mm_crc32_u8(crc, byte);
}
bool has_instruction() { return __builtin_cpu_supports("sse4.2"); }

#elif defined(__aarch64__) && defined(__linux__) && defined(__AARCH64EL__)

#define TRIBUTARY_CRC_TARGET

// Inline assembly, because GCC and Clang disagree on how a single function asks for the extension's
// intrinsics.
inline std::uint64_t take_word(std::uint64_t wide, std::uint64_t word) {
    auto crc = static_cast<std::uint32_t>(wide);
    __asm__(".arch_extension crc\n\tcrc32cx %w0, %w0, %x1" : "+r"(crc) : "r"(word));
    return crc;
}
inline std::uint32_t take_byte(std::uint32_t crc, std::uint32_t byte) {
    __asm__(".arch_extension crc\n\tcrc32cb %w0, %w0, %w1" : "+r"(crc) : "r"(byte));
    return crc;
}
bool has_instruction() { return (getauxval(AT_HWCAP) & HWCAP_CRC32) != 0; }

#endif

#ifdef TRIBUTARY_CRC_TARGET

// The instruction answers after three cycles and takes another meanwhile, so three stretches of
// this length are gone through side by side.
constexpr std::size_t kLaneBytes = 2048;

// What becomes of the register, byte by byte of it, when so many zero bytes follow.
using Shift = std::array<std::array<std::uint32_t, 256>, 4>;

constexpr Shift make_lane_shift() {
    Shift shift{};
    for (std::uint32_t bit = 0; bit < 32; ++bit) {
        std::uint32_t crc = std::uint32_t{1} << bit;
        for (std::size_t i = 0; i < kLaneBytes; ++i) crc = (crc >> 8) ^ kTables[0][crc & 0xFF];
        for (std::uint32_t byte = 0; byte < 256; ++byte)
            if ((byte >> (bit % 8) & 1) != 0) shift[bit / 8][byte] ^= crc;
    }
    return shift;
}
constexpr Shift kLaneShift = make_lane_shift();

std::uint32_t past_a_lane(std::uint64_t wide) {
    const auto crc = static_cast<std::uint32_t>(wide);
    return kLaneShift[0][crc & 0xFF] ^ kLaneShift[1][(crc >> 8) & 0xFF] ^
           kLaneShift[2][(crc >> 16) & 0xFF] ^ kLaneShift[3][crc >> 24];
}

inline std::uint64_t word_at(const std::uint8_t* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
}

TRIBUTARY_CRC_TARGET std::uint32_t step_instruction(std::uint32_t crc, const std::uint8_t* at,
                                                    std::size_t count) {
    std::uint64_t wide = crc;
    for (; count >= 3 * kLaneBytes; at += 3 * kLaneBytes, count -= 3 * kLaneBytes) {
        std::uint64_t second = 0;
        std::uint64_t third = 0;
        for (std::size_t i = 0; i < kLaneBytes; i += 8) {
            wide = take_word(wide, word_at(at + i));
            second = take_word(second, word_at(at + kLaneBytes + i));
            third = take_word(third, word_at(at + 2 * kLaneBytes + i));
        }
        wide = past_a_lane(past_a_lane(wide) ^ second) ^ third;
    }
    for (; count >= 8; at += 8, count -= 8) wide = take_word(wide, word_at(at));
    crc = static_cast<std::uint32_t>(wide);
    for (; count > 0; ++at, --count) crc = take_byte(crc, *at);
    return crc;
}
Step best_step() { return has_instruction() ? step_instruction : step_tables; }

#else

Step best_step() { return step_tables; }

#endif

}  // namespace

std::uint32_t crc32c(ByteView bytes, std::uint32_t seed) {
    static const Step step = best_step();
    return ~step(~seed, bytes.data(), bytes.size());
}

std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t seed) {
    return ~step_tables(~seed, bytes.data(), bytes.size());
}

}  // namespace tributary
