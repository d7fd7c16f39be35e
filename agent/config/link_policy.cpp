#include "agent/config/link_policy.h"

#include <optional>

namespace tributary::agent {
namespace {

// "HH:MM", from 00:00 to 24:00.
std::optional<std::uint32_t> minute_of(std::string_view text) {
    const auto digit = [&](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text.size() != 5 || text[2] != ':' || !digit(0) || !digit(1) || !digit(3) || !digit(4))
        return std::nullopt;
    const auto two = [&](std::size_t at) {
        return static_cast<std::uint32_t>((text[at] - '0') * 10 + (text[at + 1] - '0'));
    };
    if (two(3) > 59 || two(0) * 60 + two(3) > 24 * 60) return std::nullopt;
    return two(0) * 60 + two(3);
}

}  // namespace

std::string LinkPolicy::hours_trouble(ClockQuality quality) const {
    if (hours.empty() || keeps_hours(quality)) return {};
    return "[link] hours are not kept while the clock is not synchronised: content may travel at "
           "any time; set up chrony or systemd-timesyncd";
}

Result<HoursOfDay> parse_hours(std::string_view text) {
    const std::size_t dash = text.find('-');
    const auto from = minute_of(text.substr(0, dash));
    const auto to = minute_of(dash == text.npos ? std::string_view() : text.substr(dash + 1));
    if (!from || !to || *from == *to || *from == 24 * 60)
        return fail(Errc::invalid,
                    "\"" + std::string(text) +
                        "\" is no span of hours; write such as \"22:00-06:00\", in UTC");
    return HoursOfDay{*from, *to == 0 ? 24 * 60 : *to};
}

}  // namespace tributary::agent
