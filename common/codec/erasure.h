// Erasure coding: bytes as k fragments and as many parity fragments as are asked for, any k of
// which give the bytes back.
//
// Systematic Reed-Solomon over GF(2^8), by ISA-L. Fragment i < k is the i-th k-th part of the
// bytes. Fragment i >= k is, byte by byte, the sum of all data fragments j times 1 / (i xor j): a
// Cauchy matrix, every square part of which can be inverted. The field is that of ISA-L, with the
// polynomial x^8 + x^4 + x^3 + x^2 + 1.
#pragma once

#include <bitset>
#include <cstddef>
#include <vector>

#include "common/base/bytes.h"

namespace tributary::codec {

inline constexpr std::size_t kErasureDataMax = 128;    // k
inline constexpr std::size_t kErasureFragments = 255;  // different ones that there are

// One fragment of `data`, which is `data_fragments` fragments of equal length one behind the other.
// CHECKs that it is, and that the numbers are in bounds.
Bytes erasure_fragment(ByteView data, std::size_t data_fragments, std::size_t index);

// Collects fragments until there are enough of them. Holds k fragments, and none beyond.
class ErasureAssembly {
public:
    // CHECKs that there are 1 to kErasureDataMax, none empty.
    ErasureAssembly(std::size_t data_fragments, std::size_t fragment_bytes);

    // False when it brings nothing new or is none of these fragments.
    bool add(std::size_t index, ByteView fragment);
    std::size_t lacks() const { return data_fragments_ - held_; }
    // The data, once nothing is lacking. Takes what m missing fragments need beside, m squared and
    // 32 m k bytes.
    Bytes take() &&;

private:
    ByteSpan slot(std::size_t number) {
        return ByteSpan(slots_).subspan(number * fragment_bytes_, fragment_bytes_);
    }
    std::size_t free_slot() const;
    void rebuild(const std::vector<std::size_t>& missing);

    static constexpr std::size_t kFree = kErasureFragments;

    std::size_t data_fragments_;
    std::size_t fragment_bytes_;
    std::size_t held_ = 0;
    std::bitset<kErasureFragments> seen_;
    Bytes slots_;                        // data fragment i in slot i, parity wherever there is room
    std::vector<std::size_t> slot_has_;  // the index of the fragment in it, or kFree
};

}  // namespace tributary::codec
