// What people are shown of a device's conversation with the hub. What is counted is counted since
// the hub started.
#pragma once

#include <cstdint>
#include <string>

#include "common/base/time.h"

namespace tributary::hub {

struct LinkStatus {
    WallTime last_message;             // 0: none that is known (LastHeard)
    std::uint64_t received_bytes = 0;  // payloads, both kinds counted as they came over the wire
    std::uint64_t sent_bytes = 0;
    std::uint64_t refused = 0;   // messages or plans refused
    WallTime last_receipt;       // given; 0: none that is known
    MonoTime rests_until;        // it takes no model before, by its own word
    std::string last_trouble;    // a sentence; empty: none since the last receipt
    std::string push_trouble;    // why what was pushed last was given up for a while
    std::string copied_card;     // likewise: what shows that its store was copied; stays
    std::string no_session;      // that it says Hello in vain; empty: a session began since
    std::string other_history;   // what shows that our history is not the one it saw; stays
    std::string lost_history;    // what it saw of ours that a restore lost; stays
    std::uint64_t stray = 0;     // messages of a session that is over, or of none
    std::uint64_t unproven = 0;  // Hellos that the device did not sign
    std::uint64_t revoked = 0;   // messages, Hellos and seals refused because it was revoked
};

}  // namespace tributary::hub
