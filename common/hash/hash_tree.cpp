#include <bit>

#include "common/hash/hash.h"

namespace tributary {
namespace {

Digest hash_leaf(const Digest& leaf) {
    static constexpr std::uint8_t kLeaf = 0;
    Sha256 hash;
    hash.update({&kLeaf, 1});
    hash.update(leaf.bytes);
    return hash.finish();
}

Digest hash_node(const Digest& left, const Digest& right) {
    static constexpr std::uint8_t kNode = 1;
    Sha256 hash;
    hash.update({&kNode, 1});
    hash.update(left.bytes);
    hash.update(right.bytes);
    return hash.finish();
}

// The largest power of two below n, for n > 1.
std::size_t split_of(std::size_t n) { return std::bit_floor(n - 1); }

}  // namespace

Digest hash_tree_root(std::span<const Digest> leaves) {
    if (leaves.empty()) return sha256({});
    if (leaves.size() == 1) return hash_leaf(leaves[0]);
    const std::size_t split = split_of(leaves.size());
    return hash_node(hash_tree_root(leaves.first(split)), hash_tree_root(leaves.subspan(split)));
}

std::vector<Digest> hash_tree_path(std::span<const Digest> leaves, std::size_t index) {
    TRIBUTARY_CHECK(index < leaves.size());
    if (leaves.size() == 1) return {};
    const std::size_t split = split_of(leaves.size());
    const bool left = index < split;
    std::vector<Digest> path = left ? hash_tree_path(leaves.first(split), index)
                                    : hash_tree_path(leaves.subspan(split), index - split);
    path.push_back(hash_tree_root(left ? leaves.subspan(split) : leaves.first(split)));
    return path;
}

// RFC 9162 section 2.1.3.2.
Digest hash_tree_root_from_path(const Digest& leaf, std::uint64_t index, std::uint64_t leaf_count,
                                std::span<const Digest> path) {
    if (index >= leaf_count) return {};
    std::uint64_t node = index;
    std::uint64_t last = leaf_count - 1;
    Digest root = hash_leaf(leaf);
    for (const Digest& sibling : path) {
        if (last == 0) return {};
        if ((node & 1) != 0 || node == last) {
            root = hash_node(sibling, root);
            while ((node & 1) == 0 && node != 0) node >>= 1, last >>= 1;
        } else {
            root = hash_node(root, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    return last == 0 ? root : Digest{};
}

}  // namespace tributary
