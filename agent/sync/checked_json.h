// A small JSON file beside the checksum of its text, so that a damaged one is not taken for another
// one: {"sha256": S, NAME: body}, where S is of the body's text on one line without spaces.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "common/env/files.h"
#include "common/text/json.h"

namespace tributary::agent {

// The body. not_found; corrupt, naming the file, when it is not as it was written.
Result<Json> load_checked(Files& files, const std::string& path, std::string_view name,
                          std::uint64_t bytes_max);
Status save_checked(Files& files, const std::string& path, std::string_view name, const Json& body);

}  // namespace tributary::agent
