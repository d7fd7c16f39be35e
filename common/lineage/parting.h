// Where the histories of many heads part, each two of them: at their merge bases, the common
// ancestors that are no ancestors of other common ones. A version is an ancestor of itself.
//
// A thousand boards that train on one model make half a million pairs, but part at one place. So
// heads that left what they share with any other at the same versions are one class, and answers
// are for pairs of classes: work and memory grow with the places, not with the heads.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "common/base/result.h"

namespace tributary::lineage {

// A graph whose nodes are numbers; a node's parents have smaller ones.
class ParentTable {
public:
    std::uint32_t size() const { return static_cast<std::uint32_t>(ends_.size()); }
    void add(std::span<const std::uint32_t> parents) {
        parents_.insert(parents_.end(), parents.begin(), parents.end());
        ends_.push_back(parents_.size());
    }
    std::span<const std::uint32_t> of(std::uint32_t node) const {
        const std::size_t begin = node == 0 ? 0 : ends_[node - 1];
        return std::span(parents_).subspan(begin, ends_[node] - begin);
    }

private:
    std::vector<std::uint32_t> parents_;
    std::vector<std::size_t> ends_;
};

struct Partings {
    struct Pair {
        std::uint32_t a, b;   // classes, a <= b; a == b: any two heads of this class
        std::uint32_t bases;  // which of base_sets
    };
    std::vector<std::uint32_t> class_of;  // of each head, in the order given
    std::uint32_t classes = 0;
    std::vector<Pair>
        pairs;  // every two classes; a class with itself when it has two heads or more
    std::vector<std::vector<std::uint32_t>> base_sets;  // of nodes; empty: nothing in common
};

// What a question may take: whoever may record can make histories that part everywhere.
struct PartingBudget {
    std::uint32_t classes = 1024;
    // Words of sets that are looked at; what is kept counts more.
    std::uint64_t steps = 100'000'000;
};
// Of distinct heads. exhausted when it takes more than the budget.
Result<Partings> partings(const ParentTable& parents, std::span<const std::uint32_t> heads,
                          const PartingBudget& budget = {});

}  // namespace tributary::lineage
