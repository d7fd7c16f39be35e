#include "common/codec/repeats.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "common/codec/elements.h"
#include "common/codec/estimate.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kProbes = 64;
// Of the base, every so many bytes are looked up: of a long one that is of large pieces, in which
// short repeats do not pay, fewer.
constexpr std::size_t kStepMin = 16;
constexpr std::size_t kStepMax = 32;
constexpr std::size_t kMatchBytes = 16;
constexpr unsigned kSlotBits = 13;

std::size_t slot_of(std::uint64_t word) {
    return static_cast<std::size_t>(word * 0x9e3779b97f4a7c15 >> (64 - kSlotBits));
}

}  // namespace

std::size_t repeated_bytes(ByteView plain, ByteView base) {
    const std::size_t step = std::clamp(base.size() / 1024, kStepMin, kStepMax);
    if (plain.size() < kMatchBytes + step || base.size() < kMatchBytes) return 0;
    std::array<std::uint32_t, std::size_t{1} << kSlotBits> places{};  // in plain, + 1
    std::size_t probes = 0;
    // A repeat may be shifted by any number of bytes: each probe is as many words as a step.
    sample(plain.size() - kMatchBytes, kProbes, step, [&](std::size_t first, std::size_t length) {
        for (std::size_t at = first; at < first + length; ++at) {
            const auto word = load<std::uint64_t>(plain.data() + at);
            // One byte over and over is in every file.
            if (word != std::rotl(word, 8))
                places[slot_of(word)] = static_cast<std::uint32_t>(at + 1);
        }
        ++probes;
    });
    std::size_t found = 0;
    for (std::size_t at = 0; at + kMatchBytes <= base.size(); at += step) {
        std::uint32_t& place = places[slot_of(load<std::uint64_t>(base.data() + at))];
        if (place == 0) continue;
        const std::uint8_t* const probe = plain.data() + place - 1;
        if (probe == base.data() + at || std::memcmp(base.data() + at, probe, kMatchBytes) != 0)
            continue;
        ++found;
        place = 0;
    }
    return plain.size() / probes * std::min(found, probes);
}

}  // namespace tributary::codec
