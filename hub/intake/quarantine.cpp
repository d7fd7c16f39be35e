#include "hub/intake/quarantine.h"

#include <algorithm>

#include "common/base/limits.h"

namespace tributary::hub {

void Quarantine::begin_hour(MonoTime now) {
    hour_began_ = now;
    offences_ = 0;
    strays_ = 0;
}

bool Quarantine::offend(MonoTime now, const std::string& what) {
    if (offences_max_ == 0 || !why_.empty()) return false;
    if (now.ms - hour_began_.ms >= kHourMs) begin_hour(now);
    if (++offences_ <= offences_max_) return false;
    why_ = std::to_string(offences_) +
           " things of an hour that no sound agent sends were refused, the last was " + what;
    why_.resize(std::min(why_.size(), limits::kTextBytesMax));
    return true;
}

bool Quarantine::stray(MonoTime now, std::uint64_t messages) {
    strays_ += messages;
    bool begins = false;
    for (; strays_ >= kStraysOfOneOffence; strays_ -= kStraysOfOneOffence)
        begins =
            offend(now, "messages of sessions that are over, or Hellos, again and again") || begins;
    return begins;
}

void Quarantine::lift(MonoTime now) {
    why_.clear();
    told_.reset();
    begin_hour(now);
}

bool Quarantine::tells(MonoTime now) {
    if (told_ && now < *told_ + kToldEveryMs) return false;
    told_ = now;
    return true;
}

}  // namespace tributary::hub
