// What a push is going to take, as far as the hub has said it: of one page of its plan, so at
// least.
#pragma once

#include <cstdint>

namespace tributary::agent {

struct PushSize {
    std::uint64_t stored_bytes = 0;  // in the store, of what is not there yet
    std::uint64_t plain_bytes = 0;   // in files, of all pieces
};

}  // namespace tributary::agent
