// The little that sync remembers beside the log: counters for people, which versions the hub could
// not take whole, and in which epoch and journal it was met last: receipts of others do not count.
// Losing it loses no data; while it is there, what it says keeps data from being given up.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "common/base/ids.h"
#include "common/env/files.h"
#include "common/record/document.h"

namespace tributary::agent {

struct SyncState {
    std::uint64_t sent_bytes = 0;  // payloads handed to the broker since the store was made
    std::vector<VersionId> refused;
    std::uint64_t hub_epoch = 0;   // 0: not known
    Incarnation hub_journal = {};  // likewise
    bool operator==(const SyncState&) const = default;
};

// Whether this is the word of the hub as it was met last. One that was put back from a backup may
// not have what it promised before. Of two that were put back from the same one both count the same
// epoch; their journals tell them apart.
bool still_counts(const Receipt& receipt, const SyncState& state);

// An empty state when the file is missing or cannot be read.
SyncState load_sync_state(Files& files, const std::string& path);
Status save_sync_state(Files& files, const std::string& path, const SyncState& state);

}  // namespace tributary::agent
