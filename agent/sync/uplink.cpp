#include "agent/sync/uplink.h"

#include <algorithm>
#include <set>

#include "common/hash/hash.h"
#include "common/record/entry.h"
#include "common/store/closure.h"
#include "common/trust/hello.h"
#include "common/trust/seal.h"

namespace tributary::agent {
namespace {

constexpr std::size_t kPlanEntriesMax = 64;
// Generations of refused versions that are offered again with one that stands on them.
constexpr std::size_t kRefusedBehindMax = 64;
// Proofs of the hub that are remembered, to know one that is played back.
constexpr std::size_t kProofsMax = 32;

// Ends a walk whose rest is not wanted.
tl::unexpected<Error> enough() { return fail(Errc::cancelled, "enough"); }

}  // namespace

Result<std::optional<Receipt>> last_receipt(Store& store, const Incarnation& journal) {
    TRIBUTARY_ASSIGN(const std::optional<Digest> name, store.latest_receipt(journal));
    if (!name) return std::nullopt;
    TRIBUTARY_ASSIGN(const Bytes plain, store.read_plain({RecordKind::receipt, *name}));
    TRIBUTARY_ASSIGN(const SignedDocument document, parse_signed_document(plain));
    TRIBUTARY_ASSIGN(Receipt receipt, parse_receipt(document.payload));
    return std::optional<Receipt>(std::move(receipt));
}

Status Uplink::load() {
    auto found = last_receipt(store_, store_.head().incarnation);
    // A damaged receipt costs an offer, which the hub answers from what it holds.
    if (!found && found.error().code == Errc::corrupt) return {};
    if (!found) return tl::make_unexpected(found.error());
    receipt_ = *std::move(found);
    // Not one of a hub that this board believes no more: nobody is held to what that one showed.
    if (memory_ && receipt_ && by_hub_of_now()) memory_->recall(*receipt_);
    return {};
}

bool Uplink::by_hub_of_now() {
    const auto name = store_.latest_receipt(store_.head().incarnation);
    if (!name || !*name) return false;
    const auto plain = store_.read_plain({RecordKind::receipt, **name});
    return plain &&
           trust::verify_document(verifier_, pins_.hub_keys, trust::kReceiptPurpose, *plain);
}

void Uplink::set_refused(std::vector<VersionId> versions) {
    refused_ = {versions.begin(), versions.end()};
}

void Uplink::on_new_journal() {
    receipt_.reset();
    held_ = told_from_ = told_until_ = 0;
    told_changes_.clear();
    entries_.clear();
    versions_.clear();
    ends_.clear();
    begin_pages();
    leaves_nothing_out_ = false;
}

// Of two hubs that were restored from the same backup both count the same epoch; their journals
// tell them apart.
std::uint64_t Uplink::receipted() const {
    const bool stands = receipt_ && receipt_->epoch == hub_epoch_ &&
                        (hub_journal_.is_none() || receipt_->hub == hub_journal_);
    return stands ? receipt_->sequence : 0;
}

// The hub believes the key that is in force as far as it holds our journal. Those that came after,
// it is shown: it may have been put back to before them, or not have heard of them yet.
Result<std::vector<Bytes>> Uplink::key_changes() {
    const JournalHead own = store_.head();
    std::uint64_t until = own.sequence;
    if (const auto last = memory_ ? memory_->key_changed_at(own.incarnation) : std::nullopt)
        until = std::max(*last, former_signer_ ? signs_from_ : 0);
    if (until <= held_) return std::vector<Bytes>();
    if (held_ < told_from_) {
        told_changes_.clear();
        told_until_ = held_;
    }
    told_from_ = held_;
    told_until_ = std::max(told_until_, held_);
    std::erase_if(told_changes_, [this](const auto& told) { return told.first <= held_; });
    TRIBUTARY_TRY(read_key_changes(until));
    if (told_changes_.size() > sync::kHelloKeyChangesMax)
        return fail(Errc::exhausted,
                    "this journal changed its key more often than a hub that knows of none of it "
                    "can be shown; enrol this board anew with 'tributary-agent enroll --anew'");
    std::vector<Bytes> changes;
    for (const auto& [sequence, body] : told_changes_) changes.push_back(body);
    return changes;
}

Status Uplink::read_key_changes(std::uint64_t until) {
    if (told_until_ >= until) return {};
    TRIBUTARY_TRY(
        store_.read_entries(store_.head().incarnation, told_until_ + 1, [&](ByteView plain) {
            const auto entry = parse_entry(plain);
            if (!entry || entry->header.sequence > until) return false;
            told_until_ = entry->header.sequence;
            if (entry->header.kind == EntryKind::key_changed)
                told_changes_.emplace_back(entry->header.sequence,
                                           Bytes(entry->body.begin(), entry->body.end()));
            return true;
        }));
    told_until_ = until;
    return {};
}

Result<sync::Hello> Uplink::describe(std::uint64_t nonce, sync::Hello ours) {
    sync::Hello hello = std::move(ours);
    const JournalHead own = store_.head();
    hello.head = {own.incarnation, own.sequence, own.hash};
    hello.journals = {hello.head};
    if (receipt_) {
        hello.epoch = receipt_->epoch;
        hello.receipt_sequence = receipt_->sequence;
    }
    hello.software = "tributary-agent " TRIBUTARY_VERSION;
    if (memory_) memory_->describe(hello);
    if (hello.answers == 0) return hello;  // a question; nobody believes it
    TRIBUTARY_ASSIGN(hello.key_changes, key_changes());
    TRIBUTARY_ASSIGN(hello.proof,
                     signer_->sign(trust::kAgentHelloPurpose,
                                   trust::agent_hello_digest(nonce, pins_.device, hello)));
    return hello;
}

Status Uplink::refuse(SecurityEvent event, Status status) const {
    if (!status && refused_told_) refused_told_(event, status.error().what);
    return status;
}

Status Uplink::check_hello(std::uint64_t nonce, const sync::Hello& hello) {
    const Digest proof = sha256(hello.proof);
    if (Status proven = check_proof(nonce, hello); !proven) {
        const bool again = std::ranges::find(proofs_, proof) != proofs_.end();
        return refuse(again ? SecurityEvent::hub_replayed : SecurityEvent::hub_unproven,
                      std::move(proven));
    }
    if (proofs_.empty() || proofs_.back() != proof) proofs_.push_back(proof);
    if (proofs_.size() > kProofsMax) proofs_.pop_front();
    return memory_ ? refuse(SecurityEvent::hub_history, memory_->on_hello(hello)) : Status();
}

Status Uplink::check_proof(std::uint64_t nonce, const sync::Hello& hello) {
    const Digest said = trust::hello_digest(nonce, pins_.device, hello);
    const bool proven =
        std::any_of(pins_.hub_keys.begin(), pins_.hub_keys.end(), [&](const Bytes& key) {
            return verifier_.verify(key, trust::kHelloPurpose, said, hello.proof).has_value();
        });
    if (proven) return {};
    if (!pins_.hub_url.empty())
        return fail(Errc::denied,
                    "who answers at the broker does not prove, for the present session, that its "
                    "key is one that the root document names for the hub; nothing is sent there");
    return fail(Errc::denied,
                "who answers at the broker does not prove to be the hub this board met first; "
                "nothing is sent there. If the hub was replaced, and this is meant, remove "
                "pins.json from the state folder and restart the agent");
}

Status Uplink::on_hub_hello(const sync::Hello& hello, bool first) {
    const JournalHead own = store_.head();
    // A Hello that was on its way while we logged a receipt says less than we know.
    const bool same = hello.epoch == hub_epoch_ && hello.head.incarnation == hub_journal_;
    const std::uint64_t known = first || !same ? 0 : held_;
    hub_epoch_ = hello.epoch;
    hub_journal_ = hello.head.incarnation;
    hub_features_ = hello.features;
    held_ = known;
    split_ = true;
    for (const sync::JournalPoint& journal : hello.journals) {
        if (journal.incarnation != own.incarnation || journal.sequence == 0) continue;
        bool ours = false;
        if (journal.sequence <= own.sequence) {
            TRIBUTARY_ASSIGN(const EntryHash hash, hash_at(journal.sequence));
            ours = hash == journal.hash;
        }
        if (!ours)
            return fail(Errc::conflict, "the hub holds another history of this journal at entry " +
                                            std::to_string(journal.sequence) +
                                            ": this store was cloned or put back from a backup");
        held_ = std::max(known, journal.sequence);
    }
    split_ = false;
    return {};
}

Result<EntryHash> Uplink::hash_at(std::uint64_t sequence) {
    std::optional<Result<EntryHash>> found;
    TRIBUTARY_TRY(store_.read_entries(store_.head().incarnation, sequence, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        found = entry ? Result<EntryHash>(entry->hash) : tl::make_unexpected(entry.error());
        return false;
    }));
    if (!found)
        return fail(Errc::corrupt, "entry " + std::to_string(sequence) +
                                       " of the journal is missing; run 'tributary-agent fsck'");
    return *std::move(found);
}

// ---- the plan ----

Result<bool> Uplink::make_plan(bool content, std::uint64_t bytes) {
    plan_bytes_ = bytes;
    entries_.clear();
    versions_.clear();
    ends_.clear();
    begin_pages();
    const JournalHead own = store_.head();
    if (split_) return false;
    if (own.sequence <= held_) return receipted() < held_;  // nothing new, or a receipt was lost

    std::optional<Error> wrong;
    sync::PageBudget budget(page_bytes_);  // the entries travel on one page
    TRIBUTARY_TRY(store_.read_entries(own.incarnation, held_ + 1, [&](ByteView plain) {
        if (entries_.size() == kPlanEntriesMax) return false;
        const auto entry = parse_entry(plain);
        if (!entry) {
            wrong = entry.error();
            return false;
        }
        const auto body = parse_body(entry->header.kind, entry->body);
        const auto* commit = body ? std::get_if<CommitBody>(&*body) : nullptr;
        if ((commit && !content) || !budget.add_entry(plain.size())) return false;
        if (commit) {
            if (!versions_.empty()) ends_.push_back({versions_.size(), entries_.size()});
            add_version(commit->version);
        }
        if (const auto* thinned = body ? std::get_if<ThinnedBody>(&*body) : nullptr)
            keep_together(thinned->version);
        entries_.emplace_back(plain.begin(), plain.end());
        return true;
    }));
    if (wrong) return tl::make_unexpected(*wrong);
    return !entries_.empty();
}

// What says that a version's content was given up goes with it: the hub would wait for it.
void Uplink::keep_together(const VersionId& version) {
    const auto at =
        static_cast<std::size_t>(std::ranges::find(versions_, version) - versions_.begin());
    std::erase_if(ends_, [&](const End& end) { return at < end.versions; });
}

// Behind those that it stands on and that the hub could not take, the oldest first: it takes them
// after all when this one brings what they lacked.
void Uplink::add_version(const VersionId& version) {
    std::vector<VersionId> path{version};
    while (!path.empty()) {
        const auto parent = refused_behind(path.back());
        if (parent && path.size() <= kRefusedBehindMax) {
            path.push_back(*parent);
        } else {
            versions_.push_back(path.back());
            path.pop_back();
        }
    }
}

// A parent that is not in the plan yet.
std::optional<VersionId> Uplink::refused_behind(const VersionId& version) {
    const auto read = refused_.empty() ? Result<Version>() : read_version(store_, version);
    for (const VersionId& parent : read ? read->parents : std::vector<VersionId>())
        if (refused_.contains(parent) && std::ranges::find(versions_, parent) == versions_.end())
            return parent;
    return std::nullopt;
}

void Uplink::begin_pages() { page_begins_.assign(1, Cursor{}); }

Result<sync::Page> Uplink::read_page(std::uint32_t number, bool whole) {
    if (number == 0 && whole && !leaves_nothing_out_) {
        leaves_nothing_out_ = true;
        begin_pages();
    }
    if (number >= page_begins_.size())
        return fail(Errc::invalid, "the hub asks for a page of an offer that was not made");
    sync::Page page;
    sync::PageBudget budget(page_bytes_);
    Cursor at = page_begins_[number];
    TRIBUTARY_TRY(fill(page, budget, at));
    if (at.version == versions_.size()) TRIBUTARY_TRY(close_page(page, budget));
    if (!page.last && number + 1 == page_begins_.size()) page_begins_.push_back(at);
    return page;
}

// Takes objects from `at` on until the page is full or the plan ends; `at` is where the next page
// begins.
Status Uplink::fill(sync::Page& page, sync::PageBudget& budget, Cursor& at) {
    while (at.version < versions_.size()) {
        TRIBUTARY_ASSIGN(const bool whole, add_closure(page, budget, at));
        if (!whole) return {};
        at = {at.version + 1, 0, at.bytes};
        // Where nothing is left out, much of it is there.
        if (!leaves_nothing_out_ && at.bytes >= plan_bytes_) end_plan(at.version);
    }
    return {};
}

// With so many of its versions, where that is between two entries. The same again when a page is
// read once more.
void Uplink::end_plan(std::size_t versions) {
    const auto end = std::ranges::find(ends_, versions, &End::versions);
    if (end == ends_.end()) return;
    versions_.resize(end->versions);
    entries_.resize(end->entries);
}

// False when the page is full.
Result<bool> Uplink::add_closure(sync::Page& page, sync::PageBudget& budget, Cursor& at) {
    const VersionId& version = versions_[at.version];
    // A version that cannot be read any more is named in the journal all the same: the hub will
    // receipt it as not whole.
    auto covered = covered_by(version, at.version);
    if (!covered) return true;

    std::set<RecordKey> on_page;
    for (const sync::OfferedObject& object : page.objects) on_page.insert(object.key);
    std::size_t index = 0;
    bool full = false;
    const Status walked =
        closure_of(store_, version, *covered, [&](const RecordKey& key) -> Status {
            if (index++ < at.object) return {};
            const auto header = store_.read_header(key);
            if (!header) return {};  // damaged: likewise
            if (on_page.contains(key)) return {};
            sync::OfferedObject object{key, header->plain_length, header->stored_length, {}};
            if (goes_as_it_is(*header))
                object.bases.assign(header->bases().begin(), header->bases().end());
            if (!budget.add(object)) {
                at.object = index - 1;
                full = true;
                return enough();
            }
            on_page.insert(key);
            at.bytes += object.stored_length;
            page.objects.push_back(std::move(object));
            return {};
        });
    // What breaks the walk elsewhere is damage below this version.
    static_cast<void>(walked);
    return !full;
}

// The parents that the hub has whole, or will have from earlier in this plan.
Result<std::vector<VersionId>> Uplink::covered_by(const VersionId& version, std::size_t index) {
    TRIBUTARY_ASSIGN(const Version read, read_version(store_, version));
    std::vector<VersionId> covered;
    if (leaves_nothing_out_) return covered;
    const auto before = versions_.begin() + static_cast<std::ptrdiff_t>(index);
    for (const VersionId& parent : read.parents) {
        if (refused_.contains(parent)) continue;
        if (std::find(versions_.begin(), before, parent) != before) {
            covered.push_back(parent);
            continue;
        }
        const auto rows = store_.versions_by_prefix(to_hex(parent.digest.bytes), 1);
        if (!rows || rows->empty()) continue;
        const VersionRow& row = rows->front();
        if (row.incarnation == store_.head().incarnation && row.sequence <= held_)
            covered.push_back(parent);
    }
    return covered;
}

// Adds entries and seal, which make it the last page; when they do not fit, they come on a page of
// their own.
Status Uplink::close_page(sync::Page& page, sync::PageBudget& budget) {
    const auto fits = [&](const Bytes& entry) { return budget.add_entry(entry.size()); };
    if (!std::all_of(entries_.begin(), entries_.end(), fits)) return {};
    page.last = true;
    page.entries = entries_;
    if (entries_.empty()) return {};
    TRIBUTARY_ASSIGN(const EntryView head, parse_entry(entries_.back()));
    const bool before = former_signer_ != nullptr && head.header.sequence < signs_from_;
    TRIBUTARY_ASSIGN(page.seal,
                     trust::seal_head(before ? *former_signer_ : *signer_, head.header.incarnation,
                                      head.header.sequence, head.hash));
    return {};
}

// A hub of an older release takes no record that stands on two bases, or of a later encoding.
bool Uplink::goes_as_it_is(const RecordHeader& header) const {
    const std::uint64_t on_two = header.base_count == 2 ? sync::kFeatureTwoBases : 0;
    return ((on_two | sync::feature_for(header.encoding)) & ~hub_features_) == 0;
}

Result<Bytes> Uplink::read_object(const RecordKey& key, bool may_use_base) {
    TRIBUTARY_ASSIGN(RecordHeader header, store_.read_header(key));
    if (header.base_count == 0 || (may_use_base && goes_as_it_is(header)))
        return store_.read_record(key);

    TRIBUTARY_ASSIGN(const Bytes plain, store_.read_plain(key));
    codec::Coder coder;  // rarely needed, and it holds megabytes
    const codec::Encoded coded = coder.encode({plain}, {}, codec::Level::standard);
    header.encoding = static_cast<std::uint8_t>(coded.encoding);
    header.stored_length = static_cast<std::uint32_t>(coded.payload.size());
    header.base_count = 0;
    Bytes frame;
    append_record(frame, header, coded.payload);
    return frame;
}

// ---- the receipt ----

Result<Receipt> Uplink::check_receipt(ByteView bytes) {
    auto document =
        trust::verify_document(verifier_, pins_.hub_keys, trust::kReceiptPurpose, bytes);
    if (!document) return with_context("a receipt that is not the hub's", document.error());
    TRIBUTARY_ASSIGN(Receipt receipt, parse_receipt(document->payload));
    const JournalHead own = store_.head();
    // Not by the hub's journal: after damage or a restore it writes on in another one, with its
    // key.
    if (receipt.device != pins_.device || receipt.incarnation != own.incarnation)
        return fail(Errc::denied, "a receipt of the hub is about another device or journal");
    if (receipt.sequence > own.sequence)
        return fail(Errc::conflict,
                    "a receipt of the hub covers entries that this board never made");
    if (receipt.sequence > 0) {
        TRIBUTARY_ASSIGN(const EntryHash ours, hash_at(receipt.sequence));
        if (ours != receipt.head)
            return fail(Errc::conflict,
                        "a receipt of the hub names another history of this journal");
    }
    return receipt;
}

Status Uplink::log_receipt(ByteView bytes) {
    auto checked = check_receipt(bytes);
    if (!checked)
        return refuse(SecurityEvent::receipt_refused, tl::make_unexpected(checked.error()));
    Receipt receipt = *std::move(checked);
    if (memory_) TRIBUTARY_TRY(refuse(SecurityEvent::hub_history, memory_->on_receipt(receipt)));
    TRIBUTARY_TRY(store_.stage_object(RecordKind::receipt, bytes));
    TRIBUTARY_TRY(store_.commit());

    for (const VersionId& version : receipt.whole) refused_.erase(version);
    for (const Receipt::Refused& item : receipt.refused) refused_.insert(VersionId{item.id});
    receipt_ = std::move(receipt);
    leaves_nothing_out_ = false;
    held_ = std::max(held_, receipted());
    return {};
}

}  // namespace tributary::agent
