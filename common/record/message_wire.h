// What writing and reading of sync messages share; for this folder's own files.
#pragma once

#include "common/record/message.h"

namespace tributary::sync {

inline constexpr std::size_t kMessageCrcBytes = 4;

// The limits of PROTOCOL.md, the same in both directions.
bool within_limits(const Body& body);

}  // namespace tributary::sync
