// What a hub and a board say of themselves in their Hellos, and what the hub believes of the
// board's.
#pragma once

#include <functional>
#include <string>

#include "common/env/clock.h"
#include "common/record/security_event.h"
#include "common/sync/events.h"
#include "hub/intake/link_status.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class Greeting {
public:
    using Refused = std::function<void(SecurityEvent event, const std::string& why)>;
    // All must outlive it.
    Greeting(std::string device, Ledger& ledger, Clock& clock, LinkStatus& status, Refused refused);

    // Ours, signed. denied when theirs is not by the key that it needs; not_found when it speaks of
    // a journal that is not this device's.
    Result<sync::Hello> answer(const sync::Describe& question, std::uint64_t root_version);
    // Looks at what one says that is believed: whether our history is the one that the board saw,
    // and whether it speaks in a journal that it left.
    void look_at(const sync::Hello& believed);
    // Whether a journal is this device's; else `otherwise`.
    Status check_own(const Incarnation& journal, Errc otherwise) const;

private:
    Status check_proof(const sync::Describe& question);
    void count_answer();
    Status prove(sync::Hello& hello, std::uint64_t nonce);
    void compare_history(const sync::JournalPoint& shown);
    void look_for_copied_card(const Incarnation& journal);

    std::string device_;
    Ledger& ledger_;
    Clock& clock_;
    LinkStatus& status_;
    Refused refused_;
    std::uint32_t answers_ = 0;    // since it last began a session, or went on with one
    MonoTime first_answer_;        // of these
    sync::JournalPoint compared_;  // the last that it showed us of our history
    Digest proved_;  // what the last proof is over, so that a heartbeat costs no signature
    Bytes proof_;
};

}  // namespace tributary::hub
