// What several boards brought, made durable by one commit of the store: syncing the disk takes as
// long for the entries of a hundred boards as for those of one.
//
// What is added waits, in RAM and unstaged, until flush(); only there is it written, and only after
// that is anybody told. The receipts of many share a signature. One thread.
#pragma once

#include <functional>
#include <vector>

#include "common/base/time.h"
#include "common/trust/seal.h"
#include "hub/store/ledger.h"

namespace tributary::hub {

class CommitGroup {
public:
    using Done = std::function<void(MonoTime now, const Status& durable)>;

    // `wake` is called when the first one waits: flush() is due soon, when what arrived meanwhile
    // has been read, but not from within.
    // `batch_from`: receipts that share a signature, at least.
    CommitGroup(Ledger& ledger, std::function<void()> wake,
                std::size_t batch_from = trust::kBatchFrom)
        : ledger_(ledger), wake_(std::move(wake)), batch_from_(batch_from) {}

    // Of one journal, checked; without entries to make durable what was staged before.
    void add(JournalPart part, Done done);
    // Each that waits is told how it went for its own entries; then what they want signed is. What
    // they add then waits for the next.
    void flush(MonoTime now);

    // A receipt's payload. Called while somebody is told how it went: signed with all others of
    // that flush, else at once.
    using Signed = std::function<void(MonoTime now, Result<Bytes> receipt)>;
    void sign(MonoTime now, Bytes payload, Signed then);

private:
    void sign_all(MonoTime now);

    Ledger& ledger_;
    std::function<void()> wake_;
    std::size_t batch_from_;
    std::vector<JournalPart> journals_;
    std::vector<Done> done_;  // in their order
    bool telling_ = false;
    std::vector<Bytes> payloads_;
    std::vector<Signed> signed_;  // in their order
};

}  // namespace tributary::hub
