// Counts what no sound agent sends; after too much of it within an hour nothing of the device is
// read any more, until a person says so. That it is so stands in the hub's journal; the counts are
// kept in memory.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>

#include "common/base/time.h"

namespace tributary::hub {

class Quarantine {
public:
    // `offences_max` 0: any number. `why`: as the journal says; empty: it is heard.
    explicit Quarantine(std::uint32_t offences_max, std::string why = {})
        : offences_max_(offences_max), why_(std::move(why)) {}

    // A message, record or plan that was wrong in itself. True: the quarantine begins with it.
    bool offend(MonoTime now, const std::string& what);
    // Messages of other sessions, and Hellos that were too many to be answered. A broken link makes
    // some; so does who plays back what was said.
    bool stray(MonoTime now, std::uint64_t messages);
    void lift(MonoTime now);

    // Why, as a part of a sentence of at most 255 bytes; empty: the device is heard.
    const std::string& why() const { return why_; }
    explicit operator bool() const { return !why_.empty(); }
    // Whether the device is to be told so: seldom, whatever it sends.
    bool tells(MonoTime now);

    static constexpr std::uint64_t kToldEveryMs = 15 * 60'000;

private:
    static constexpr std::uint64_t kHourMs = 3'600'000;
    static constexpr std::uint64_t kStraysOfOneOffence = 50;

    void begin_hour(MonoTime now);

    std::uint32_t offences_max_;
    MonoTime hour_began_;
    std::uint32_t offences_ = 0;  // of the present hour
    std::uint64_t strays_ = 0;    // likewise, not yet counted as offences
    std::string why_;
    std::optional<MonoTime> told_;
};

}  // namespace tributary::hub
