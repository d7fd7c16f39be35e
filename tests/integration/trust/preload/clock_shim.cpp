// Preloaded into a program (LD_PRELOAD): its wall clock is ahead by TRIBUTARY_CLOCK_AHEAD_MS. Other
// clocks go as they do.
#include <dlfcn.h>
#include <time.h>

#include <cstdlib>

extern "C" int clock_gettime(clockid_t clock, timespec* now) noexcept {
    using Function = int(clockid_t, timespec*);
    static Function* const real = reinterpret_cast<Function*>(dlsym(RTLD_NEXT, "clock_gettime"));
    const int answer = real(clock, now);
    const char* const ahead = std::getenv("TRIBUTARY_CLOCK_AHEAD_MS");
    if (answer == 0 && clock == CLOCK_REALTIME && ahead != nullptr)
        now->tv_sec += std::atoll(ahead) / 1000;
    return answer;
}
