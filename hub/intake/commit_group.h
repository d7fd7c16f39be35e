// What several boards brought, made durable by one commit of the store: syncing the disk takes as
// long for the entries of a hundred boards as for those of one.
//
// What is added waits, in RAM and unstaged, until flush(); only there is it written, and only after
// that is anybody told. One thread.
#pragma once

#include <functional>
#include <vector>

#include "common/base/time.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class CommitGroup {
public:
    using Done = std::function<void(MonoTime now, const Status& durable)>;

    // `wake` is called when the first one waits: flush() is due soon, when what arrived meanwhile
    // has been read, but not from within.
    CommitGroup(Ledger& ledger, std::function<void()> wake)
        : ledger_(ledger), wake_(std::move(wake)) {}

    // Entries of one journal, in order and checked; none to make durable what was staged before.
    void add(std::vector<Bytes> entries, Done done);
    // Each that waits is told how it went for its own entries. What they add then waits for the
    // next.
    void flush(MonoTime now);

private:
    Ledger& ledger_;
    std::function<void()> wake_;
    std::vector<std::vector<Bytes>> journals_;
    std::vector<Done> done_;  // in their order
};

}  // namespace tributary::hub
