// The receipts that a board keeps of its hub: by what it was free to forget.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "common/store/store.h"
#include "common/trust/root.h"

namespace tributary::hub {

struct CheckedReceipts {
    struct Received {
        std::string device;
        std::uint64_t sequence = 0;  // up to which entry
    };
    std::uint64_t count = 0;                   // also those that do not hold
    std::map<Incarnation, Received> journals;  // by receipts that hold
    std::vector<std::string> findings;
};

// Each is by a key that one of `roots` names for the hub, and about the entry that is held there.
// Of the hub's keys one takes over from another, with a new epoch: what is of a later epoch than
// the next key began with is by no key that was dropped.
Result<CheckedReceipts> check_receipts(Store& store, std::span<const trust::VerifiedRoot> roots);

}  // namespace tributary::hub
