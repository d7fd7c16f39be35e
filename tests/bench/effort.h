// What this program asked of the system's files so far.
#pragma once

#include <cstdint>

namespace tributary::bench {

struct Effort {
    std::uint64_t written_bytes = 0;  // handed to write() and its kin, as the kernel counts them
    std::uint64_t syncs = 0;          // calls of fsync() and fdatasync(), by libraries too
};

Effort effort();

}  // namespace tributary::bench
