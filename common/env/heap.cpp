#include "common/env/heap.h"

#include <malloc.h>

namespace tributary {

void keep_heap_small() {
#ifdef __GLIBC__
    // Else each thread gets a heap of its own, which keeps what it had at its greatest.
    ::mallopt(M_ARENA_MAX, 1);
    // A whole record is mapped for itself and goes back when it is freed. Said here, because glibc
    // otherwise raises both limits to the largest block it has seen freed (mallopt(3)).
    ::mallopt(M_MMAP_THRESHOLD, 256 * 1024);
    ::mallopt(M_TRIM_THRESHOLD, 512 * 1024);
#endif
}

}  // namespace tributary
