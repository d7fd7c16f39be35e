// Hash trees level by level: pairs are joined, and an odd last node moves up unchanged. That gives
// the same tree as RFC 9162's split at the largest power of two below n, without recursion.
#include "common/base/result.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

Digest join(const Digest& left, const Digest& right) {
    std::array<std::uint8_t, 1 + 2 * kDigestBytes> node{1};
    std::memcpy(node.data() + 1, left.bytes.data(), kDigestBytes);
    std::memcpy(node.data() + 1 + kDigestBytes, right.bytes.data(), kDigestBytes);
    return sha256(node);
}

std::vector<Digest> hashes_of(std::span<const Digest> leaves) {
    std::vector<Digest> hashes;
    hashes.reserve(leaves.size());
    for (const Digest& leaf : leaves) hashes.push_back(hash_tree_leaf(leaf.bytes));
    return hashes;
}

void rise_one_level(std::vector<Digest>& level) {
    for (std::size_t i = 0; i + 1 < level.size(); i += 2)
        level[i / 2] = join(level[i], level[i + 1]);
    if (level.size() % 2 != 0) level[level.size() / 2] = level.back();
    level.resize((level.size() + 1) / 2);
}

}  // namespace

Digest hash_tree_leaf(ByteView leaf) {
    constexpr std::uint8_t kLeaf = 0;
    Sha256 hasher;
    hasher.update({&kLeaf, 1});
    hasher.update(leaf);
    return hasher.finish();
}

Digest hash_tree_root_of_leaf_hashes(std::vector<Digest> hashes) {
    if (hashes.empty()) return sha256({});
    while (hashes.size() > 1) rise_one_level(hashes);
    return hashes.front();
}

Digest hash_tree_root(std::span<const Digest> leaves) {
    return hash_tree_root_of_leaf_hashes(hashes_of(leaves));
}

HashTree::HashTree(std::span<const Digest> leaves) {
    TRIBUTARY_CHECK(!leaves.empty());
    levels_.push_back(hashes_of(leaves));
    while (levels_.back().size() > 1) {
        std::vector<Digest> above = levels_.back();
        rise_one_level(above);
        levels_.push_back(std::move(above));
    }
}

std::vector<Digest> HashTree::path(std::size_t index) const {
    TRIBUTARY_CHECK(index < levels_.front().size());
    std::vector<Digest> path;
    for (const std::vector<Digest>& level : levels_) {
        const std::size_t sibling = index ^ 1;
        if (sibling < level.size()) path.push_back(level[sibling]);
        index /= 2;
    }
    return path;
}

std::vector<Digest> hash_tree_path(std::span<const Digest> leaves, std::size_t index) {
    return HashTree(leaves).path(index);
}

Digest hash_tree_root_from_path(const Digest& leaf, std::uint64_t index, std::uint64_t leaf_count,
                                std::span<const Digest> path) {
    if (index >= leaf_count) return {};
    Digest hash = hash_tree_leaf(leaf.bytes);
    std::size_t used = 0;
    for (std::uint64_t last = leaf_count - 1; last > 0; index /= 2, last /= 2) {
        if (index == last && index % 2 == 0) continue;  // odd one out: moves up alone
        if (used == path.size()) return {};
        const Digest& sibling = path[used++];
        hash = index % 2 != 0 ? join(sibling, hash) : join(hash, sibling);
    }
    return used == path.size() ? hash : Digest{};
}

}  // namespace tributary
