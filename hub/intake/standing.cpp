#include "hub/intake/standing.h"

#include <utility>

#include "common/text/log.h"

namespace tributary::hub {
namespace {

std::string quarantine_of(const Ledger& ledger, const std::string& device) {
    const Device* const known = ledger.catalog().device(device);
    return known ? known->quarantine : std::string();
}

}  // namespace

Standing::Standing(std::string device, Ledger& ledger, std::uint32_t offences_max,
                   LinkStatus& status, Events events)
    : device_(std::move(device)),
      ledger_(ledger),
      status_(status),
      events_(std::move(events)),
      quarantine_(offences_max, quarantine_of(ledger, device_)) {}

bool Standing::is_revoked() const {
    return ledger_.catalog().members().revocation_of(device_) != nullptr;
}

bool Standing::hears(MonoTime now) {
    if (is_heard(now)) return true;
    ++status_.refused;
    if (!quarantine_.is_heard(now)) {
        events_.refused(SecurityEvent::quarantined,
                        quarantine_.why().empty() ? quarantine_.why_aside() : quarantine_.why());
        tell_shut_out(now);
    } else {
        tell_revoked(now);
    }
    return false;
}

bool Standing::offend(MonoTime now, SecurityEvent event, const std::string& what) {
    events_.refused(event, what);
    if (!quarantine_.offend(now, what)) return false;
    log_error("a device is quarantined: nothing of it is read until a person releases it",
              {{"device", device_}, {"why", quarantine_.why()}});
    if (const Status said = ledger_.append({QuarantinedBody{device_, true, quarantine_.why(), {}}});
        !said)
        log_failure(LogLevel::error, "the quarantine is not on record", said.error());
    tell_shut_out(now);
    return true;
}

bool Standing::suspect(MonoTime now, SecurityEvent event, const std::string& what) {
    events_.refused(event, what);
    return quarantine_.suspect(now, what) && set_aside(now);
}

bool Standing::stray(MonoTime now, std::uint64_t messages) {
    return quarantine_.stray(now, messages) && set_aside(now);
}

bool Standing::set_aside(MonoTime now) {
    status_.last_trouble =
        "set aside for " + std::to_string(Quarantine::kAsideMs / 60'000) +
        " minutes, as somebody at the broker, or the board itself, sends junk: " +
        quarantine_.why_aside();
    log_error("a device's topic is set aside for a while: too much in its name was refused",
              {{"device", device_},
               {"why", quarantine_.why_aside()},
               {"minutes", Quarantine::kAsideMs / 60'000}});
    events_.refused(SecurityEvent::quarantined, quarantine_.why_aside());
    tell_shut_out(now);
    return true;
}

// A device that is sound, or mended, shows it to a person.
void Standing::tell_shut_out(MonoTime now) {
    if (!quarantine_.tells(now)) return;
    tell_denied((quarantine_.why().empty()
                     ? std::string("this board is set aside there for a while: too much in its "
                                   "name")
                     : std::string("this board is quarantined there: too much that it sent")) +
                " had to be refused; see 'tributary device show " + device_ + "'");
}

// As seldom as of a quarantine, whatever it sends.
void Standing::tell_revoked(MonoTime now) {
    ++status_.revoked;
    events_.refused(SecurityEvent::revoked, std::string(kRevoked));
    if (told_revoked_ && now < *told_revoked_ + Quarantine::kToldEveryMs) return;
    told_revoked_ = now;
    log_warn("a revoked device speaks, and is not heard",
             {{"device", device_}, {"messages", status_.revoked}});
    tell_denied(std::string(kRevoked));
}

void Standing::tell_denied(std::string text) {
    events_.tell_device({sync::RefuseReason::denied, 0, std::move(text),
                         static_cast<std::uint32_t>(Quarantine::kToldEveryMs)});
}

Result<bool> Standing::release(MonoTime now, const std::string& actor) {
    if (quarantine_.is_heard(now)) return false;
    TRIBUTARY_TRY(ledger_.append({QuarantinedBody{device_, false, {}, actor}}));
    log_info(quarantine_.why().empty() ? "a device's topic is heard again"
                                       : "a device is released from quarantine",
             {{"device", device_}, {"by", actor}});
    quarantine_.lift(now);
    return true;
}

void Standing::on_changed() {
    told_revoked_.reset();
    if (is_revoked()) tell_denied(std::string(kRevoked));
}

}  // namespace tributary::hub
