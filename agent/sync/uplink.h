// What the hub has not receipted of this board's journal: as plans, pages and frames for the
// Sender; and what a receipt changes.
//
// A plan is a run of entries after what the hub holds. Its pages hold the closure of the versions
// that those entries commit, each object after what it needs; the last page brings the entries and
// a seal over the last of them. A page is found again by walking from where it began, so that the
// RAM does not grow with the plan. Used on the worker, one call at a time; each call is short.
//
// What the parents of a version need is left out, for the hub has it. The hub may count less as
// this board's, and then misses something in the end and asks for page 0 again: from then until a
// receipt comes nothing is left out.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "agent/sync/hub_memory.h"
#include "agent/sync/pins.h"
#include "agent/sync/security_log.h"
#include "common/codec/codec.h"
#include "common/record/document.h"
#include "common/store/store.h"
#include "common/sync/events.h"
#include "common/trust/trust.h"

namespace tributary::agent {

// The newest receipt in the log about this journal; none when there is none yet.
Result<std::optional<Receipt>> last_receipt(Store& store, const Incarnation& journal);

inline constexpr std::uint64_t kPlanOfAnyBytes = std::numeric_limits<std::uint64_t>::max();

class Uplink {
public:
    // All outlive it; `memory` may be null.
    Uplink(Store& store, trust::Signer& signer, trust::Verifier& verifier, Pins pins,
           HubMemory* memory = nullptr)
        : store_(store),
          signer_(&signer),
          verifier_(verifier),
          pins_(std::move(pins)),
          memory_(memory) {}

    // Told of what is refused here.
    void when_refused(OnRefused refused) {
        if (memory_) memory_->when_alarmed(refused);
        refused_told_ = std::move(refused);
    }
    // Whose word counts from now on.
    void set_pins(Pins pins) { pins_ = std::move(pins); }
    // From entry `from` of the journal on it is sealed by `signer`, before it by `former`: the key
    // was changed by that entry. Both outlive it. The plan under way is to be made anew.
    void set_signer(trust::Signer& signer, trust::Signer* former, std::uint64_t from) {
        signer_ = &signer;
        former_signer_ = former;
        signs_from_ = from;
    }

    // Reads the last receipt back from the log. Once, first.
    Status load();
    // Versions that the hub has receipted as not whole: their objects are offered again with their
    // children. Kept by the owner over restarts.
    void set_refused(std::vector<VersionId> versions);
    const std::unordered_set<VersionId>& refused() const { return refused_; }

    // `ours`: as in sync::Describe. When it answers the hub's Hello, it is signed.
    Result<sync::Hello> describe(std::uint64_t nonce, sync::Hello ours);
    // denied unless the pinned hub said this, in answer to that nonce: nobody else is told more of
    // the journal than how long it is.
    Status check_hello(std::uint64_t nonce, const sync::Hello& hello);
    // How far the hub holds our journal, as its Hello says. conflict when that is not our history.
    // Then nothing is offered until a Hello fits again. `first`: of a session.
    Status on_hub_hello(const sync::Hello& hello, bool first);

    // Answers to the Sender. True when there is something to offer, or a receipt to be asked for.
    // Without content: only entries that stand before the first that brings some. Once its records
    // have `bytes`, no further version joins a plan: each plan ends with a receipt, and a board
    // that dies, or a link that stays down, shall not take with it what had long arrived.
    Result<bool> make_plan(bool content = true, std::uint64_t bytes = kPlanOfAnyBytes);
    // Behind the last receipt, a plan without content offers entries up to this one.
    std::uint64_t bare_through() const {
        return receipted() + (versions_.empty() ? entries_.size() : 0);
    }
    // The same page again is the same, but for the first time as a `whole`: from then on nothing is
    // left out that the plan's versions need.
    Result<sync::Page> read_page(std::uint32_t number, bool whole = false);
    // Stored, of the plan's objects before that page, which was read.
    std::uint64_t bytes_before(std::uint32_t number) const { return page_begins_[number].bytes; }
    Result<Bytes> read_object(const RecordKey& key, bool may_use_base);
    // Durable when it answers success. denied when the receipt is not the pinned hub's, or about
    // another journal; conflict when it names an entry that is not ours.
    Status log_receipt(ByteView receipt);

    const std::optional<Receipt>& receipt() const { return receipt_; }
    // How large a page may be; as large as fits a message unless it is said.
    void set_page_bytes(std::size_t bytes) { page_bytes_ = bytes; }
    // How far the hub has promised to keep our journal, in its present epoch.
    std::uint64_t receipted() const;
    // The store has begun a new journal, of which the hub knows nothing. Nothing is offered before
    // the next Hello.
    void on_new_journal();

private:
    // Where a page begins: at which object of which version's closure.
    struct Cursor {
        std::size_t version = 0;
        std::size_t object = 0;
        std::uint64_t bytes = 0;  // stored, of the objects before
    };
    // Where a plan may end: before the entry that brings the next version.
    struct End {
        std::size_t versions = 0;
        std::size_t entries = 0;
    };

    Status check_proof(std::uint64_t nonce, const sync::Hello& hello);
    Result<Receipt> check_receipt(ByteView bytes);
    Status refuse(SecurityEvent event, Status status) const;
    Result<EntryHash> hash_at(std::uint64_t sequence);
    Result<std::vector<Bytes>> key_changes();
    Status read_key_changes(std::uint64_t until);
    bool by_hub_of_now();
    void add_version(const VersionId& version);
    void keep_together(const VersionId& version);
    void end_plan(std::size_t versions);
    std::optional<VersionId> refused_behind(const VersionId& version);
    void begin_pages();
    Status fill(sync::Page& page, sync::PageBudget& budget, Cursor& at);
    Result<bool> add_closure(sync::Page& page, sync::PageBudget& budget, Cursor& at);
    bool goes_as_it_is(const RecordHeader& header) const;
    Result<std::vector<VersionId>> covered_by(const VersionId& version, std::size_t index);
    Status close_page(sync::Page& page, sync::PageBudget& budget);

    Store& store_;
    trust::Signer* signer_;
    trust::Signer* former_signer_ = nullptr;  // of the entries before signs_from_
    std::uint64_t signs_from_ = 0;
    trust::Verifier& verifier_;
    Pins pins_;
    HubMemory* memory_;
    OnRefused refused_told_;
    std::deque<Digest> proofs_;  // that were good, the newest last

    std::optional<Receipt> receipt_;
    std::unordered_set<VersionId> refused_;
    std::uint64_t hub_epoch_ = 0;  // as its last Hello said; 0: none yet
    Incarnation hub_journal_;      // likewise
    std::uint64_t held_ = 0;       // entries of our journal that the hub holds
    bool split_ = false;           // the hub holds another history of it
    std::uint64_t hub_features_ = 0;
    // Changes of key among the entries after told_from_, up to told_until_, each with its entry.
    std::vector<std::pair<std::uint64_t, Bytes>> told_changes_;
    std::uint64_t told_from_ = 0;
    std::uint64_t told_until_ = 0;

    // The plan.
    std::size_t page_bytes_ = limits::kOfferBytesMax;
    std::vector<Bytes> entries_;
    std::vector<VersionId> versions_;
    std::vector<End> ends_;
    std::uint64_t plan_bytes_ = kPlanOfAnyBytes;
    std::vector<Cursor> page_begins_;  // of each page whose beginning is known
    bool leaves_nothing_out_ = false;  // until the next receipt
};

}  // namespace tributary::agent
