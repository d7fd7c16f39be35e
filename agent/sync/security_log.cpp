#include "agent/sync/security_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kLookEveryMs = 3'600'000;
// So far back the journal is read for entries of the last day.
constexpr std::uint64_t kJournalTail = 2'048;

struct Written {
    SecurityEventBody body;
    std::uint64_t age_ms = 0;
};

// By the journal's own time, which never goes back. On a board without a clock it may stand still
// from boot to boot: then an entry is as old as that or older.
Result<std::vector<Written>> lately_written(Store& store, WallTime wall) {
    std::vector<Written> found;
    const JournalHead head = store.head();
    if (head.sequence == 0) return found;
    const std::uint64_t now_ms = std::max(wall.ms, head.time.wall_ms);
    const std::uint64_t from = head.sequence > kJournalTail ? head.sequence - kJournalTail : 1;
    TRIBUTARY_TRY(store.read_entries(head.incarnation, from, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.kind != EntryKind::security_event) return true;
        const auto body = parse_body(entry->header.kind, entry->body);
        if (const auto* said = body ? std::get_if<SecurityEventBody>(&*body) : nullptr)
            found.push_back({*said, now_ms - std::min(now_ms, entry->header.time.wall_ms)});
        return true;
    }));
    return found;
}

Status append(Store& store, const std::vector<SecurityEventBody>& bodies) {
    for (const SecurityEventBody& body : bodies)
        TRIBUTARY_TRY(store.stage_entry(body).map([](const auto&) {}));
    return store.commit();
}

}  // namespace

SecurityLog::SecurityLog(Loop& loop, StoreQueue& store, Clock& clock, std::function<void()> written)
    : loop_(loop),
      store_(store),
      clock_(clock),
      written_(std::move(written)),
      self_(std::make_shared<SecurityLog*>(this)) {}

void SecurityLog::start() {
    const auto found = std::make_shared<Result<std::vector<Written>>>();
    store_.run(
        [found, wall = clock_.wall()](Store& store) { *found = lately_written(store, wall); },
        [found, by_clock = clock_.quality() == ClockQuality::synced, self = std::weak_ptr(self_)] {
            const auto locked = self.lock();
            if (!locked) return;
            SecurityLog& log = **locked;
            if (*found)
                for (const Written& one : **found)
                    log.throttle_.resume(log.loop_.now(), one.body, one.age_ms, by_clock);
            log.ready_ = true;
            log.write();
        });
}

OnRefused SecurityLog::listener() {
    return [&loop = loop_, self = std::weak_ptr(self_)](SecurityEvent event, std::string why) {
        loop.post([self, event, why = std::move(why)]() mutable {
            if (const auto log = self.lock()) (*log)->note(event, std::move(why));
        });
    };
}

void SecurityLog::note(SecurityEvent event, std::string why) {
    ++noted_;
    SecurityEventBody body;
    body.event = name_of(event);
    body.detail = std::move(why);
    if (throttle_.note(loop_.now(), std::move(body)) && ready_) write();
}

void SecurityLog::write() {
    arm();
    const auto due =
        std::make_shared<const std::vector<SecurityEventBody>>(throttle_.take_due(loop_.now()));
    if (due->empty()) return;
    const auto status = std::make_shared<Status>();
    store_.run([due, status](Store& store) { *status = append(store, *due); },
               [due, status, self = std::weak_ptr(self_)] {
                   const auto locked = self.lock();
                   if (!locked) return;
                   SecurityLog& log = **locked;
                   if (*status) return log.written_();
                   log_failure(LogLevel::warn, "what was refused is not in the journal yet",
                               status->error());
                   for (const SecurityEventBody& body : *due)
                       log.throttle_.give_back(log.loop_.now(), body);
               });
}

void SecurityLog::arm() {
    timer_ = loop_.at(loop_.now() + kLookEveryMs, [this] { write(); });
}

}  // namespace tributary::agent
