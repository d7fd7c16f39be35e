#include "hub/enrol/door_limits.h"

#include <algorithm>
#include <utility>

namespace tributary::hub {
namespace {

constexpr std::uint64_t kMinuteMs = 60'000;

}  // namespace

bool DoorLimits::Minute::is_over(MonoTime now) const { return now >= began + kMinuteMs; }

bool DoorLimits::Minute::admit(MonoTime now, std::uint32_t most) {
    if (count == 0 || is_over(now)) {
        began = now;
        count = 0;
    }
    return ++count <= most;
}

bool DoorLimits::admit(const std::string& address, MonoTime now) {
    if (tries_.size() >= kAddressesMax && !tries_.contains(address)) {
        std::erase_if(tries_, [&](const auto& one) { return one.second.is_over(now); });
        // All of them within one minute: the one that began first has had most of it.
        if (tries_.size() >= kAddressesMax)
            tries_.erase(std::ranges::min_element(
                tries_, {}, [](const auto& one) { return one.second.began; }));
    }
    return tries_[address].admit(now, kTriesAMinute);
}

std::optional<std::uint64_t> DoorLimits::may_log(MonoTime now) {
    if (lines_.admit(now, kLinesAMinute)) return std::exchange(unlogged_, 0);
    ++unlogged_;
    return std::nullopt;
}

}  // namespace tributary::hub
