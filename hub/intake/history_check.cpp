#include "hub/intake/history_check.h"

#include <optional>

namespace tributary::hub {
namespace {

constexpr std::string_view kRewritten = "this hub's history was rewritten or put back: ";

// Of our own journal; nullopt when it is not held.
Result<std::optional<EntryHash>> hash_at(Store& store, const Incarnation& journal,
                                         std::uint64_t sequence) {
    std::optional<EntryHash> hash;
    TRIBUTARY_TRY(store.read_entries(journal, sequence, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (entry && entry->header.sequence == sequence) hash = entry->hash;
        return false;
    }));
    return hash;
}

}  // namespace

Result<std::string> contradiction(Ledger& ledger, const sync::JournalPoint& shown) {
    if (shown.incarnation.is_none() || shown.sequence == 0) return std::string();
    const JournalHead own = ledger.store().head();
    const std::string entry =
        "entry " + std::to_string(shown.sequence) + " of journal " + shown.incarnation.text();
    if (!ledger.catalog().is_own(shown.incarnation)) {
        // After a restore, it may be one that an earlier restore had begun.
        if (ledger.epoch() > 1) return std::string();
        return std::string(kRewritten) + "this board was shown " + entry +
               ", which this hub never wrote";
    }
    if (shown.incarnation == own.incarnation && shown.sequence > own.sequence)
        return std::string(kRewritten) + "this board was shown " + entry + ", which ends at " +
               std::to_string(own.sequence) + " here";
    TRIBUTARY_ASSIGN(const auto held, hash_at(ledger.store(), shown.incarnation, shown.sequence));
    if (!held || *held == shown.hash) return std::string();
    return std::string(kRewritten) + "this board was shown another " + entry;
}

std::string lost_history(Ledger& ledger, const sync::JournalPoint& shown) {
    if (ledger.epoch() == 1 || shown.incarnation.is_none() || shown.sequence == 0) return {};
    if (shown.incarnation == ledger.store().head().incarnation) return {};
    const std::uint64_t held = ledger.held(shown.incarnation).sequence;
    if (held >= shown.sequence) return {};
    const std::string begin =
        "decisions were lost when this hub was put back from a backup, or when its key was "
        "replaced "
        "beside an older store: this board has seen its journal " +
        shown.incarnation.text() + " up to entry " + std::to_string(shown.sequence);
    return begin +
           (held == 0 ? ", of which this store has nothing"
                      : ", and this store ends at " + std::to_string(held)) +
           ". What was decided in between is lost, revocations and approvals with it: look through "
           "'tributary device list', and revoke again who was revoked";
}

}  // namespace tributary::hub
