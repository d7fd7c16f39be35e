#include "common/text/human.h"

namespace tributary {

std::string human_span(std::uint64_t ms) {
    const std::uint64_t s = ms / 1000;
    if (s < 120) return std::to_string(s) + " s";
    if (s < 120 * 60) return std::to_string(s / 60) + " min";
    if (s < 48 * 3600) return std::to_string(s / 3600) + " h";
    return std::to_string(s / 86'400) + " d";
}

}  // namespace tributary
