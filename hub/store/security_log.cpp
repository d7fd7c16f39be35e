#include "hub/store/security_log.h"

#include <algorithm>
#include <utility>

#include "common/text/log.h"

namespace tributary::hub {

SecurityLog::SecurityLog(Ledger& ledger, Clock& clock, MonoTime now) : ledger_(ledger) {
    const Catalog& catalog = ledger.catalog();
    const std::uint64_t wall_ms = std::max(clock.wall().ms, ledger.store().head().time.wall_ms);
    const auto resume = [&](const EventTallies& tallies, const std::string& device) {
        for (const auto& [event, tally] : tallies)
            throttle_.resume(now, SecurityEventBody{event, device},
                             wall_ms - std::min(wall_ms, tally.last.wall_ms));
    };
    resume(catalog.strangers(), "");
    for (const auto& [id, device] : catalog.devices()) resume(device.refused_here, id);
}

void SecurityLog::note(MonoTime now, Refused refused) {
    ++counted_[refused.event];
    SecurityEventBody body;
    body.event = std::move(refused.event);
    body.device = std::move(refused.device);
    body.detail = std::move(refused.why);
    body.address = std::move(refused.address);
    if (throttle_.note(now, std::move(body))) flush(now);
}

void SecurityLog::flush(MonoTime now) {
    std::vector<SecurityEventBody> due = throttle_.take_due(now);
    if (due.empty()) return;
    if (const Status said = ledger_.append({due.begin(), due.end()}); !said) {
        log_failure(LogLevel::error, "what was refused is not on record yet", said.error());
        for (const SecurityEventBody& body : due) throttle_.give_back(now, body);
    }
}

}  // namespace tributary::hub
