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
    const auto in = [ms](std::uint64_t unit_ms) { return ms / unit_ms + (ms % unit_ms != 0); };
    if (in(1'000) < 120) return std::to_string(in(1'000)) + " s";
    if (in(60'000) < 120) return std::to_string(in(60'000)) + " min";
    if (in(3'600'000) < 48) return std::to_string(in(3'600'000)) + " h";
    return std::to_string(in(86'400'000)) + " d";
}

std::string counted(std::uint64_t count, std::string_view noun) {
    std::string text = std::to_string(count) + " " + std::string(noun);
    return count == 1 ? text : text + "s";
}

}  // namespace tributary
