// Results for people: short ids, aligned columns.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "common/base/words.h"
#include "common/env/terminal.h"
#include "common/text/harmless.h"
#include "common/text/json.h"

namespace tributary::cli {

// The member's items; none when it is no array.
const Json::Array& items(const Json& object, std::string_view name);
// "sha256:0123…" → "0123456789ab"; null → "-".
std::string short_id(const Json* id);
// The member as text: strings made harmless, null and missing as "-", others as JSON.
std::string text_of(const Json& object, std::string_view name, Lines lines = Lines::one);

// "2 paths in conflict between b1 and b2"; empty when the version has none.
std::string conflicts_text(const Json& version);
// conflict, with what to do next, when the version of `repo` leaves paths to a person.
Status no_conflicts(const Json& version, const std::string& repo);

// Columns as wide as their widest cell, but for very wide ones, two spaces apart; nothing but the
// header when there are no rows.
std::string table(const std::vector<std::string>& header,
                  const std::vector<std::vector<std::string>>& rows);

// As many lines as a terminal shows at once, the last of them saying how many more there are.
std::string fitting(const std::string& text, const TerminalSize& terminal);

}  // namespace tributary::cli
