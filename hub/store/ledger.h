// The hub's one door to its facts: the store with every journal, the hub's own key and journal, and
// the catalog folded from them. Whatever the hub decides becomes an entry here first; whatever a
// device said is taken in here, or not at all.
//
// One thread. After append() or accept() answered success the entries are durable and the catalog
// shows them.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/store/name_memo.h"
#include "common/store/store.h"
#include "common/trust/trust.h"
#include "hub/store/catalog.h"

namespace tributary::hub {

// While a restore fills a state_dir, and after one that was cut short, this file is in it.
inline constexpr const char* kRestoringName = "restoring";
Status check_no_restore_under_way(Files& files, const std::string& state_dir);

enum class Epoch : std::uint8_t {
    same,
    next,  // the store was put back from a backup: begin the next, in a journal of its own
    // The caller vouches for key.pem: if it is not the key that the journal was begun with, that
    // one was replaced, and the next begins.
    by_key,
};

// What one journal says next.
struct JournalPart {
    std::vector<Bytes> entries;  // in order, at most one Offer's
    Verdicts judged = {};        // of versions that they name, as Catalog::apply() takes them
};

class Ledger {
public:
    // Opens or makes `state_dir` with key, store and journal, and folds the catalog. denied: the
    // key is not the one that the journal was begun with, or the passphrase not the key's.
    static Result<std::unique_ptr<Ledger>> open(Files& files, Clock& clock, Entropy& entropy,
                                                const std::string& state_dir, StoreOptions options,
                                                Epoch epoch = Epoch::same,
                                                const trust::Passphrase* key_passphrase = nullptr);
    // The two halves of open(), for who has something to do under the store's lock before the key
    // is read. The first does not look at the key, and writes nothing but the store.
    static Result<std::unique_ptr<Store>> open_store(Files& files, Clock& clock, Entropy& entropy,
                                                     const std::string& state_dir,
                                                     StoreOptions options,
                                                     Epoch epoch = Epoch::same);
    static Result<std::unique_ptr<Ledger>> open_on(
        std::unique_ptr<Store> store, Files& files, Entropy& entropy, const std::string& state_dir,
        Epoch epoch = Epoch::same, const trust::Passphrase* key_passphrase = nullptr,
        const std::string& sent_path = {});  // empty: sent.sqlite in state_dir

    Store& store() { return *store_; }
    const Catalog& catalog() const { return catalog_; }
    trust::Signer& signer() { return *signer_; }
    // Which records a device sent, by device: beside the store, and no fact.
    NameMemo& sent() { return *sent_; }
    // How often this hub's history began anew: 1, and one more after each restore from a backup.
    std::uint64_t epoch() const { return epoch_; }
    // Up to which entry of the journal before the present one goes on from; 0: it is the first.
    std::uint64_t continues_sequence() const { return continues_sequence_; }

    // Writes our own entries, a seal over them, and whatever objects were staged before, as one
    // durable batch.
    // Objects of several devices are staged side by side, so a failure takes back entries and never
    // objects.
    Status append(const std::vector<EntryBody>& bodies);
    // Takes entries of one device's journal, with the objects staged before. All or none.
    Status accept(JournalPart part);
    Status accept(std::vector<Bytes> entries) { return accept(JournalPart{std::move(entries)}); }
    // Takes what several journals say, each as accept() would, in one durable batch where that can
    // be: a sync of the disk for all of them. The answers are in their order; one that fails does
    // not keep the others out.
    std::vector<Status> accept_all(std::span<const JournalPart> journals);
    // The hub stops: what came so far and was not committed yet is written, for whom it came from.
    Status keep_staged() { return commit(); }
    // How far a device's journal is durably held; sequence 0: nothing of it.
    JournalHead held(const Incarnation& journal) const;

    // Called once, when a write or sync failed so that the store takes nothing more until it is
    // opened anew. Reading goes on.
    void when_closed(std::function<void(const Error&)> task) { when_closed_ = std::move(task); }

private:
    Ledger(std::unique_ptr<Store> store, std::unique_ptr<trust::Signer> signer,
           std::unique_ptr<NameMemo> sent);
    Status begin_journal();
    Result<bool> read_start(Epoch epoch);
    Status read_heads();
    Status fold_own_from(std::uint64_t first);
    Status stage_seal();
    Status accept_together(std::span<const JournalPart> journals);
    Status commit();

    std::unique_ptr<Store> store_;
    std::unique_ptr<trust::Signer> signer_;
    std::unique_ptr<NameMemo> sent_;
    Catalog catalog_;
    std::unordered_map<Incarnation, JournalHead> held_;
    std::uint64_t epoch_ = 1;
    std::uint64_t continues_sequence_ = 0;
    std::function<void(const Error&)> when_closed_;
};

}  // namespace tributary::hub
