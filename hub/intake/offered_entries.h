// The entries of one offer: which of them are new here, what they lack, what became of them, and
// the receipt that says so.
#pragma once

#include <optional>
#include <set>
#include <string>
#include <vector>

#include "common/record/message.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// Those that are not held yet, in order. conflict when one stands where another one is held.
Result<std::vector<Bytes>> new_entries(Ledger& ledger, const std::vector<Bytes>& entries,
                                       const Incarnation& incarnation);

// The versions that they name, in order: whether these can be taken as whole is to be judged.
std::vector<VersionId> versions_in(const std::vector<Bytes>& entries);

// What the first of them lacks that its device may still send, as a sentence. One that the device
// says it dropped lacks nothing.
std::optional<std::string> missing_of(const std::vector<Bytes>& entries, const Verdicts& verdicts);

struct Outcome {
    std::vector<VersionId> whole;
    std::vector<sync::RefusedItem> refused;
    std::set<std::string> repos;  // of whole ones
    bool all_whole = true;        // all that these entries name
};

// What became of them, held before or not, as the catalog shows it now; what else that journal said
// in vain follows, because the receipt that named it may have been lost. Not what the device has
// dropped: it knows, and would hide the rest in a list that is full.
Outcome outcome_of(const Ledger& ledger, const std::vector<Bytes>& entries,
                   const Incarnation& incarnation);

// What the receipt says, for as much of the journal as is held; to be signed.
Result<Bytes> receipt_of(Ledger& ledger, const std::string& device, const Incarnation& incarnation,
                         const Outcome& outcome);

}  // namespace tributary::hub
