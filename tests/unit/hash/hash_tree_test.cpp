#include <gtest/gtest.h>

#include <string>

#include "common/hash/hash.h"

namespace tributary {
namespace {

Bytes bytes_of(std::string_view hex) {
    Bytes bytes(hex.size() / 2);
    EXPECT_TRUE(from_hex(hex, bytes));
    return bytes;
}

std::vector<Digest> some_leaves(std::size_t count) {
    std::vector<Digest> leaves;
    for (std::size_t i = 0; i < count; ++i) leaves.push_back(sha256(as_bytes(std::to_string(i))));
    return leaves;
}

// The vectors that certificate-transparency implementations share: eight leaves of 0 to 16 bytes,
// and the root over the first n.
TEST(HashTree, AgreesWithTheSharedVectorsOfRfc9162) {
    const std::vector<std::string> leaves = {"",
                                             "00",
                                             "10",
                                             "2021",
                                             "3031",
                                             "40414243",
                                             "5051525354555657",
                                             "606162636465666768696a6b6c6d6e6f"};
    const std::vector<std::string> roots = {
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"};
    std::vector<Digest> hashes;
    EXPECT_EQ(to_hex(hash_tree_root_of_leaf_hashes(hashes).bytes), roots[0]);
    for (std::size_t n = 1; n < roots.size(); ++n) {
        hashes.push_back(hash_tree_leaf(bytes_of(leaves[n - 1])));
        EXPECT_EQ(to_hex(hash_tree_root_of_leaf_hashes(hashes).bytes), roots[n]) << n;
    }
}

TEST(HashTree, EveryPathLeadsToTheRoot) {
    for (std::size_t count = 1; count <= 40; ++count) {
        const std::vector<Digest> leaves = some_leaves(count);
        const Digest root = hash_tree_root(leaves);
        for (std::size_t i = 0; i < count; ++i)
            ASSERT_EQ(hash_tree_root_from_path(leaves[i], i, count, hash_tree_path(leaves, i)),
                      root)
                << i << " of " << count;
    }
}

TEST(HashTree, APathOfAnotherLeafOrPlaceDoesNotLeadToTheRoot) {
    const std::vector<Digest> leaves = some_leaves(11);
    const Digest root = hash_tree_root(leaves);
    const std::vector<Digest> path = hash_tree_path(leaves, 5);
    EXPECT_NE(hash_tree_root_from_path(leaves[6], 5, 11, path), root);
    EXPECT_NE(hash_tree_root_from_path(leaves[5], 4, 11, path), root);
}

TEST(HashTree, APathThatDoesNotFitGivesNone) {
    const std::vector<Digest> leaves = some_leaves(11);
    std::vector<Digest> path = hash_tree_path(leaves, 10);
    EXPECT_TRUE(hash_tree_root_from_path(leaves[10], 11, 11, path).is_none());
    EXPECT_TRUE(hash_tree_root_from_path(leaves[10], 0, 0, {}).is_none());
    path.push_back(leaves[0]);
    EXPECT_TRUE(hash_tree_root_from_path(leaves[10], 10, 11, path).is_none());
    path.resize(path.size() - 2);
    EXPECT_TRUE(hash_tree_root_from_path(leaves[10], 10, 11, path).is_none());
}

}  // namespace
}  // namespace tributary
