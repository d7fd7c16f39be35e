// How this process treats its heap.
#pragma once

namespace tributary {

// For a program on a small machine: memory that is free goes back to the kernel soon, and threads
// share one heap. It costs some processor time. Called once, before there is a second thread.
// Without effect where the C library is not glibc.
void keep_heap_small();

}  // namespace tributary
