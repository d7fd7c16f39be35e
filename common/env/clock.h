// The outside world's time and randomness, as ports. Only common/env and common/net may read them.
#pragma once

#include "common/base/bytes.h"
#include "common/base/time.h"

namespace tributary {

class Clock {
public:
    virtual ~Clock() = default;
    virtual WallTime wall() = 0;
    virtual MonoTime mono() = 0;
    // How far wall() may be believed now.
    virtual ClockQuality quality() = 0;
};

class Entropy {
public:
    virtual ~Entropy() = default;
    // Fills `out` with unpredictable bytes; aborts the process if the system has none (nothing safe
    // can follow).
    virtual void fill(ByteSpan out) = 0;

    std::uint64_t number();
    // 0 .. bound - 1; `bound` is not 0. Biased by less than bound / 2^64.
    std::uint64_t below(std::uint64_t bound) { return number() % bound; }
};

// The machine's own. Thread-safe; live until exit.
Clock& system_clock();
Entropy& system_entropy();
// Blocks the calling thread. For a command that waits its turn; never for the agent's or hub's
// loop.
void system_sleep(std::uint64_t ms);

}  // namespace tributary
