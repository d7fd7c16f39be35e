// The version graph of parents: who is an ancestor of whom, and where histories part.
//
// Pure: versions come through a callback. Clocks are not believed: order comes from generation
// numbers (one more than the greatest of the parents'), which a History computes and remembers, so
// keep one History per repository and hand it new heads. It holds some 170 bytes a version it has
// seen. Not thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <unordered_map>
#include <vector>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/record/version.h"

namespace tributary::lineage {

using LoadVersion = std::function<Result<Version>(const VersionId&)>;

// A version that folds heads and states nothing of its own: no incarnation, no author, two or more
// parents.
bool is_merge(const Version& version);

class History {
public:
    explicit History(LoadVersion load) : load_(std::move(load)) {}

    Result<Version> load(const VersionId& id) { return load_(id); }

    // A version is an ancestor of itself.
    Result<bool> is_ancestor(const VersionId& ancestor, const VersionId& of);
    // Sorted and distinct, without those that are ancestors of others.
    Result<std::vector<VersionId>> independent(std::span<const VersionId> heads);
    // The common ancestors of two versions that are no ancestors of other common ancestors, sorted;
    // empty when their histories have nothing in common.
    Result<std::vector<VersionId>> merge_bases(const VersionId& a, const VersionId& b);
    // What people and devices said, with all folding undone: merges among `heads` are replaced by
    // their parents until none is left, then independent().
    Result<std::vector<VersionId>> stated_heads(std::span<const VersionId> heads);

    // For every head, which other heads share an ancestor with it; rows and columns as in `heads`,
    // the diagonal false. One walk for all.
    Result<std::vector<std::vector<bool>>> related(std::span<const VersionId> heads);

private:
    // Versions go by the number under which they were first seen.
    struct Node {
        VersionId id;
        std::vector<std::uint32_t> parents;
        std::uint32_t generation = 0;
        bool merge = false;
    };
    // Which of the heads each ancestor is reached from, as bits, youngest generation first.
    struct Reach {
        std::size_t words = 0;  // for each
        std::vector<std::uint32_t> nodes;
        std::vector<std::uint64_t> bits;
        std::span<const std::uint64_t> from(std::size_t i) const {
            return std::span(bits).subspan(i * words, words);
        }
    };
    Result<std::uint32_t> node(const VersionId& id);
    Result<std::vector<std::uint32_t>> nodes_of(std::span<const VersionId> heads);
    // Stops below generation `floor`.
    Reach walk(std::span<const std::uint32_t> heads, std::uint32_t floor) const;

    LoadVersion load_;
    std::vector<Node> nodes_;
    std::unordered_map<VersionId, std::uint32_t> numbers_;
};

}  // namespace tributary::lineage
