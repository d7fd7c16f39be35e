// Names that differ in their numbers alone, such as those of a training run's checkpoints
// (step-900.pt, step-1000.pt): what bears them is alike inside too.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/record/tree.h"

namespace tributary::agent {

class SimilarNames {
public:
    // `items` outlives it.
    explicit SimilarNames(const std::vector<TreeItem>& items);

    // Of the items of the same kind (folder or file) whose names differ from `name` in their
    // numbers alone, the nearest below it, numbers taken as numbers, else the nearest above; null
    // when there is none.
    const TreeItem* nearest(std::string_view name, bool is_tree) const;

private:
    // By kind and by the name without its numbers; each list in the order of the numbers.
    std::map<std::pair<bool, std::string>, std::vector<const TreeItem*>> alike_;
};

}  // namespace tributary::agent
