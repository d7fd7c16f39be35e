#include "common/trust/event_throttle.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/record/security_event.h"

namespace tributary::trust {
namespace {

constexpr std::uint64_t kRetryMs = 3'600'000;
constexpr std::uint64_t kSweepEveryMs = 60'000;

// One text field of an entry: whole words where it has some, whole characters of UTF-8 else.
void fit(std::string& text) {
    constexpr std::string_view kCut = "…";
    if (text.size() <= limits::kTextBytesMax) return;
    std::size_t end = limits::kTextBytesMax - kCut.size();
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0) == 0x80) --end;
    if (const auto space = text.rfind(' ', end); space != text.npos) end = space;
    text.resize(end);
    text += kCut;
}

}  // namespace

bool EventThrottle::may_write(MonoTime now) {
    if (now >= day_ends_) {
        day_ends_ = now + kEveryMs;
        written_ = 0;
    }
    return written_ < most_a_day_;
}

EventThrottle::Lane& EventThrottle::lane_of(MonoTime now, const SecurityEventBody& refused) {
    const Kind kind{refused.event, refused.device};
    if (const auto found = lanes_.find(kind); found != lanes_.end()) return found->second;
    if (lanes_.size() >= kLanesMax && now >= sweep_) {
        sweep_ = now + kSweepEveryMs;
        std::erase_if(lanes_, [now](const auto& lane) {
            return lane.second.waiting.count == 0 && lane.second.due <= now;
        });
    }
    const Kind rest{std::string(name_of(SecurityEvent::other)), ""};
    Lane& lane = lanes_[lanes_.size() < kLanesMax ? kind : rest];
    if (lane.waiting.event.empty()) {
        const bool full = lanes_.size() > kLanesMax;
        lane.waiting.event = full ? rest.first : kind.first;
        lane.waiting.device = full ? rest.second : kind.second;
        lane.waiting.count = 0;
        lane.due = now;
    }
    return lane;
}

bool EventThrottle::note(MonoTime now, SecurityEventBody refused) {
    fit(refused.event);
    fit(refused.device);
    Lane& lane = lane_of(now, refused);
    ++lane.waiting.count;
    lane.waiting.detail = std::move(refused.detail);
    lane.waiting.address = std::move(refused.address);
    fit(lane.waiting.detail);
    fit(lane.waiting.address);
    return lane.due <= now && may_write(now);
}

std::vector<SecurityEventBody> EventThrottle::take_due(MonoTime now) {
    std::vector<SecurityEventBody> due;
    if (!may_write(now)) return due;
    std::vector<Lane*> waiting;
    for (auto& [kind, lane] : lanes_)
        if (lane.waiting.count != 0 && lane.due <= now) waiting.push_back(&lane);
    std::ranges::stable_sort(waiting, {}, [](const Lane* lane) { return lane->due; });
    for (Lane* lane : waiting) {
        if (!may_write(now)) break;
        ++written_;
        due.push_back(lane->waiting);
        lane->waiting.count = 0;
        lane->due = now + kEveryMs;
    }
    return due;
}

void EventThrottle::give_back(MonoTime now, const SecurityEventBody& unwritten) {
    Lane& lane = lane_of(now, unwritten);
    if (lane.waiting.count == 0) {  // else of one that came since
        lane.waiting.detail = unwritten.detail;
        lane.waiting.address = unwritten.address;
    }
    lane.waiting.count += unwritten.count;
    lane.due = now + kRetryMs;
    if (written_ > 0) --written_;
}

void EventThrottle::resume(MonoTime now, const SecurityEventBody& written, std::uint64_t age_ms,
                           bool age_is_known) {
    if (age_ms >= kEveryMs) return;
    if (may_write(now)) ++written_;
    if (!age_is_known) return;
    Lane& lane = lane_of(now, written);
    lane.due = std::max(lane.due, now + (kEveryMs - age_ms));
}

}  // namespace tributary::trust
