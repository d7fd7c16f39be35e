// A tree with something else at some paths: what a person says where heads are in conflict.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "common/record/tree.h"

namespace tributary::lineage {

// The file or directory at a '/'-separated path, by its name there; nullopt: nothing.
Result<std::optional<TreeItem>> find_item(const TreeId& tree, std::string_view path,
                                          const LoadTreeNode& load);

// `tree` with each item in the place of what its path shows; nullopt: nothing there. Directories
// are made where they are missing, and go when nothing is left in them. Of the answer all nodes on
// the way to these paths are to be stored. invalid when a path leads through a file.
Result<EncodedTree> overlay(const TreeId& tree,
                            const std::map<std::string, std::optional<TreeItem>>& items,
                            const LoadTreeNode& load);

}  // namespace tributary::lineage
