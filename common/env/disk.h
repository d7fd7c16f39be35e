// The file system that holds a path, as a whole.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/result.h"

namespace tributary {

// How large it is, used or not. `path` or one of the folders above it exists.
Result<std::uint64_t> disk_bytes(const std::string& path);

// Makes durable whatever was written on it, and the names there. `path` is a folder. unsupported,
// and nothing done, where a failure would not be told: before Linux 5.8, and where a FUSE program
// keeps the files.
Status sync_disk(const std::string& path);

}  // namespace tributary
