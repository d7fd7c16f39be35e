#include "agent/app/progress.h"

#include <algorithm>

#include "common/base/words.h"

namespace tributary::agent {
namespace {

// None while content rests, or something is wrong.
std::uint64_t rate_now(const LiveStatus& live, std::optional<std::uint64_t> rate) {
    return live.link_rests_ms != 0 || !live.trouble.empty() ? 0 : rate.value_or(0);
}

}  // namespace

std::string pending_amount(const Backlog::Size& pending) {
    return (pending.all ? "about " : "at least ") + human_bytes(pending.bytes);
}

std::uint64_t bytes_left(const Backlog::Size& pending, const LiveStatus& live) {
    // A plan may hold more than what is pending: parents that the hub may not have.
    return std::max(pending.bytes - std::min(pending.bytes, live.bytes_passed),
                    live.page_bytes_left);
}

std::string sending(const Backlog::Size& pending, const LiveStatus& live) {
    const std::uint64_t left = bytes_left(pending, live);
    if (left == 0 || !live.hub_connected) return {};
    std::string text = pending_amount({left, pending.all}) + " left";
    const std::uint64_t rate = rate_now(live, live.bytes_per_second);
    if (rate == 0) return text;
    text += ", " + human_bytes(rate) + " a second";
    if (pending.all) text += ", about " + human_span(left * 1000 / rate) + " to go";
    return text;
}

std::string receiving(const LiveStatus& live) {
    if (live.bytes_to_come == 0) return {};
    std::string text = "at least " + human_bytes(live.bytes_to_come) + " left";
    if (const std::uint64_t rate = rate_now(live, live.push_bytes_per_second); rate != 0)
        text += ", " + human_bytes(rate) + " a second";
    return text;
}

}  // namespace tributary::agent
