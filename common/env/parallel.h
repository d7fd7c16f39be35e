// Work that several cores share.
#pragma once

#include <cstddef>
#include <system_error>
#include <thread>
#include <vector>

namespace tributary {

// Calls work(0) to work(count - 1), each on a thread of its own but the last one here, and returns
// when all have. Where no more threads can be had, it does theirs too. `work` must not throw.
template <class Work>
void in_parallel(std::size_t count, Work&& work) {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < count; ++i) {
        if (i + 1 == count) {
            work(i);
            break;
        }
        try {
            threads.emplace_back([&work, i] { work(i); });
        } catch (const std::system_error&) {
            work(i);
        }
    }
}

}  // namespace tributary
