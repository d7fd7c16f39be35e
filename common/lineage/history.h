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

// Where the histories of some heads part, two by two: their merge bases, which are the common
// ancestors that are no ancestors of other common ancestors.
class Partings {
public:
    explicit Partings(std::size_t heads) : of_(heads * (heads - 1) / 2) {}
    // Which of lists() holds for heads i and j, which differ. 0: they have nothing in common.
    std::uint32_t of(std::size_t i, std::size_t j) const { return of_[place(i, j)]; }
    // The different lists that occur, each sorted; the first one is empty.
    const std::vector<std::vector<VersionId>>& lists() const { return lists_; }
    // What it took: versions passed and heads compared.
    std::uint64_t steps() const { return steps_; }

private:
    friend class History;
    static std::size_t place(std::size_t i, std::size_t j) {
        return i < j ? j * (j - 1) / 2 + i : i * (i - 1) / 2 + j;
    }
    std::vector<std::uint32_t> of_;
    std::vector<std::vector<VersionId>> lists_{1};
    std::uint64_t steps_ = 0;
};

class History {
public:
    explicit History(LoadVersion load) : load_(std::move(load)) {}

    Result<Version> load(const VersionId& id) { return load_(id); }

    // A version is an ancestor of itself.
    Result<bool> is_ancestor(const VersionId& ancestor, const VersionId& of);
    // Sorted and distinct, without those that are ancestors of others.
    Result<std::vector<VersionId>> independent(std::span<const VersionId> heads);
    // What people and devices said, with all folding undone: merges among `heads` are replaced by
    // their parents until none is left, then independent().
    Result<std::vector<VersionId>> stated_heads(std::span<const VersionId> heads);

    // Where each two of some distinct heads part, in one walk that goes no deeper than it must.
    // exhausted when it takes more than `steps_max`: histories that cross and cross again.
    Result<Partings> partings(std::span<const VersionId> heads, std::uint64_t steps_max);

private:
    class HeadSets;
    // Versions go by the number under which they were first seen.
    struct Node {
        VersionId id;
        std::vector<std::uint32_t> parents;
        std::uint32_t generation = 0;
        bool merge = false;
    };
    Result<std::uint32_t> node(const VersionId& id);
    Result<std::vector<std::uint32_t>> nodes_of(std::span<const VersionId> heads);
    // Youngest first, every ancestor of `heads` down to generation `floor`: its number, the sets of
    // heads that its children in the walk (and it, if it is a head) are reached from, and the union
    // of them. What `visit` answers true for has nothing below it that the caller wants; the walk
    // ends when that is so of all that is left.
    using Visit = std::function<bool(std::uint32_t number, std::span<const std::uint32_t> from,
                                     std::uint32_t set)>;
    void walk(std::span<const std::uint32_t> heads, std::uint32_t floor, HeadSets& sets,
              const Visit& visit) const;

    LoadVersion load_;
    std::vector<Node> nodes_;
    std::unordered_map<VersionId, std::uint32_t> numbers_;
};

}  // namespace tributary::lineage
