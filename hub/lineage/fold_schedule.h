// When each repository's heads are folded: soon after one advanced, later again after a failure.
// Holds no timer: its owner wakes at next().
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "common/base/time.h"

namespace tributary::hub {

class FoldSchedule {
public:
    // A head waits at most `delay_ms` for others to be folded with it.
    explicit FoldSchedule(std::uint64_t delay_ms) : delay_ms_(delay_ms) {}

    // What is due already is not put off by what comes meanwhile.
    void advanced(const std::string& repo, MonoTime now);
    // Takes out what is due.
    std::vector<std::string> take_due(MonoTime now);
    // What a fold that failed does next: tried again by itself,
    void failed(const std::string& repo, MonoTime now);
    // or not before a head advances, and then no sooner than the other: heads can be made to
    // advance for ever, and all repositories wait for what each try costs.
    void given_up(const std::string& repo, MonoTime now);
    // nullopt: nothing is to be done.
    std::optional<MonoTime> next() const;

    static constexpr std::uint64_t kRetryMs = 60'000;

private:
    std::uint64_t delay_ms_;
    std::map<std::string, MonoTime> due_;
    std::map<std::string, MonoTime> rests_until_;
};

}  // namespace tributary::hub
