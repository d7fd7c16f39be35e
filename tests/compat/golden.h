// Access to schemas/golden/*.json. A member that is missing or of another kind ends the test
// program: the files are part of the sources.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/text/json.h"

namespace tributary::golden {

// The vectors of one form; at least one.
std::vector<Json> vectors(std::string_view form);
// The golden FlatBuffers bytes of that name.
Bytes flat(std::string_view name);
// The coded pieces of golden/pieces.json; at least one.
std::vector<Json> pieces();

std::string text_at(const Json& from, std::string_view member);
std::uint64_t u64_at(const Json& from, std::string_view member);
Bytes bytes_at(const Json& from, std::string_view member);  // from hexadecimal digits
Digest digest_at(const Json& from, std::string_view member);
Bytes bytes_of_hex(std::string_view hex);
Digest digest_of_hex(std::string_view hex);  // none from an empty text

}  // namespace tributary::golden
