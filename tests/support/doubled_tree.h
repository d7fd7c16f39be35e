// A tree that its author made to take others' time, and a guard that ends the test it would hang.
#pragma once

#include <string>
#include <vector>

#include "common/hash/hash.h"
#include "common/record/tree.h"

namespace tributary::test {

// `levels` directories, each naming the one below it twice, as "a" and "b"; the lowest holds one
// file, 2^(levels - 1) times in as many nodes as levels. Sizes are said to be 0.
inline EncodedTree doubled_tree(std::size_t levels, const std::string& file = "f",
                                std::string_view content = "") {
    EncodedTree all =
        encode_tree({{TreeItem::Type::file, file, sha256(as_bytes(content)), 0}}).value();
    for (std::size_t level = 1; level < levels; ++level) {
        const TreeItem below{TreeItem::Type::tree, "a", all.id.digest, 0};
        TreeItem again = below;
        again.name = "b";
        EncodedTree tree = encode_tree({below, again}).value();
        all.id = tree.id;
        all.nodes.push_back(std::move(tree.nodes.back()));
    }
    return all;
}

// Fails instead of reading on, so that a walk without an end fails its test.
inline LoadTreeNode at_most(std::size_t reads, LoadTreeNode load) {
    return [reads, load = std::move(load)](const TreeId& id) mutable -> Result<Bytes> {
        if (reads-- == 0) return fail(Errc::unavailable, "the walk reads on and on");
        return load(id);
    };
}

}  // namespace tributary::test
