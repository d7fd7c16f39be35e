#include "hub/intake/sealed.h"

#include "common/trust/seal.h"

namespace tributary::hub {

Status SignatureCheck::run() const { return trust::verify_seal(trust::bulk_verifier(), key, seal); }

Result<SealedOffer> check_sealed(const Ledger& ledger, const sync::Commit& commit) {
    SealedOffer offer;
    if (commit.entries.empty()) return offer;
    TRIBUTARY_ASSIGN(const EntryView last, parse_entry(commit.entries.back()));
    const Incarnation& journal = last.header.incarnation;
    const std::uint64_t held = ledger.held(journal).sequence;
    std::vector<KeyChangedBody> changes;
    for (const Bytes& plain : commit.entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        if (entry.header.incarnation != journal)
            return fail(Errc::invalid, "one offer mixes entries of two journals");
        // Those that are held have changed the key already.
        if (entry.header.kind != EntryKind::key_changed || entry.header.sequence <= held) continue;
        const auto body = parse_body(entry.header.kind, entry.body);
        if (const auto* change = body ? std::get_if<KeyChangedBody>(&*body) : nullptr)
            changes.push_back(*change);
    }
    TRIBUTARY_ASSIGN(const Seal seal, parse_seal(commit.seal));
    TRIBUTARY_TRY(trust::seal_covers(seal, last));
    const auto key = ledger.catalog().keys().after(journal, changes, offer.refused);
    if (!key) return offer;  // a journal that is not known yet is told so
    TRIBUTARY_TRY(ledger.catalog().members().check_believed(trust::key_id(*key), journal));
    offer.signature = {*key, seal};
    offer.key_changes = changes.size() - offer.refused.size();
    return offer;
}

}  // namespace tributary::hub
