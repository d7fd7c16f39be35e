// Payload of the nibble encoding: numbers of four bits, two to a byte, as quantised models keep
// them. A weight that hardly moved has the number that its old one leads to expect: the same, or,
// where the scales beside it are at hand and changed, the one next to where the old weight lies on
// the new scale; and how near it lies to the next one tells how sure that is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/blocks.h"
#include "common/codec/class_model.h"
#include "common/codec/element_coder.h"
#include "common/codec/parts.h"

namespace tributary::codec {

// What scales stand before the numbers of a block. Stored in payloads.
enum class NibbleScales : std::uint8_t {
    none = 0,           // or they are not at hand
    one = 1,            // q4_0
    one_and_least = 2,  // q4_1
    of_eight = 3,       // q4_k
};
// Which the numbers of field `index` have; nullopt when that field is none of numbers of four bits.
std::optional<NibbleScales> nibble_scales(std::span<const Field> fields, std::size_t index);

// The blocks that the numbers are of, from the first on, with their scales; no scales, no blocks.
struct NibbleBlocks {
    NibbleScales scales = NibbleScales::none;
    ByteView plain;
    ByteView base;  // may be of fewer blocks
};

// What stands around field `index`, if it is one of numbers of four bits. In `to` the fields before
// it must be there.
NibbleBlocks nibble_blocks(std::span<const Field> fields, std::size_t index, const Blocks& to,
                           const Blocks& from);

// Of `buffers`, which outlive it, it takes 12 bytes for each byte coded.
class NibbleCoder {
public:
    explicit NibbleCoder(CodingBuffers& buffers) : buffers_(buffers) {}

    // Longer pieces are not coded so.
    static constexpr std::size_t kBytesMax = 320 * 1024;

    // Bytes written to `out`, or 0 when the payload does not fit there. `base` is not empty.
    std::size_t write(ByteView plain, ByteView base, const NibbleBlocks& blocks, ByteSpan out);
    // Which scales there are is up to the payload: `blocks` tells which there could be, and of its
    // plain bytes the scales are there already.
    Status read(ByteView payload, ByteView base, const NibbleBlocks& blocks, ByteSpan out);

private:
    ClassModel model_;
    CodingBuffers& buffers_;
};

// About how many bits, times 2^16, NibbleCoder would take: from a sample.
std::uint64_t estimate_nibbles(ByteView plain, ByteView base, const NibbleBlocks& blocks);

}  // namespace tributary::codec
