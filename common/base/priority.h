// What goes first over a link that cannot take all at once.
#pragma once

#include <cstdint>

namespace tributary {

// In this order.
enum class Priority : std::uint8_t {
    control,  // questions, answers and documents: small, and all else waits for them
    model,    // content of a version that is pushed to a device
    data,     // content of what a device recorded
};
inline constexpr std::size_t kPriorities = 3;

}  // namespace tributary
