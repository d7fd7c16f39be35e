// What the subcommands of tributary-bench share: a stopwatch, rates, and their entry points.
#pragma once

#include <time.h>

#include <chrono>
#include <cstdint>
#include <ctime>
#include <memory>
#include <string>

#include "common/base/result.h"
#include "common/store/store.h"
#include "common/text/json.h"

namespace tributary::bench {

class Stopwatch {
public:
    double seconds() const {
        return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count();
    }

private:
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// The least of the calling thread's CPU seconds that `work` takes in a few runs: other processes on
// the machine hardly move it.
template <class Work>
double fastest_cpu_seconds(Work&& work) {
    const auto now = [] {
        std::timespec time{};
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
    };
    constexpr int kRuns = 5;
    double least = 0;
    for (int run = 0; run < kRuns; ++run) {
        const double before = now();
        work();
        const double took = now() - before;
        if (run == 0 || took < least) least = took;
    }
    return least;
}

// Bytes and seconds that belong together; 10^6 bytes per second, 0 when nothing was measured.
struct Rate {
    std::uint64_t bytes = 0;
    double seconds = 0;
    void add(std::uint64_t more, double took) {
        bytes += more;
        seconds += took;
    }
    void add(const Rate& other) { add(other.bytes, other.seconds); }
    double mb_s() const { return seconds > 0 ? static_cast<double>(bytes) / 1e6 / seconds : 0; }
};

// To so many parts of one, so that the JSON stays readable.
inline double rounded(double value, double parts) {
    return static_cast<double>(static_cast<std::int64_t>(value * parts + 0.5)) / parts;
}

// A new store in `directory` whose journal has begun, under a key that signs nothing unless another
// is given.
Result<std::unique_ptr<Store>> fresh_store(const std::string& directory,
                                           Bytes public_key = Bytes(91, 0),
                                           const StoreOptions& options = {});

// The files of `directory` in name order are successive versions of one file, committed to a fresh
// store.
Result<Json> run_codec(const std::string& directory, const std::string& level,
                       std::uint32_t workers);
Result<Json> run_store();
Result<Json> run_sync();
// Versions of one piece: so small that the hub's work for each is what counts.
inline constexpr std::size_t kFleetPieceBytes = 1024;
// `devices` boards on a real broker and a real hub; each of the two loads lasts `seconds`. Larger
// pieces instead: all boards send one at once, as after an outage.
Result<Json> run_fleet(std::size_t devices, std::uint32_t seconds, std::size_t piece_bytes);

}  // namespace tributary::bench
