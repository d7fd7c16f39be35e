// Results for people: short ids, aligned columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/text/harmless.h"
#include "common/text/json.h"

namespace tributary::cli {

// The member's items; none when it is no array.
const Json::Array& items(const Json& object, std::string_view name);
// "sha256:0123…" → "0123456789ab"; null → "-".
std::string short_id(const Json* id);
// The member as text: strings made harmless, null and missing as "-", others as JSON.
std::string text_of(const Json& object, std::string_view name, Lines lines = Lines::one);
// 1234567 → "1.2 MB".
std::string bytes_text(std::uint64_t bytes);

// "2 paths in conflict between b1 and b2"; empty when the version has none.
std::string conflicts_text(const Json& version);
// conflict, with what to do next, when the version of `repo` leaves paths to a person.
Status no_conflicts(const Json& version, const std::string& repo);

// Columns as wide as their widest cell, two spaces apart; nothing but the header when there are no
// rows.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

}  // namespace tributary::cli
