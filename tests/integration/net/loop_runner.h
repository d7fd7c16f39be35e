// Runs a loop on the test's thread until something has happened, or too much time has passed.
#pragma once

#include <functional>

#include "common/net/loop.h"

namespace tributary::test {

inline bool run_until(NetLoop& loop, const std::function<bool()>& happened,
                      std::uint64_t limit_ms = 5'000) {
    const MonoTime end = loop.now() + limit_ms;
    std::unique_ptr<Timer> timer;
    std::function<void()> look = [&] {
        if (happened() || loop.now() >= end) return loop.stop();
        timer = loop.at(loop.now() + 2, look);
    };
    loop.post(look);
    loop.run();
    return happened();
}

inline void run_for(NetLoop& loop, std::uint64_t ms) {
    const auto timer = loop.at(loop.now() + ms, [&] { loop.stop(); });
    loop.run();
}

}  // namespace tributary::test
