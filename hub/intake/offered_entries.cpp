#include "hub/intake/offered_entries.h"

#include <algorithm>
#include <unordered_set>
#include <utility>

#include "common/record/document.h"

namespace tributary::hub {
namespace {

// None when it cannot be read.
std::optional<EntryBody> body_of(ByteView plain) {
    const auto entry = parse_entry(plain);
    if (!entry) return std::nullopt;
    auto body = parse_body(entry->header.kind, entry->body);
    return body ? std::optional(*std::move(body)) : std::nullopt;
}

}  // namespace

Result<std::vector<Bytes>> new_entries(Ledger& ledger, const std::vector<Bytes>& entries,
                                       const Incarnation& incarnation) {
    std::vector<Bytes> fresh;
    const JournalHead held = ledger.held(incarnation);
    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        if (entry.header.sequence > held.sequence)
            fresh.push_back(plain);
        else if (!ledger.store().has({RecordKind::entry, entry.hash.digest}))
            return fail(
                Errc::conflict,
                "journal " + incarnation.text() + " says two things at number " +
                    std::to_string(entry.header.sequence) +
                    "; its card was cloned or put back. Both are kept: the board goes on in a new "
                    "journal");
    }
    return fresh;
}

std::vector<VersionId> versions_in(const std::vector<Bytes>& entries) {
    std::vector<VersionId> versions;
    for (const Bytes& plain : entries) {
        const auto body = body_of(plain);
        const auto* said = body ? std::get_if<CommitBody>(&*body) : nullptr;
        if (said && check_place(*said)) versions.push_back(said->version);
    }
    return versions;
}

std::optional<std::string> missing_of(const std::vector<Bytes>& entries, const Verdicts& verdicts) {
    std::unordered_set<VersionId> thinned;
    for (const Bytes& plain : entries)
        if (const auto body = body_of(plain))
            if (const auto* said = std::get_if<ThinnedBody>(&*body)) thinned.insert(said->version);
    for (const VersionId& version : versions_in(entries))
        if (const Verdict& verdict = verdicts.at(version);
            verdict.may_come && !thinned.contains(version))
            return verdict.why + " for version " + version.text();
    return std::nullopt;
}

Outcome outcome_of(const Ledger& ledger, const std::vector<Bytes>& entries,
                   const Incarnation& incarnation) {
    Outcome outcome;
    auto in_vain = ledger.catalog().refused(incarnation);
    std::erase_if(in_vain, [&](const auto& item) {
        return ledger.catalog().is_thinned(incarnation, {item.first});
    });
    const auto refuse = [&](const Digest& name) {
        const auto found = in_vain.find(name);
        if (found == in_vain.end() || outcome.refused.size() == limits::kRefusedItemsMax) return;
        found->second.resize(std::min(found->second.size(), limits::kReasonBytesMax));
        outcome.refused.push_back({name, found->second});
        in_vain.erase(found);
    };
    for (const Bytes& plain : entries) {
        const auto entry = parse_entry(plain);
        if (!entry) continue;
        refuse(entry->hash.digest);
        const auto body = parse_body(entry->header.kind, entry->body);
        const auto* said = body ? std::get_if<CommitBody>(&*body) : nullptr;
        if (!said) continue;
        if (in_vain.contains(said->version.digest)) {
            refuse(said->version.digest);
        } else if (ledger.catalog().version(said->version)) {
            outcome.whole.push_back(said->version);
            outcome.repos.insert(said->repo);
            continue;
        }
        outcome.all_whole = false;
    }
    while (!in_vain.empty() && outcome.refused.size() < limits::kRefusedItemsMax)
        refuse(in_vain.begin()->first);
    return outcome;
}

Result<Bytes> receipt_of(Ledger& ledger, const std::string& device, const Incarnation& incarnation,
                         const Outcome& outcome) {
    const JournalHead held = ledger.held(incarnation);
    const JournalHead own = ledger.store().head();
    Receipt receipt;
    receipt.device = device;
    receipt.incarnation = incarnation;
    receipt.sequence = held.sequence;
    receipt.head = held.hash;
    receipt.whole = outcome.whole;
    for (const sync::RefusedItem& item : outcome.refused)
        receipt.refused.push_back({item.name, item.reason});
    receipt.hub = own.incarnation;
    receipt.hub_sequence = own.sequence;
    receipt.hub_head = own.hash;
    receipt.epoch = ledger.epoch();
    return encode_receipt(receipt);
}

}  // namespace tributary::hub
