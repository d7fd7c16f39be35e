#include "agent/space/write_budget.h"

#include <algorithm>

#include "common/env/sound_wall.h"
#include "common/store/state_file.h"
#include "common/text/log.h"
#include "common/text/toml.h"

namespace tributary::agent {
namespace {

constexpr std::uint8_t kForm = 2;

}  // namespace

WriteBudget::WriteBudget(Files& files, Clock& clock, Store& store, std::string path,
                         std::uint64_t limit_bytes)
    : files_(files),
      clock_(clock),
      store_(store),
      path_(std::move(path)),
      limit_bytes_(limit_bytes),
      day_(clock.mono()) {
    if (limit_bytes_ == 0) return;
    counted_ = store_.counters().written_bytes;
    load();
}

void WriteBudget::load() {
    const auto file = StateFile::open(files_, path_);
    if (!file || !file->value()) return;
    ByteReader in(*file->value());
    if (in.take<std::uint8_t>() != kForm) return;
    const auto counted = in.take<std::uint64_t>();
    const RollingDay day = RollingDay::take(in, clock_.mono());
    // A store that wrote less than that is another one.
    if (!in.done() || counted > counted_) return;
    day_ = day;
    counted_ = counted;
    kept_ = true;
}

void WriteBudget::save() {
    Bytes bytes;
    ByteWriter out(bytes);
    out.put(kForm);
    out.put(counted_);
    day_.put(out, sound_wall(clock_));
    auto file = StateFile::open(files_, path_);
    const Status saved = file ? file->save(std::move(bytes)) : tl::make_unexpected(file.error());
    kept_ = saved.has_value();
    if (!saved) log_failure(LogLevel::warn, "the writes of today cannot be kept", saved.error());
}

void WriteBudget::count() {
    if (limit_bytes_ == 0) return;
    const std::uint64_t passed = day_.advance(clock_.mono(), sound_wall(clock_));
    // When exactly it was written since it was last counted is not known: now.
    const std::uint64_t written = store_.counters().written_bytes;
    day_.add(written - std::min(written, counted_));
    counted_ = written;
    if (passed != 0 || !kept_) save();
}

std::uint64_t WriteBudget::used_bytes() {
    count();
    return day_.sum();
}

std::string WriteBudget::refusal() {
    if (limit_bytes_ == 0 || used_bytes() < limit_bytes_) return {};
    return "[store] written_per_day, " + size_text(limit_bytes_) +
           ", is used up: recording goes on when older writes are a day old";
}

}  // namespace tributary::agent
