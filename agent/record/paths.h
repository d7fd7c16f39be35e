// What a commit is given: paths, and the names they get in the tree.
#pragma once

#include <string>
#include <vector>

#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary::agent {

struct SourcePath {
    std::string path;  // as given, without trailing slashes
    std::string name;  // its last component: its name in the tree
};

// invalid when a path has no last component that could be a name ("/", ".", ".."), or when two
// paths end in the same one.
Result<std::vector<SourcePath>> name_sources(const std::vector<std::string>& paths);

// invalid, with what to do, for what a tree does not hold: links, devices, sockets, pipes, and
// files with a set-id bit.
Status check_recordable(const std::string& path, const FileStatus& status);

}  // namespace tributary::agent
