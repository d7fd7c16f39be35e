// How much a seeded test does: a part at each push, all of it under the label release, where the
// environment says how much: of a crash test, TRIBUTARY_CUTS how many cuts at random.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <optional>

namespace tributary::test {

inline std::uint64_t asked(const char* name, std::uint64_t at_each_push) {
    const char* const said = std::getenv(name);
    return said == nullptr ? at_each_push : std::strtoull(said, nullptr, 10);
}

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
