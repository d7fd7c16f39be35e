// How a store goes on when its journal cannot: on another machine, after damage that may have eaten
// its head, or beside another history of the same journal at the hub.
//
// It begins a new journal whose first entry names the head it goes on from, and says again there
// what no receipt covers, so that all of it reaches the hub. The old journal stays as it is.
#pragma once

#include <cstdint>
#include <string>

#include "agent/sync/sync_state.h"
#include "common/env/files.h"
#include "common/record/entry.h"
#include "common/store/store.h"

namespace tributary::agent {

class JournalKeeper {
public:
    // `note_path`: a file that stands while entries are still to be said again.
    JournalKeeper(Files& files, Store& store, std::string note_path)
        : files_(files), store_(store), note_path_(std::move(note_path)) {}

    // Begins the journal of a new store, or a new journal; durable. `covered`: the last entry of
    // the present one that the hub has for certain.
    Status begin(const Bytes& public_key, std::uint64_t covered);
    // Of what a power cut left undone. Cheap when there is nothing.
    Status finish();

private:
    Status say_again(const Incarnation& journal, std::uint64_t from);
    Result<std::uint64_t> behind_what_was_said(const Incarnation& journal, std::uint64_t from);

    Files& files_;
    Store& store_;
    std::string note_path_;
};

// How the store's present journal began.
Result<StartBody> start_of_journal(Store& store);
// The last entry of the store's present journal that a receipt covers which still counts; 0: none.
std::uint64_t receipted_entries(Store& store, const SyncState& sync);

}  // namespace tributary::agent
