// When each repository's heads are folded: soon after one advanced, later again after a failure,
// one repository after the other, and not for more than half of the time, nor a tenth for one of
// them: boards wait for the thread that folds. Holds no timer: its owner wakes at next().
#pragma once

#include <map>
#include <optional>
#include <string>

#include "common/base/time.h"

namespace tributary::hub {

class FoldSchedule {
public:
    // A head waits at most `delay_ms` for others to be folded with it.
    explicit FoldSchedule(std::uint64_t delay_ms) : delay_ms_(delay_ms) {}

    // What is due already is not put off by what comes meanwhile.
    void advanced(const std::string& repo, MonoTime now);
    // Takes out what has been due the longest.
    std::optional<std::string> take_due(MonoTime now);
    // A fold took so long: then the others have as much time, and this repository's next waits for
    // kRestShare times that, a minute at most.
    void took(const std::string& repo, MonoTime began, MonoTime ended);
    // What a fold that failed does next: tried again by itself,
    void failed(const std::string& repo, MonoTime now);
    // or not before a head advances, and then no sooner than the other: heads can be made to
    // advance for ever, and all repositories wait for what each try costs.
    void given_up(const std::string& repo, MonoTime now);
    // nullopt: nothing is to be done.
    std::optional<MonoTime> next() const;

    static constexpr std::uint64_t kRetryMs = 60'000;
    static constexpr std::uint64_t kRestShare = 9;

private:
    using Due = std::map<std::string, MonoTime>;
    Due::const_iterator longest_due() const;

    std::uint64_t delay_ms_;
    MonoTime none_before_;
    Due due_;
    std::map<std::string, MonoTime> rests_until_;
};

}  // namespace tributary::hub
