// What the installer needs of the store: read from its state, so that it is known whether or not
// an installer runs.
#pragma once

#include <string>
#include <unordered_set>

#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/env/files.h"

namespace tributary::agent {

struct InUse {
    std::unordered_set<VersionId> versions;  // in a slot, or of an install under way
    // Some of a version that is not named anywhere yet is in the store.
    bool downloading = false;
};

// corrupt when the installer's state cannot be read: then nothing may be given up.
Result<InUse> read_in_use(Files& files, const std::string& install_path);

}  // namespace tributary::agent
