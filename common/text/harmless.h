// Words that strangers, boards and people chose, for a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

// What a terminal obeys in them, and what would make them look like a line of ours, is "?".
enum class Lines : std::uint8_t { one, several };
std::string harmless(std::string_view text, Lines lines = Lines::one);

}  // namespace tributary
