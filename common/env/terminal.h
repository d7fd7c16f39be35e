// Whether a person looks at what this process prints, and how much of it is seen at a time.
#pragma once

#include <cstddef>
#include <optional>

namespace tributary {

bool stdout_is_terminal();
bool stderr_is_terminal();

struct TerminalSize {
    std::size_t rows = 0;
    std::size_t columns = 0;
};
std::optional<TerminalSize> stdout_size();

}  // namespace tributary
