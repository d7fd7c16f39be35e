// The end of whatever brings a version: a push, or a broadcast.
#pragma once

#include "common/store/store.h"

namespace tributary::agent {

// When everything that the version needs is here, makes it durable; not_found names what is not.
Status commit_whole(Store& store, const VersionId& version);

}  // namespace tributary::agent
