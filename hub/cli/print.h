// Results for people: short ids, aligned columns.
#pragma once

#include <string>
#include <vector>

#include "common/text/json.h"

namespace tributary::cli {

// "sha256:0123…" → "0123456789ab"; null → "-".
std::string short_id(const Json* id);
// The member as text: strings as they are, null and missing as "-", others as JSON.
std::string text_of(const Json& object, std::string_view name);
// 1234567 → "1.23 MB".
std::string bytes_text(std::uint64_t bytes);

// Columns as wide as their widest cell, two spaces apart; nothing but the header when there are no
// rows.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

}  // namespace tributary::cli
