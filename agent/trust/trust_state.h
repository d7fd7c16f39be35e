// What device trust keeps through a power cut, in a StateFile; saved whole or not at all.
//
//   u8 form (1), u32 length and root document as signed, u64 era, u64 ratchet (wall ms),
//   u64 renew after (wall ms), witness: u64 epoch, 16 bytes journal, u64 sequence, 32 bytes hash,
//   change of key: 16 bytes journal, u64 sequence, 32 bytes key id
#pragma once

#include <cstdint>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/base/time.h"
#include "common/record/message.h"

namespace tributary::agent {

struct TrustState {
    Bytes root;  // the newest root document that was believed; empty: never enrolled
    // Version of the root document since which the keys of the hub are those of now: what others
    // said of numbers and times counts no more.
    std::uint64_t era = 0;
    // It is this late at least, as the hub said.
    WallTime ratchet;
    WallTime renew_after;  // our certificate; 0: not known
    // How far the hub's journal reached when it said so last, and in which epoch.
    sync::JournalPoint witness;
    std::uint64_t witness_epoch = 0;
    // The last change of key that our journal tells: a copy, so that it need not be read through.
    struct KeyChange {
        Incarnation journal;
        std::uint64_t sequence = 0;
        Digest key;  // in force from then on
        bool operator==(const KeyChange&) const = default;
    };
    KeyChange key_change;
    bool operator==(const TrustState&) const = default;
};

Bytes encode_trust_state(const TrustState& state);
Result<TrustState> parse_trust_state(ByteView bytes);

}  // namespace tributary::agent
