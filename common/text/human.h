// Figures as people read them.
#pragma once

#include <cstdint>
#include <string>

namespace tributary {

// 25'000 → "25 s"; the largest unit of which there are two at least: s, min, h, d.
std::string human_span(std::uint64_t ms);

}  // namespace tributary
