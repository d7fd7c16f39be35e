#include "hub/store/ledger.h"

namespace tributary::hub {
namespace {

// Follows "continues" from our present journal back to the first.
Result<std::uint64_t> count_own_journals(Store& store) {
    std::uint64_t count = 0;
    Incarnation journal = store.head().incarnation;
    while (!journal.is_none() && count < 1'000'000) {
        ++count;
        Incarnation before;
        TRIBUTARY_TRY(store.read_entries(journal, 1, [&](ByteView plain) {
            if (const auto entry = parse_entry(plain))
                if (const auto body = parse_body(entry->header.kind, entry->body))
                    if (const auto* start = std::get_if<StartBody>(&*body))
                        before = start->continues;
            return false;  // the first entry says it
        }));
        journal = before;
    }
    return count;
}

}  // namespace

Ledger::Ledger(std::unique_ptr<Store> store, std::unique_ptr<trust::Signer> signer)
    : store_(std::move(store)), signer_(std::move(signer)) {}

Result<std::unique_ptr<Ledger>> Ledger::open(Files& files, Clock& clock, Entropy& entropy,
                                             const std::string& state_dir, StoreOptions options) {
    TRIBUTARY_TRY(files.make_directories(state_dir));
    TRIBUTARY_ASSIGN(auto store, Store::open(files, clock, entropy, join_path(state_dir, "store"),
                                             std::move(options)));
    TRIBUTARY_ASSIGN(auto signer,
                     trust::load_or_create_key(files, entropy, join_path(state_dir, "key.pem")));

    auto ledger = std::unique_ptr<Ledger>(new Ledger(std::move(store), std::move(signer)));
    Store& log = *ledger->store_;
    if (log.head().sequence == 0) {
        StartBody start;
        start.public_key = ledger->signer_->public_key();
        start.software = "tributary-hub " TRIBUTARY_VERSION;
        TRIBUTARY_TRY(log.start_journal(std::move(start)));
        TRIBUTARY_TRY(log.commit());
    }
    TRIBUTARY_ASSIGN(ledger->epoch_, count_own_journals(log));
    TRIBUTARY_ASSIGN(ledger->catalog_, Catalog::rebuild(log));
    return ledger;
}

Status Ledger::append(const std::vector<EntryBody>& bodies) {
    const std::uint64_t first = store_->head().sequence + 1;
    for (const EntryBody& body : bodies) {
        if (auto staged = store_->stage_entry(body, epoch_); !staged) {
            store_->abandon();
            return tl::make_unexpected(std::move(staged).error());
        }
    }
    TRIBUTARY_TRY(store_->commit());
    return fold_own_from(first);
}

Status Ledger::fold_own_from(std::uint64_t first) {
    Status folded;
    TRIBUTARY_TRY(store_->read_entries(store_->head().incarnation, first, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        folded =
            entry ? catalog_.apply(*store_, *entry) : Status(tl::make_unexpected(entry.error()));
        return folded.has_value();
    }));
    return folded;
}

Status Ledger::accept(const std::vector<Bytes>& entries) {
    for (const Bytes& plain : entries) {
        if (auto staged = store_->stage_foreign_entry(plain); !staged) {
            store_->abandon();
            return staged;
        }
    }
    TRIBUTARY_TRY(store_->commit());
    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        TRIBUTARY_TRY(catalog_.apply(*store_, entry));
    }
    return {};
}

}  // namespace tributary::hub
