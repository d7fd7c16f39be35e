// Whether what an Offer brings is what its device sealed.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/record/document.h"
#include "common/sync/events.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

// Whether a key made a seal: much more work than all else, and needs nothing of the ledger. From
// any thread.
struct SignatureCheck {
    Bytes key;
    Seal seal;
    Status run() const;
};

struct SealedOffer {
    std::optional<SignatureCheck> signature;  // to be run, before anything of this is believed
    std::size_t key_changes = 0;              // which take effect with these entries
    std::vector<std::string> refused;  // why others change no key; they are kept as they are said
};

// Entries and seal by themselves: what is wrong with them is wrong wherever they are read. The seal
// must be by the key that is in force after the last of the entries, for it is over the last; a
// journal that nobody bound has none to check. denied also for a revoked key or journal.
Result<SealedOffer> check_sealed(const Ledger& ledger, const sync::Commit& commit);

}  // namespace tributary::hub
