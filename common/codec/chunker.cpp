#include "common/codec/chunker.h"

#include <algorithm>
#include <array>

namespace tributary::codec {
namespace {

// Entry i is output number i + 1 of SplitMix64 (Steele, Lea, Flood 2014) from state 0.
constexpr std::array<std::uint64_t, 256> make_gear() {
    std::array<std::uint64_t, 256> table{};
    std::uint64_t state = 0;
    for (std::uint64_t& entry : table) {
        state += 0x9e3779b97f4a7c15;
        std::uint64_t z = state;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
        z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
        entry = z ^ (z >> 31);
    }
    return table;
}
constexpr auto kGear = make_gear();

// A cut is where these top bits of the hash are zero: 20 of them up to the normal length, 16 past
// it.
constexpr std::uint64_t kMaskBefore = ~std::uint64_t{0} << 44;
constexpr std::uint64_t kMaskAfter = ~std::uint64_t{0} << 48;

// A byte leaves the hash after 64 more. Hashing starts that far before the first place a cut may
// be.
constexpr std::size_t kWindowBytes = 64;
constexpr std::size_t kHashFrom = kChunkBytesMin - kWindowBytes;

// Bytes up to and with the first at which the masked hash is zero, or all of them.
std::size_t scan(ByteView bytes, std::uint64_t mask, std::uint64_t& hash, bool& found) {
    std::uint64_t h = hash;
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        h = (h << 1) + kGear[bytes[i]];
        if ((h & mask) == 0) {
            found = true;
            return i + 1;
        }
    }
    hash = h;
    return bytes.size();
}

}  // namespace

std::size_t Chunker::take(ByteView bytes, bool& ended) {
    ended = false;
    std::size_t taken = 0;
    // The next stretch of bytes that are all treated alike, up to the given chunk length.
    const auto stretch = [&](std::size_t until) {
        const std::size_t have = length_ < until ? until - length_ : 0;
        return bytes.subspan(taken, std::min(have, bytes.size() - taken));
    };
    const auto advance = [&](std::size_t count) { taken += count, length_ += count; };

    advance(stretch(kHashFrom).size());
    // Fill the window; no cut yet.
    for (const std::uint8_t byte : stretch(kChunkBytesMin)) {
        hash_ = (hash_ << 1) + kGear[byte];
        advance(1);
    }
    advance(scan(stretch(kChunkBytesNormal), kMaskBefore, hash_, ended));
    if (ended) return taken;
    advance(scan(stretch(kChunkBytesMax), kMaskAfter, hash_, ended));
    if (length_ == kChunkBytesMax) ended = true;
    return taken;
}

}  // namespace tributary::codec
