#include "agent/sync/link_budget.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/store/state_file.h"
#include "common/text/log.h"
#include "common/text/toml.h"

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::uint64_t kDayMinutes = 24 * 60;
constexpr std::uint64_t kMinuteMs = 60'000;
constexpr std::uint32_t kFrameBytesMin = 1024;
constexpr std::uint32_t kCreditBytesMin = 4 * kFrameBytesMin;

}  // namespace

LinkBudget::LinkBudget(Files& files, Clock& clock, std::string path, LinkPolicy policy)
    : files_(files),
      clock_(clock),
      path_(std::move(path)),
      policy_(std::move(policy)),
      day_(clock.mono()),
      filled_(clock.mono()) {
    if (policy_.bytes_per_day != 0) load();
}

void LinkBudget::load() {
    const auto file = StateFile::open(files_, path_);
    if (!file || !file->value()) return;
    ByteReader in(*file->value());
    if (in.take<std::uint8_t>() != kForm) return;
    const MonoTime began{in.take<std::uint64_t>()};
    RollingDay::Hours hours;
    for (std::uint64_t& bytes : hours) bytes = in.take<std::uint64_t>();
    if (in.done()) day_ = RollingDay(clock_.mono(), began, hours);
}

void LinkBudget::save() {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(day_.hour_began().ms);
    for (const std::uint64_t hour : day_.hours()) out.put(hour);
    auto file = StateFile::open(files_, path_);
    const Status saved = file ? file->save(std::move(bytes)) : tl::make_unexpected(file.error());
    unsaved_ = 0;
    if (!saved)
        log_failure(LogLevel::warn, "what passed the link today cannot be kept", saved.error());
}

void LinkBudget::count(std::uint64_t bytes) {
    if (policy_.bytes_per_second != 0) {
        refill();
        bucket_ -= static_cast<std::int64_t>(bytes * 1000);
    }
    if (policy_.bytes_per_day == 0) return;
    const bool hour_ended = day_.advance(clock_.mono()) != 0;
    day_.add(bytes);
    unsaved_ += bytes;
    if (unsaved_ != 0 && (hour_ended || unsaved_ > policy_.bytes_per_day / 64)) save();
}

void LinkBudget::refill() {
    const auto full = static_cast<std::int64_t>(
        1000 * std::max<std::uint64_t>(policy_.bytes_per_second, credit_bytes()));
    const MonoTime now = clock_.mono();
    // In debt for a day at most, whatever came unasked.
    const std::uint64_t passed_ms =
        std::min<std::uint64_t>(now.ms - filled_.ms, kDayMinutes * kMinuteMs);
    const auto gained = static_cast<std::int64_t>(passed_ms * policy_.bytes_per_second);
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
    if (policy_.hours.empty() || clock_.quality() != ClockQuality::synced) return 0;
    const std::uint64_t now_ms = clock_.wall().ms;
    const auto minute = static_cast<std::uint32_t>(now_ms / kMinuteMs % kDayMinutes);
    std::uint64_t soonest = kDayMinutes;
    for (const HoursOfDay& hours : policy_.hours) {
        if (hours.contains(minute)) return 0;
        soonest = std::min(soonest, (hours.from_minute + kDayMinutes - minute) % kDayMinutes);
    }
    return soonest * kMinuteMs - now_ms % kMinuteMs;
}

// Until an hour is forgotten; it may not be enough.
std::uint64_t LinkBudget::closed_by_day_ms() {
    if (policy_.bytes_per_day == 0 || used_bytes() + frame_bytes() <= policy_.bytes_per_day)
        return 0;
    return day_.hour_ends().ms - clock_.mono().ms;
}

std::uint64_t LinkBudget::used_bytes() {
    if (policy_.bytes_per_day == 0) return 0;
    day_.advance(clock_.mono());
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

std::string LinkBudget::closed() {
    if (const std::uint64_t rest = closed_by_hours_ms(); rest != 0)
        return "content rests until " + to_text(WallTime{clock_.wall().ms + rest}).substr(0, 16) +
               "Z, by [link] hours";
    if (closed_by_day_ms() != 0)
        return "[link] bytes_per_day, " + size_text(policy_.bytes_per_day) +
               ", is used up: content goes on when older bytes are a day old";
    return {};
}

std::uint32_t LinkBudget::frame_bytes() const {
    if (policy_.bytes_per_second == 0) return limits::kDataFrameBytes;
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
        policy_.bytes_per_second / 4, kFrameBytesMin, limits::kDataFrameBytes));
}

std::uint32_t LinkBudget::credit_bytes() const {
    constexpr std::uint32_t kDefault = limits::kFramesInFlightMax * limits::kDataFrameBytes;
    if (policy_.bytes_per_second == 0) return kDefault;
    return static_cast<std::uint32_t>(
        std::clamp<std::uint64_t>(policy_.bytes_per_second, kCreditBytesMin, kDefault));
}

}  // namespace tributary::agent
