// Verifies a whole history offline, trusting nothing but root documents: who wrote each journal,
// that all of it is under the writer's seals, and that approvals, assignments and certificates are
// by whom the roots name.
//
// A hub's journals are one line, each going on where the one before ended, and say where each root
// document was taken up: from there on nobody counts whom it does not name, for what he signed
// stands behind that point whatever time he wrote into it. No clock is asked. Before the first such
// entry, as older programs wrote none, whoever any of the root documents names counts.
//
// A board's store is its own journals and its hub's receipts, which are by a key of the hub and
// about the entries that are held.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "common/record/document.h"
#include "common/store/store.h"

namespace tributary::hub {

struct AuditedJournal {
    Incarnation id;
    std::string writer;  // a device's id; "hub"; empty: nobody is known to have this journal
    std::uint64_t entries = 0;
    std::uint64_t sealed = 0;  // entries up to this one are under a seal that holds
};

struct AuditReport {
    bool of_board = false;                 // not a hub's store
    std::vector<AuditedJournal> journals;  // the hub's first, in the order of ids
    std::uint64_t entries = 0;
    std::uint64_t seals = 0;
    std::uint64_t key_changes = 0;
    std::uint64_t approvals = 0;
    std::uint64_t assignments = 0;
    std::uint64_t certificates = 0;
    std::uint64_t receipts = 0;         // in a board's store: of its hub
    std::uint64_t security_events = 0;  // what hub and boards say they refused
    // What does not hold, in words that name journal and entry; none: all of it does.
    std::vector<std::string> findings;
};

// `entries` of how many were verified.
using AuditProgress = std::function<void(std::uint64_t entries, std::uint64_t total)>;

// `roots`: signed documents, oldest first. The first is trusted as it is, so it must come from a
// place that nobody of the hub can write to; each other must follow from the one before. denied or
// corrupt when they do not; else an error only when the store cannot be read at all.
Result<AuditReport> audit(Store& store, std::span<const Bytes> roots,
                          const AuditProgress& progress = {});

}  // namespace tributary::hub
