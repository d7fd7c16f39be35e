#include "common/codec/chunker.h"

#include <algorithm>

#include "common/codec/gear.h"

namespace tributary::codec {
namespace {

// A cut is where these top bits of the hash are zero: 20 of them up to the normal length, 16 past
// it.
constexpr std::uint64_t kMaskBefore = ~std::uint64_t{0} << 44;
constexpr std::uint64_t kMaskAfter = ~std::uint64_t{0} << 48;

// Hashing starts a window before the first place a cut may be.
constexpr std::size_t kHashFrom = kChunkBytesMin - kGearWindowBytes;

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
