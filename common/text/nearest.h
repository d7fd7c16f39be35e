// The word that was perhaps meant.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tributary {

// Levenshtein: the fewest insertions, removals and replacements that make `a` into `b`.
std::size_t edit_distance(std::string_view a, std::string_view b);
// The first of those with the least distance; empty when none is known.
std::string nearest(const std::string& word, const std::vector<std::string>& known);

}  // namespace tributary
