// Gear content-defined chunking with normalised sizes (Xia et al., FastCDC, USENIX ATC 2016): a cut
// depends on the 64 bytes before it alone, so an insert moves only the cuts around it.
#pragma once

#include <cstddef>
#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/limits.h"

namespace tributary::codec {

inline constexpr std::size_t kChunkBytesMin = 64 * limits::KiB;
inline constexpr std::size_t kChunkBytesNormal = 256 * limits::KiB;
inline constexpr std::size_t kChunkBytesMax = limits::kPieceBytesMax;

// Takes a stream in blocks of any size and says where chunks end.
class Chunker {
public:
    // How many of `bytes` belong to the present chunk. `ended` tells whether the chunk ends there;
    // if not, all of them do.
    std::size_t take(ByteView bytes, bool& ended);
    std::size_t chunk_bytes() const { return length_; }  // taken so far
    void start_chunk() { length_ = 0, hash_ = 0; }

private:
    std::size_t length_ = 0;
    std::uint64_t hash_ = 0;
};

}  // namespace tributary::codec
