// How many of the things that a node refused become entries of its journal: whoever can make it
// refuse shall not be able to fill its flash. The first of a kind at once, then at most one entry a
// day of each kind with the count since, and so many a day in all. What waits for its entry is in
// RAM: a crash loses a count and nothing else.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "common/base/time.h"
#include "common/record/entry.h"

namespace tributary::trust {

class EventThrottle {
public:
    static constexpr std::uint64_t kEveryMs = 86'400'000;
    // Kinds that are told apart; those beyond are counted as one, "other".
    static constexpr std::size_t kLanesMax = 4096;

    explicit EventThrottle(std::uint32_t most_a_day) : most_a_day_(most_a_day) {}

    // One more of this event and device; `count` is not looked at. True: take_due() has something.
    bool note(MonoTime now, SecurityEventBody refused);
    // What is to be written now, what waits longest first. It counts as written, unless it is given
    // back.
    std::vector<SecurityEventBody> take_due(MonoTime now);
    // It could not be written: it is due again in an hour.
    void give_back(MonoTime now, const SecurityEventBody& unwritten);
    // An entry that stands in the journal already, written so long ago. When it may be older than
    // that, it counts as one of the day and holds up no other of its kind.
    void resume(MonoTime now, const SecurityEventBody& written, std::uint64_t age_ms,
                bool age_is_known = true);

private:
    struct Lane {
        MonoTime due;               // the next entry is not written before
        SecurityEventBody waiting;  // count 0: nothing waits
    };
    using Kind = std::pair<std::string, std::string>;  // event, device

    Lane& lane_of(MonoTime now, const SecurityEventBody& refused);
    bool may_write(MonoTime now);

    std::uint32_t most_a_day_;
    std::map<Kind, Lane> lanes_;
    MonoTime sweep_;  // lanes that wait for nothing are not looked for before
    MonoTime day_ends_;
    std::uint32_t written_ = 0;  // of the present day
};

}  // namespace tributary::trust
