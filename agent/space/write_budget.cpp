#include "agent/space/write_budget.h"

#include <algorithm>
#include <numeric>

#include "common/store/state_file.h"
#include "common/text/log.h"
#include "common/text/toml.h"

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 1;
constexpr std::uint64_t kHourMs = 3'600'000;

}  // namespace

WriteBudget::WriteBudget(Files& files, Clock& clock, Store& store, std::string path,
                         std::uint64_t limit_bytes)
    : files_(files),
      clock_(clock),
      store_(store),
      path_(std::move(path)),
      limit_bytes_(limit_bytes) {
    if (limit_bytes_ == 0) return;
    hour_began_ = clock_.mono();
    counted_ = store_.counters().written_bytes;
    load();
}

void WriteBudget::load() {
    const auto file = StateFile::open(files_, path_);
    if (!file || !file->value()) return;
    ByteReader in(*file->value());
    if (in.take<std::uint8_t>() != kForm) return;
    MonoTime began{in.take<std::uint64_t>()};
    const auto counted = in.take<std::uint64_t>();
    decltype(hours_) hours;
    for (std::uint64_t& bytes : hours) bytes = in.take<std::uint64_t>();
    // A store that wrote less than that is another one.
    if (!in.done() || counted > counted_) return;
    // After a restart of the board its clock begins anew: since then at least has passed.
    hour_began_ = began > clock_.mono() ? MonoTime{} : began;
    counted_ = counted;
    hours_ = hours;
    kept_ = true;
}

void WriteBudget::save() {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(hour_began_.ms);
    out.put(counted_);
    for (const std::uint64_t hour : hours_) out.put(hour);
    auto file = StateFile::open(files_, path_);
    const Status saved = file ? file->save(std::move(bytes)) : tl::make_unexpected(file.error());
    kept_ = saved.has_value();
    if (!saved) log_failure(LogLevel::warn, "the writes of today cannot be kept", saved.error());
}

void WriteBudget::count() {
    if (limit_bytes_ == 0) return;
    const std::uint64_t passed = (clock_.mono().ms - hour_began_.ms) / kHourMs;
    const auto shift = static_cast<std::ptrdiff_t>(std::min<std::uint64_t>(passed, kHours));
    std::shift_right(hours_.begin(), hours_.end(), shift);
    std::fill_n(hours_.begin(), shift, 0);
    hour_began_ = hour_began_ + passed * kHourMs;
    // When exactly it was written since it was last counted is not known: now.
    const std::uint64_t written = store_.counters().written_bytes;
    hours_[0] += written - std::min(written, counted_);
    counted_ = written;
    if (passed != 0 || !kept_) save();
}

std::uint64_t WriteBudget::used_bytes() {
    count();
    return std::accumulate(hours_.begin(), hours_.end(), std::uint64_t{0});
}

std::string WriteBudget::refusal() {
    if (limit_bytes_ == 0 || used_bytes() < limit_bytes_) return {};
    return "[store] written_per_day, " + size_text(limit_bytes_) +
           ", is used up: recording goes on when older writes are a day old";
}

}  // namespace tributary::agent
