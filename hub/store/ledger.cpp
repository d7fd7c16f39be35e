#include "hub/store/ledger.h"

#include <utility>

#include "common/text/log.h"
#include "common/trust/bulk.h"
#include "common/trust/seal.h"

namespace tributary::hub {
namespace {

// Of entries that share a commit: well below what the store takes into one batch, so that each
// journal's are in it whole or not at all.
constexpr std::size_t kTogetherBytesMax = Store::kBatchBytes / 2;

std::size_t bytes_of(const JournalPart& part) {
    std::size_t bytes = 0;
    for (const Bytes& plain : part.entries) bytes += plain.size();
    return bytes;
}

}  // namespace

Ledger::Ledger(std::unique_ptr<Store> store, std::unique_ptr<trust::Signer> signer,
               std::unique_ptr<NameMemo> sent)
    : store_(std::move(store)), signer_(std::move(signer)), sent_(std::move(sent)) {}

Status check_no_restore_under_way(Files& files, const std::string& state_dir) {
    if (!files.stat(join_path(state_dir, kRestoringName))) return {};
    return fail(Errc::conflict, "a restore into " + state_dir +
                                    " is under way or was cut short; if none is under way, empty "
                                    "the folder and restore again");
}

Result<std::unique_ptr<Ledger>> Ledger::open(Files& files, Clock& clock, Entropy& entropy,
                                             const std::string& state_dir, StoreOptions options,
                                             Epoch epoch, const trust::Passphrase* key_passphrase) {
    const std::string sent_path = options.index_path.empty() ? "" : NameMemo::kInMemory;
    TRIBUTARY_ASSIGN(auto store,
                     open_store(files, clock, entropy, state_dir, std::move(options), epoch));
    return open_on(std::move(store), files, entropy, state_dir, epoch, key_passphrase, sent_path);
}

Result<std::unique_ptr<Store>> Ledger::open_store(Files& files, Clock& clock, Entropy& entropy,
                                                  const std::string& state_dir,
                                                  StoreOptions options, Epoch epoch) {
    if (epoch != Epoch::next) TRIBUTARY_TRY(check_no_restore_under_way(files, state_dir));
    TRIBUTARY_TRY(files.make_directories(state_dir));
    return Store::open(files, clock, entropy, join_path(state_dir, "store"), std::move(options));
}

Result<std::unique_ptr<Ledger>> Ledger::open_on(std::unique_ptr<Store> store, Files& files,
                                                Entropy& entropy, const std::string& state_dir,
                                                Epoch epoch,
                                                const trust::Passphrase* key_passphrase,
                                                const std::string& sent_path) {
    TRIBUTARY_ASSIGN(auto signer,
                     trust::load_or_create_bulk_key(files, entropy, join_path(state_dir, "key.pem"),
                                                    key_passphrase));
    auto sent = std::make_unique<NameMemo>(
        sent_path.empty() ? join_path(state_dir, "sent.sqlite") : sent_path,
        [](const Error& error) {
            log_failure(LogLevel::warn,
                        "what boards sent so far cannot be noted; after a restart they send it "
                        "again",
                        error);
        });

    auto ledger =
        std::unique_ptr<Ledger>(new Ledger(std::move(store), std::move(signer), std::move(sent)));
    Store& log = *ledger->store_;
    TRIBUTARY_ASSIGN(const bool rekeyed, ledger->read_start(epoch));
    // Also after damage that may have eaten our last entries: others have seen their hashes.
    if (log.head().sequence == 0 || log.recovery().head_in_doubt || epoch == Epoch::next || rekeyed)
        TRIBUTARY_TRY(ledger->begin_journal());
    TRIBUTARY_ASSIGN(ledger->catalog_, Catalog::rebuild(log));
    TRIBUTARY_TRY(ledger->read_heads());
    ledger->epoch_ = ledger->catalog_.own_journals();
    return ledger;
}

// How the present journal began, and whether with another key than ours. Unless somebody vouches
// for ours, this would be another hub under its name.
Result<bool> Ledger::read_start(Epoch epoch) {
    Status fits;
    bool rekeyed = false;
    TRIBUTARY_TRY(store_->read_entries(store_->head().incarnation, 1, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                : Result<EntryBody>(tl::make_unexpected(entry.error()));
        const auto* start = body ? std::get_if<StartBody>(&*body) : nullptr;
        if (!start) return false;  // damage, which is named elsewhere
        continues_sequence_ = start->continues_sequence;
        rekeyed = start->public_key != signer_->public_key();
        if (rekeyed && epoch != Epoch::by_key)
            fits = fail(Errc::denied,
                        "key.pem is not the key that this hub's journal was begun with, by which "
                        "its boards know it; put the right one in its place");
        return false;
    }));
    TRIBUTARY_TRY(fits);
    return rekeyed;
}

// A journal that says which one it continues, if there is one.
Status Ledger::begin_journal() {
    const JournalHead before = store_->head();
    StartBody start;
    start.public_key = signer_->public_key();
    if (before.sequence > 0) {
        start.continues = before.incarnation;
        start.continues_sequence = before.sequence;
        start.continues_hash = before.hash;
    }
    start.software = "tributary-hub " TRIBUTARY_VERSION;
    TRIBUTARY_TRY(store_->start_journal(std::move(start)));
    TRIBUTARY_TRY(stage_seal());
    TRIBUTARY_TRY(store_->commit());
    continues_sequence_ = before.sequence;
    return {};
}

Status Ledger::append(const std::vector<EntryBody>& bodies) {
    const std::uint64_t first = store_->head().sequence + 1;
    Status done;
    for (const EntryBody& body : bodies) {
        if (auto staged = store_->stage_entry(body, epoch_); !staged) {
            done = tl::make_unexpected(std::move(staged).error());
            break;
        }
    }
    if (done) done = stage_seal();
    if (done) done = commit();
    if (!done) store_->abandon_entries();
    // After a failure too: a part of a large batch may be durable.
    const Status folded = fold_own_from(first);
    return done ? folded : done;
}

// Over all of our own journal, what is staged included: whoever has the store alone can tell that
// every entry in it is ours (hub/audit).
Status Ledger::stage_seal() {
    const JournalHead head = store_->head();
    TRIBUTARY_ASSIGN(const Bytes seal,
                     trust::seal_head(*signer_, head.incarnation, head.sequence, head.hash));
    return store_->stage_object(RecordKind::seal, seal).map([](const Digest&) {});
}

Status Ledger::commit() {
    Status done = store_->commit();
    if (!done && done.error().code == Errc::unavailable && when_closed_)
        std::exchange(when_closed_, nullptr)(done.error());
    return done;
}

Status Ledger::fold_own_from(std::uint64_t first) {
    return store_->read_entries(store_->head().incarnation, first, [&](ByteView plain) {
        if (const auto entry = parse_entry(plain)) catalog_.apply(*store_, *entry);
        return true;
    });
}

Status Ledger::read_heads() {
    TRIBUTARY_ASSIGN(const std::vector<JournalHead> heads, store_->heads());
    for (const JournalHead& head : heads) held_[head.incarnation] = head;
    return {};
}

JournalHead Ledger::held(const Incarnation& journal) const {
    if (const auto found = held_.find(journal); found != held_.end()) return found->second;
    JournalHead nothing;
    nothing.incarnation = journal;
    return nothing;
}

Status Ledger::accept(JournalPart part) { return accept_together(std::span(&part, 1)); }

std::vector<Status> Ledger::accept_all(std::span<const JournalPart> journals) {
    std::vector<Status> outcomes;
    while (outcomes.size() < journals.size()) {
        const auto rest = journals.subspan(outcomes.size());
        std::size_t count = 1;
        std::size_t bytes = bytes_of(rest.front());
        while (count < rest.size() && bytes + bytes_of(rest[count]) <= kTogetherBytesMax)
            bytes += bytes_of(rest[count++]);
        if (accept_together(rest.first(count))) {
            outcomes.insert(outcomes.end(), count, Status());
            continue;
        }
        // Nothing of them was taken in. Whose fault it is shows when each comes by itself.
        for (const JournalPart& part : rest.first(count))
            outcomes.push_back(accept_together(std::span(&part, 1)));
    }
    return outcomes;
}

// All or none of them.
Status Ledger::accept_together(std::span<const JournalPart> journals) {
    Status done;
    for (const JournalPart& part : journals)
        for (const Bytes& plain : part.entries)
            if (done) done = store_->stage_foreign_entry(plain);
    if (done) done = commit();
    if (!done) {
        store_->abandon_entries();
        return done;
    }
    for (const JournalPart& part : journals)
        for (const Bytes& plain : part.entries) {
            const auto entry = parse_entry(plain);
            if (!entry) continue;
            catalog_.apply(*store_, *entry, part.judged);
            const EntryHeader& header = entry->header;
            JournalHead& head = held_[header.incarnation];
            if (header.sequence > head.sequence)
                head = {header.incarnation, header.sequence, entry->hash, header.time};
        }
    return {};
}

}  // namespace tributary::hub
