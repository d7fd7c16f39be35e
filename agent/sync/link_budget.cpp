#include "agent/sync/link_budget.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/env/sound_wall.h"
#include "common/record/message.h"
#include "common/store/state_file.h"
#include "common/text/log.h"
#include "common/text/toml.h"

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::uint64_t kDayMinutes = 24 * 60;
constexpr std::uint64_t kMinuteMs = 60'000;
constexpr std::uint64_t kDebtMsMax = 5 * kMinuteMs;
constexpr std::uint32_t kFrameBytesMin = 1024;
constexpr std::uint32_t kCreditBytesMin = 4 * kFrameBytesMin;

std::string minute_text(std::uint64_t wall_ms) {
    return to_text(WallTime{wall_ms}).substr(0, 16) + "Z";
}

}  // namespace

LinkBudget::LinkBudget(Files& files, Clock& clock, std::string path, LinkPolicy policy,
                       Beside beside)
    : files_(files),
      clock_(clock),
      path_(std::move(path)),
      policy_(std::move(policy)),
      beside_(std::move(beside)),
      day_(clock.mono()),
      filled_(clock.mono()) {
    if (policy_.bytes_per_day != 0) load();
}

void LinkBudget::load() {
    const auto file = StateFile::open(files_, path_);
    if (!file || !file->value()) return;
    ByteReader in(*file->value());
    if (in.take<std::uint8_t>() != kForm) return;
    const RollingDay day = RollingDay::take(in, clock_.mono());
    if (in.done()) day_ = day;
}

void LinkBudget::save() {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    day_.put(out, sound_wall(clock_));
    unsaved_ = 0;
    hour_ended_ = false;
    beside_([&files = files_, path = path_, bytes = std::move(bytes)] {
        auto file = StateFile::open(files, path);
        const Status saved = file ? file->save(bytes) : tl::make_unexpected(file.error());
        if (!saved)
            log_failure(LogLevel::warn, "what passed the link today cannot be kept", saved.error());
    });
}

void LinkBudget::count(std::uint64_t bytes) {
    if (policy_.bytes_per_second != 0) {
        refill();
        bucket_ -= static_cast<std::int64_t>(bytes * 1000);
    }
    if (policy_.bytes_per_day == 0) return;
    advance();
    day_.add(bytes);
    unsaved_ += bytes;
    if (hour_ended_ || unsaved_ > policy_.bytes_per_day / 64) save();
}

void LinkBudget::advance() {
    hour_ended_ = day_.advance(clock_.mono(), sound_wall(clock_)) != 0 || hour_ended_;
}

void LinkBudget::refill() {
    const auto full = static_cast<std::int64_t>(
        1000 * std::max<std::uint64_t>(policy_.bytes_per_second, credit_bytes()));
    const MonoTime now = clock_.mono();
    const std::uint64_t passed_ms = std::min<std::uint64_t>(now.ms - filled_.ms, kDebtMsMax);
    const auto gained = static_cast<std::int64_t>(passed_ms * policy_.bytes_per_second);
    // In debt for some minutes at most, whatever came unasked.
    bucket_ = std::clamp(bucket_, -static_cast<std::int64_t>(kDebtMsMax * policy_.bytes_per_second),
                         full);
    bucket_ = std::min(full, bucket_ + gained);
    filled_ = now;
}

std::optional<std::uint64_t> LinkBudget::allowance() {
    if (!policy_.limits()) return std::nullopt;
    if (rest_ms() != 0) return 0;
    std::optional<std::uint64_t> allowed;
    if (policy_.bytes_per_day != 0) allowed = policy_.bytes_per_day - used_bytes();
    if (policy_.bytes_per_second == 0) return allowed;
    refill();
    const auto bucket = static_cast<std::uint64_t>(std::max<std::int64_t>(bucket_, 0)) / 1000;
    return std::min(bucket, allowed.value_or(bucket));
}

std::uint64_t LinkBudget::rest_ms() { return std::max(closed_by_hours_ms(), closed_by_day_ms()); }

std::uint64_t LinkBudget::closed_by_hours_ms() {
    if (!policy_.keeps_hours(clock_.quality())) return 0;
    const std::uint64_t now_ms = clock_.wall().ms;
    const auto minute = static_cast<std::uint32_t>(now_ms / kMinuteMs % kDayMinutes);
    std::uint64_t soonest = kDayMinutes;
    for (const HoursOfDay& hours : policy_.hours) {
        if (hours.contains(minute)) return 0;
        soonest = std::min(soonest, (hours.from_minute + kDayMinutes - minute) % kDayMinutes);
    }
    return soonest * kMinuteMs - now_ms % kMinuteMs;
}

// It gets longer by what passes meanwhile.
std::uint64_t LinkBudget::closed_by_day_ms() {
    const std::uint64_t limit = policy_.bytes_per_day;
    if (limit == 0) return 0;
    const std::uint64_t free = limit - std::min(limit, used_bytes());
    used_up_ = used_up_ ? free < limit / 8 : free < frame_bytes();
    return used_up_ ? day_.ms_until(limit - limit / 8) : 0;
}

std::uint64_t LinkBudget::used_bytes() {
    if (policy_.bytes_per_day == 0) return 0;
    advance();
    return day_.sum();
}

std::optional<MonoTime> LinkBudget::next_change() {
    if (!policy_.limits()) return std::nullopt;
    const MonoTime now = clock_.mono();
    // The wall clock may be set meanwhile.
    if (const std::uint64_t rest = rest_ms(); rest != 0)
        return now + std::min<std::uint64_t>(rest, kMinuteMs);
    std::optional<MonoTime> next;
    if (!policy_.hours.empty()) next = now + (kMinuteMs - clock_.wall().ms % kMinuteMs);
    if (policy_.bytes_per_second != 0) {
        refill();
        const std::int64_t lacking = static_cast<std::int64_t>(frame_bytes()) * 1000 - bucket_;
        if (lacking > 0) {
            const MonoTime filled =
                now + (static_cast<std::uint64_t>(lacking) / policy_.bytes_per_second + 1);
            next = std::min(next.value_or(filled), filled);
        }
    }
    return next;
}

// "25 min", "3 h".
std::string span_text(std::uint64_t ms) {
    const std::uint64_t minutes = ms / kMinuteMs + 1;
    return minutes < 120 ? std::to_string(minutes) + " min" : std::to_string(minutes / 60) + " h";
}

std::string LinkBudget::closed() {
    if (const std::uint64_t rest = closed_by_day_ms(); rest != 0) {
        const bool tells_time = clock_.quality() == ClockQuality::synced;
        return "[link] bytes_per_day, " + size_text(policy_.bytes_per_day) + ", is used up: " +
               (tells_time ? "content rests until about " + minute_text(clock_.wall().ms + rest)
                           : "content rests for about " + span_text(rest)) +
               ", when older bytes are a day old";
    }
    if (const std::uint64_t rest = closed_by_hours_ms(); rest != 0)
        return "content rests until " + minute_text(clock_.wall().ms + rest) + ", by [link] hours";
    return {};
}

std::uint32_t LinkBudget::frame_bytes() const {
    std::uint64_t bytes = sync::data_bytes_for(payload_bytes_);
    if (policy_.bytes_per_second != 0) bytes = std::min(bytes, policy_.bytes_per_second / 4);
    if (policy_.bytes_per_day != 0) bytes = std::min(bytes, policy_.bytes_per_day / 128);
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(bytes, kFrameBytesMin));
}

std::uint32_t LinkBudget::credit_bytes() const {
    std::uint64_t bytes = limits::kFramesInFlightMax * limits::kDataFrameBytes;
    if (policy_.bytes_per_second != 0) bytes = std::min(bytes, policy_.bytes_per_second);
    if (policy_.bytes_per_day != 0) bytes = std::min(bytes, policy_.bytes_per_day / 32);
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(bytes, kCreditBytesMin));
}

}  // namespace tributary::agent
