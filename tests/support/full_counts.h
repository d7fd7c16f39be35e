// How much a crash test does: a part at each push, all of it under the label release, where
// TRIBUTARY_CUTS says how many cuts at random.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace tributary::test {

// None asked for: it is not a release.
inline std::optional<std::uint64_t> cuts_asked() {
    const char* const asked = std::getenv("TRIBUTARY_CUTS");
    return asked == nullptr ? std::nullopt : std::optional(std::strtoull(asked, nullptr, 10));
}

// With how many different damages each cut is tried.
inline std::uint64_t damage_seeds(std::uint64_t at_each_push) {
    return cuts_asked() ? 8 : at_each_push;
}

}  // namespace tributary::test
