// Whether a device is heard: not when it was revoked, is in quarantine, or its topic is set aside.
// Operators are told, the device seldom.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "common/record/security_event.h"
#include "common/sync/events.h"
#include "hub/intake/link_status.h"
#include "hub/intake/quarantine.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class Standing {
public:
    struct Events {
        std::function<void(sync::Refuse)> tell_device;
        // Something in the device's name was refused that no sound agent sends.
        std::function<void(SecurityEvent event, const std::string& why)> refused;
    };
    // All must outlive it. `offences_max`: see Quarantine.
    Standing(std::string device, Ledger& ledger, std::uint32_t offences_max, LinkStatus& status,
             Events events);

    bool is_revoked() const;
    bool is_heard(MonoTime now) const { return quarantine_.is_heard(now) && !is_revoked(); }
    // Whether a message that came is to be read; counts it if not.
    bool hears(MonoTime now);

    // Of the next three true: it is heard no more, so its session is over.
    // What it said under its seal, and what is now held: nobody can say it a second time for it.
    [[nodiscard]] bool offend(MonoTime now, SecurityEvent event, const std::string& what);
    // What came in its name, and may be anybody's.
    [[nodiscard]] bool suspect(MonoTime now, SecurityEvent event, const std::string& what);
    [[nodiscard]] bool stray(MonoTime now, std::uint64_t messages);

    // Out of quarantine, and on record; also no more set aside. False: it was neither.
    Result<bool> release(MonoTime now, const std::string& actor);
    // It was revoked, or is believed again.
    void on_changed();
    const Quarantine& quarantine() const { return quarantine_; }

private:
    void tell_shut_out(MonoTime now);
    void tell_revoked(MonoTime now);
    void tell_denied(std::string text);
    bool set_aside(MonoTime now);

    std::string device_;
    Ledger& ledger_;
    LinkStatus& status_;
    Events events_;
    Quarantine quarantine_;
    std::optional<MonoTime> told_revoked_;
};

}  // namespace tributary::hub
