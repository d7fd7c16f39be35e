#include "common/env/clock.h"

#include <sys/random.h>
#include <sys/timex.h>

#include <array>
#include <cerrno>
#include <ctime>

#include "common/base/result.h"

namespace tributary {
namespace {

std::uint64_t read_ms(clockid_t id) {
    timespec now{};
    TRIBUTARY_CHECK(::clock_gettime(id, &now) == 0);
    // A board without a battery may wake before 1970; that is time zero, not a huge number.
    if (now.tv_sec < 0) return 0;
    return static_cast<std::uint64_t>(now.tv_sec) * 1000 +
           static_cast<std::uint64_t>(now.tv_nsec) / 1'000'000;
}

class SystemClock final : public Clock {
public:
    WallTime wall() override { return {read_ms(CLOCK_REALTIME)}; }
    // The clock that Asio's timers use, so that deadlines and timers agree.
    MonoTime mono() override { return {read_ms(CLOCK_MONOTONIC)}; }

    ClockQuality quality() override {
        timex state{};  // modes 0: read only
        const int answer = ::adjtimex(&state);
        const bool synced =
            answer != -1 && answer != TIME_ERROR && (state.status & STA_UNSYNC) == 0;
        return synced ? ClockQuality::synced : ClockQuality::unknown;
    }
};

class SystemEntropy final : public Entropy {
public:
    void fill(ByteSpan out) override {
        while (!out.empty()) {
            const ssize_t got = ::getrandom(out.data(), out.size(), 0);
            if (got < 0 && errno == EINTR) continue;
            TRIBUTARY_CHECK(got > 0);  // keys and incarnations cannot be made without it
            out = out.subspan(static_cast<std::size_t>(got));
        }
    }
};

}  // namespace

std::uint64_t Entropy::number() {
    std::array<std::uint8_t, 8> bytes{};
    fill(bytes);
    return load_le<std::uint64_t>(bytes.data());
}

Clock& system_clock() {
    static SystemClock clock;
    return clock;
}

void system_sleep(std::uint64_t ms) {
    timespec left{};
    left.tv_sec = static_cast<std::time_t>(ms / 1000);
    left.tv_nsec = static_cast<decltype(left.tv_nsec)>(ms % 1000 * 1'000'000);
    while (::clock_nanosleep(CLOCK_MONOTONIC, 0, &left, &left) == EINTR) {
    }
}

Entropy& system_entropy() {
    static SystemEntropy entropy;
    return entropy;
}

}  // namespace tributary
