// How amounts are said to people.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace tributary {

// "12.3 MB", of 10^6 bytes.
std::string human_bytes(std::uint64_t bytes);
// "12 s", "5 min", "3 h", "2 d"; rounded up, so that nobody waits longer than he was told.
std::string human_span(std::uint64_t ms);
// "1 file", "3 files".
std::string counted(std::uint64_t count, std::string_view noun);

}  // namespace tributary
