#include "hub/audit/receipts.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "common/trust/bulk.h"
#include "common/trust/seal.h"
#include "hub/audit/named.h"

namespace tributary::hub {
namespace {

class Receipts {
public:
    Receipts(Store& store, std::span<const trust::VerifiedRoot> roots)
        : store_(store), roots_(roots), ever_(named_by(roots)) {}

    Result<CheckedReceipts> check() {
        TRIBUTARY_TRY(store_.for_each_name(RecordKind::receipt, [this](const Digest& name) {
            ++checked_.count;
            if (const Status whole = take(name); !whole)
                find("receipt " + name.text() + ": " + whole.error().what);
            return Status();
        }));
        for (const auto& [key, said] : epochs_)
            for (const auto& [other, later] : epochs_)
                if (last_root_of(key) < first_root_of(other) && said.last >= later.first)
                    find("a receipt of epoch " + std::to_string(said.last) +
                         " is by a key of the hub that was dropped before epoch " +
                         std::to_string(later.first));
        return std::move(checked_);
    }

private:
    struct Epochs {
        std::uint64_t first = 0, last = 0;
    };

    void find(std::string what) { checked_.findings.push_back(std::move(what)); }

    Status take(const Digest& name) {
        TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain({RecordKind::receipt, name}));
        TRIBUTARY_ASSIGN(const SignedDocument by,
                         trust::verify_document(trust::bulk_verifier(), ever_.hub_keys,
                                                trust::kReceiptPurpose, plain));
        TRIBUTARY_ASSIGN(const Receipt receipt, parse_receipt(by.payload));
        if (receipt.sequence != 0) {
            TRIBUTARY_ASSIGN(const EntryHash held, hash_at(receipt.incarnation, receipt.sequence));
            if (held != receipt.head)
                return fail(Errc::denied, "it is about another entry " +
                                              std::to_string(receipt.sequence) + " of journal " +
                                              receipt.incarnation.text() + " than is held");
        }
        CheckedReceipts::Received& received = checked_.journals[receipt.incarnation];
        received.device = receipt.device;
        received.sequence = std::max(received.sequence, receipt.sequence);
        Epochs& said =
            epochs_.try_emplace(by.key, Epochs{receipt.epoch, receipt.epoch}).first->second;
        said.first = std::min(said.first, receipt.epoch);
        said.last = std::max(said.last, receipt.epoch);
        return {};
    }

    Result<EntryHash> hash_at(const Incarnation& journal, std::uint64_t sequence) {
        std::optional<EntryHash> hash;
        TRIBUTARY_TRY(store_.read_entries(journal, sequence, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (entry && entry->header.sequence == sequence) hash = entry->hash;
            return false;
        }));
        if (hash) return *hash;
        return fail(Errc::not_found, "entry " + std::to_string(sequence) + " of journal " +
                                         journal.text() + ", which it is about, is not held");
    }

    std::size_t first_root_of(const Digest& key) const {
        std::size_t at = 0;
        while (at < roots_.size() && !names(roots_[at], key)) ++at;
        return at;
    }
    std::size_t last_root_of(const Digest& key) const {
        std::size_t at = roots_.size();
        while (at > 0 && !names(roots_[at - 1], key)) --at;
        return at == 0 ? 0 : at - 1;
    }
    static bool names(const trust::VerifiedRoot& root, const Digest& key) {
        return std::ranges::any_of(root.root.hub_keys,
                                   [&](const Bytes& one) { return trust::key_id(one) == key; });
    }

    Store& store_;
    const std::span<const trust::VerifiedRoot> roots_;
    const Named ever_;
    CheckedReceipts checked_;
    std::map<Digest, Epochs> epochs_;  // of receipts, by key
};

}  // namespace

Result<CheckedReceipts> check_receipts(Store& store, std::span<const trust::VerifiedRoot> roots) {
    return Receipts(store, roots).check();
}

}  // namespace tributary::hub
