// SHA-256, CRC-32C and hash trees.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"

namespace tributary {

Digest sha256(ByteView bytes);

// The one rule for naming a statement: SHA-256 of `purpose`, a zero byte, and the bytes. `purpose`
// is e.g. "tributary/1/tree".
Digest sha256_of(std::string_view purpose, ByteView bytes);

// SHA-256 in steps, for a file that is read in blocks.
class Sha256 {
public:
    Sha256();
    ~Sha256();
    Sha256(Sha256&&) noexcept;
    Sha256& operator=(Sha256&&) noexcept;
    void update(ByteView bytes);
    // Ends the computation; the object may then only be destroyed or reset().
    Digest finish();
    void reset();

private:
    struct State;
    std::unique_ptr<State> state_;
};

// CRC-32C (Castagnoli, reflected 0x82F63B78, as in iSCSI, RFC 3720 B.4). `seed` is an earlier
// result, to continue.
std::uint32_t crc32c(ByteView bytes, std::uint32_t seed = 0);
// The same by tables alone, as on a processor without the instruction. For tests and benchmarks.
std::uint32_t crc32c_portable(ByteView bytes, std::uint32_t seed = 0);

// Hash trees after RFC 9162 section 2.1: leaf = H(0x00 || leaf), node = H(0x01 || left || right),
// where a tree of n leaves splits at the largest power of two below n. Our leaves are digests.
Digest hash_tree_root(std::span<const Digest> leaves);
// The audit path of leaf `index`, from the leaf's sibling up to a child of the root.
std::vector<Digest> hash_tree_path(std::span<const Digest> leaves, std::size_t index);
// Root and paths of many leaves, each node hashed once. Holds 64 bytes a leaf.
class HashTree {
public:
    explicit HashTree(std::span<const Digest> leaves);  // CHECKs that there is one
    const Digest& root() const { return levels_.back().front(); }
    std::vector<Digest> path(std::size_t index) const;  // as hash_tree_path()

private:
    std::vector<std::vector<Digest>> levels_;  // hashes of the leaves first, the root last
};

// The root that the path leads to, or none when index and leaf_count do not fit the path's length.
Digest hash_tree_root_from_path(const Digest& leaf, std::uint64_t index, std::uint64_t leaf_count,
                                std::span<const Digest> path);
// For leaves of other lengths: H(0x00 || leaf), and the root over such hashes.
Digest hash_tree_leaf(ByteView leaf);
Digest hash_tree_root_of_leaf_hashes(std::vector<Digest> hashes);

}  // namespace tributary
