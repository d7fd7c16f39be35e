// One vocabulary of file errors for the real and the simulated disk.
#pragma once

#include <string_view>

#include "common/base/result.h"

namespace tributary {

// "cannot <action> <path>: <what is wrong>; <what to do>", with the code that files.h promises for
// this errno.
[[nodiscard]] tl::unexpected<Error> file_error(std::string_view action, std::string_view path,
                                               int error_number);

}  // namespace tributary
