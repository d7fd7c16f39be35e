// tributary-bench store: what recording costs the flash, in bytes handed to write().
#include <sys/resource.h>

#include "agent/record/recorder.h"
#include "common/env/files.h"
#include "tests/bench/bench.h"
#include "tests/support/random.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

constexpr std::size_t kBigFiles = 16;
constexpr std::size_t kBigBytes = 4 * limits::MiB;
constexpr std::size_t kSmallCommits = 200;

Status write_random(const std::string& path, std::size_t bytes, test::Random& random) {
    return replace_file(system_files(), path, random.bytes(bytes));
}

}  // namespace

Result<Json> run_store() {
    const test::TempDir home;
    TRIBUTARY_ASSIGN(const auto store, fresh_store(home / "store"));

    test::Random random(1);
    agent::CommitRequest request;
    request.repo = "bench/store";
    request.paths = {home / "file"};
    const auto commit = [&](std::size_t bytes) -> Status {
        TRIBUTARY_TRY(write_random(request.paths.front(), bytes, random));
        TRIBUTARY_TRY(agent::Recorder(system_files(), system_clock(), *store).commit(request));
        return {};
    };

    const std::uint64_t before_big = store->counters().written_bytes;
    for (std::size_t i = 0; i < kBigFiles; ++i) TRIBUTARY_TRY(commit(kBigBytes));
    const std::uint64_t big_written = store->counters().written_bytes - before_big;

    const std::uint64_t before_small = store->counters().written_bytes;
    for (std::size_t i = 0; i < kSmallCommits; ++i) TRIBUTARY_TRY(commit(100));
    const std::uint64_t small_written = store->counters().written_bytes - before_small;

    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    return Json::object({{"write_amplification", static_cast<double>(big_written) /
                                                     static_cast<double>(kBigFiles * kBigBytes)},
                         {"bytes_per_small_commit", small_written / kSmallCommits},
                         {"peak_rss_bytes", static_cast<std::uint64_t>(usage.ru_maxrss) * 1024}});
}

}  // namespace tributary::bench
