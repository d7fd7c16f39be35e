// How hard to compress, as configuration, command line and link say.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "common/base/result.h"
#include "common/codec/codec.h"

namespace tributary::agent {

// "fast", "default", "max", or "auto": max where the link takes less than 64 KiB a second, so that
// its bytes cost more than the processor's time; default on faster ones, and while nothing is known
// of it. Fast is for who asks for it: what it saves in time is lost in flash for as long as a
// version is kept. invalid for another word.
Result<codec::Level> level_for(const std::string& name,
                               std::optional<std::uint64_t> link_bytes_per_second);

}  // namespace tributary::agent
