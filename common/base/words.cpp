#include "common/base/words.h"

#include <iterator>

namespace tributary {

std::string human_bytes(std::uint64_t bytes) {
    constexpr std::string_view kUnits[] = {"kB", "MB", "GB", "TB"};
    if (bytes < 1000) return counted(bytes, "byte");
    std::uint64_t tenths = bytes / 100;  // of 1 kB
    std::size_t unit = 0;
    while (tenths >= 10'000 && unit + 1 < std::size(kUnits)) {
        tenths /= 1000;
        ++unit;
    }
    return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " " +
           std::string(kUnits[unit]);
}

std::string human_span(std::uint64_t ms) {
    const std::uint64_t s = ms / 1000;
    if (s < 120) return std::to_string(s) + " s";
    if (s < 120 * 60) return std::to_string(s / 60) + " min";
    if (s < 48 * 3600) return std::to_string(s / 3600) + " h";
    return std::to_string(s / 86'400) + " d";
}

std::string counted(std::uint64_t count, std::string_view noun) {
    std::string text = std::to_string(count) + " " + std::string(noun);
    return count == 1 ? text : text + "s";
}

}  // namespace tributary
