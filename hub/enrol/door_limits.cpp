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

bool DoorLimits::admit(Minutes& minutes, const std::string& whose, MonoTime now,
                       std::uint32_t most) {
    if (minutes.size() >= kAddressesMax && !minutes.contains(whose)) {
        std::erase_if(minutes, [&](const auto& one) { return one.second.is_over(now); });
        // All of them within one minute: the one that began first has had most of it.
        if (minutes.size() >= kAddressesMax)
            minutes.erase(std::ranges::min_element(
                minutes, {}, [](const auto& one) { return one.second.began; }));
    }
    return minutes[whose].admit(now, most);
}

bool DoorLimits::admit(const std::string& address, MonoTime now) {
    return admit(tries_, address, now, kTriesAMinute);
}

bool DoorLimits::has_had(const Minutes& minutes, const std::string& whose, MonoTime now,
                         std::uint32_t most) {
    const auto minute = minutes.find(whose);
    return minute != minutes.end() && !minute->second.is_over(now) && minute->second.count >= most;
}

bool DoorLimits::is_spent(const std::string& address, MonoTime now) const {
    return has_had(tries_, address, now, kTriesAMinute);
}

bool DoorLimits::is_unheard(const std::string& address, MonoTime now) const {
    return has_had(tries_, address, now, kLooksAMinute);
}

bool DoorLimits::admit_answer(const std::string& board, MonoTime now) {
    return admit(answers_, board, now, kAnswersAMinute);
}

void DoorLimits::count_fetch(const std::string& device, MonoTime now) {
    static_cast<void>(admit(fetches_, device, now, kFetchesAMinute));
}

bool DoorLimits::has_fetched_enough(const std::string& device, MonoTime now) const {
    return has_had(fetches_, device, now, kFetchesAMinute);
}

bool DoorLimits::admit_roots(const std::string& address, MonoTime now) {
    return admit(roots_, address, now, kRootAnswersAMinute);
}

std::optional<std::uint64_t> DoorLimits::may_log(MonoTime now) {
    if (lines_.admit(now, kLinesAMinute)) return std::exchange(unlogged_, 0);
    ++unlogged_;
    return std::nullopt;
}

}  // namespace tributary::hub
