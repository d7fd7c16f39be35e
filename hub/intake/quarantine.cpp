#include "hub/intake/quarantine.h"

#include <algorithm>

#include "common/base/limits.h"

namespace tributary::hub {
namespace {

constexpr std::uint64_t kHourMs = 3'600'000;

std::string reason(std::uint32_t count, const std::string& last) {
    std::string why = std::to_string(count) +
                      " things of an hour that no sound agent sends were refused, the last was " +
                      last;
    why.resize(std::min(why.size(), limits::kTextBytesMax));
    return why;
}

}  // namespace

bool Quarantine::Hour::is_over_with_one_more(MonoTime now, std::uint32_t most) {
    if (now.ms - began.ms >= kHourMs) *this = {now, 0};
    return ++count > most;
}

bool Quarantine::offend(MonoTime now, const std::string& what) {
    if (most_ == 0 || !why_.empty() || !offences_.is_over_with_one_more(now, most_)) return false;
    why_ = reason(offences_.count, what);
    return true;
}

bool Quarantine::suspect(MonoTime now, const std::string& what) {
    if (most_ == 0 || !is_heard(now) || !suspects_.is_over_with_one_more(now, most_)) return false;
    why_aside_ = reason(suspects_.count, what);
    aside_until_ = now + kAsideMs;
    suspects_ = {now, 0};
    return true;
}

bool Quarantine::stray(MonoTime now, std::uint64_t messages) {
    strays_ += messages;
    bool begins = false;
    for (; strays_ >= kStraysOfOneMessage; strays_ -= kStraysOfOneMessage)
        begins =
            suspect(now, "messages of sessions that are over, or questions, again and again") ||
            begins;
    return begins;
}

void Quarantine::lift(MonoTime now) {
    why_.clear();
    told_.reset();
    aside_until_ = {};
    offences_ = suspects_ = {now, 0};
}

bool Quarantine::tells(MonoTime now) {
    if (told_ && now < *told_ + kToldEveryMs) return false;
    told_ = now;
    return true;
}

}  // namespace tributary::hub
