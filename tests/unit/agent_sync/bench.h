// A board and a hub in one thread: real stores on simulated disks, the agent's HubLink at one end,
// a plain Conversation over a store at the other, a wire that can be cut between them.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <utility>

#include "agent/sync/backlog.h"
#include "agent/sync/hub_link.h"
#include "agent/sync/kept_beginning.h"
#include "agent/sync/loop_store_queue.h"
#include "common/store/closure.h"
#include "common/trust/hello.h"
#include "common/trust/seal.h"
#include "tests/support/fake_trust.h"
#include "tests/support/manual_loop.h"
#include "tests/support/must.h"
#include "tests/support/store_builder.h"

namespace tributary::test {

// What a hub does for one device, without registry, refs and merges.
class FakeHub {
public:
    FakeHub(Loop& loop, Bytes device_key, std::function<void(Bytes)> publish)
        : loop_(loop), device_key_(std::move(device_key)), publish_(std::move(publish)) {
        store = must(machine.open());
        must(store->start_journal(start_body()));
        must(store->commit());
        restart();
    }
    // Forgets all sessions; `epoch` may be set anew before.
    void restart() {
        conversation_ = std::make_unique<sync::Conversation>(sync::Role::hub,
                                                             sync::ConversationOptions{}, ++boots_);
    }
    agent::Pins pins() {
        return {"board", store->head().incarnation, "hub", {signer.public_key()}, {}, 1};
    }

    void step(sync::Event event) {
        std::deque<sync::Event> events;
        events.push_back(std::move(event));
        while (!events.empty()) {
            auto actions = conversation_->step(loop_.now(), std::move(events.front()));
            events.pop_front();
            for (sync::Action& action : actions)
                if (auto answer = carry_out(action)) events.push_back(*std::move(answer));
        }
        timer_.reset();
        if (const auto deadline = conversation_->next_deadline())
            timer_ = loop_.at(*deadline, [this] { step(sync::Tick{}); });
    }

    bool holds(const VersionId& id) { return must(first_missing(*store, id, {})) == std::nullopt; }

    StoreMachine machine{77};
    trust::FakeSigner signer{"hub"};
    trust::FakeSigner receipt_signer{"hub"};  // the same, unless a test says otherwise
    std::unique_ptr<Store> store;
    std::uint64_t epoch = 1;
    std::uint64_t entries_of_another = 0;  // of whoever goes on in the same journal
    Incarnation device_journal;
    std::vector<RecordKey> received;                // objects that came over the wire
    std::vector<std::uint64_t> entries_taken;       // of each commit
    std::optional<VersionId> push;                  // what the device is to get
    std::function<void(sync::Hello&)> twist_hello;  // of each Hello, when it is signed
    Status has_room;                                // for content

private:
    std::optional<sync::Event> carry_out(sync::Action& action) {
        if (auto* publish = std::get_if<sync::Publish>(&action)) {
            publish_(std::move(publish->payload));
        } else if (auto* describe = std::get_if<sync::Describe>(&action)) {
            sync::Hello hello;
            hello.epoch = epoch;
            if (describe->peer) device_journal = describe->peer->head.incarnation;
            const JournalHead held = held_of();
            hello.journals = {{device_journal, held.sequence + entries_of_another, held.hash}};
            hello.boot = describe->boot;
            hello.proof = must(signer.sign(trust::kHelloPurpose,
                                           trust::hello_digest(describe->nonce, "board", hello)));
            if (twist_hello) twist_hello(hello);
            return sync::Described{describe->ticket, hello};
        } else if (auto* check = std::get_if<sync::Check>(&action)) {
            std::vector<sync::Held> held;
            for (const auto& object : check->objects) {
                bool bases = true;
                for (const Digest& base : object.bases)
                    bases = bases && store->has({object.key.kind, base});
                held.push_back({store->has(object.key), bases});
            }
            return sync::Checked{check->ticket, held, has_room};
        } else if (auto* object = std::get_if<sync::Store>(&action)) {
            received.push_back(object->key);
            return sync::Stored{object->ticket, store->stage_record(object->frame)};
        } else if (auto* commit = std::get_if<sync::Commit>(&action)) {
            return sync::Committed{commit->ticket, take(*commit)};
        } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
            return sync::Planned{plan->ticket, push.has_value()};
        } else if (auto* page = std::get_if<sync::ReadPage>(&action)) {
            return sync::PageRead{page->ticket, push_page()};
        } else if (auto* wanted = std::get_if<sync::ReadObject>(&action)) {
            return sync::ObjectRead{wanted->ticket, store->read_record(wanted->key)};
        } else if (auto* receipt = std::get_if<sync::LogReceipt>(&action)) {
            push.reset();
            return sync::ReceiptLogged{receipt->ticket, {}};
        }
        return std::nullopt;
    }

    Result<sync::Page> push_page() {
        sync::Page page;
        TRIBUTARY_TRY(closure_of(*store, *push, {}, [&](const RecordKey& key) -> Status {
            TRIBUTARY_ASSIGN(const RecordHeader header, store->read_header(key));
            page.objects.push_back({key,
                                    header.plain_length,
                                    header.stored_length,
                                    {header.bases().begin(), header.bases().end()}});
            return {};
        }));
        page.last = true;
        page.version = *push;
        return page;
    }

    JournalHead held_of() {
        for (const JournalHead& head : must(store->heads()))
            if (head.incarnation == device_journal) return head;
        return {};
    }

    Result<sync::CommitResult> take(const sync::Commit& commit) {
        std::vector<VersionId> whole;
        if (!commit.entries.empty()) {
            TRIBUTARY_ASSIGN(const Seal seal, parse_seal(commit.seal));
            TRIBUTARY_TRY(trust::verify_seal(verifier_, device_key_, seal));
            TRIBUTARY_ASSIGN(const EntryView last, parse_entry(commit.entries.back()));
            TRIBUTARY_TRY(trust::seal_covers(seal, last));
        }
        for (const Bytes& plain : commit.entries) {
            TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
            TRIBUTARY_ASSIGN(const EntryBody body, parse_body(entry.header.kind, entry.body));
            if (const auto* said = std::get_if<CommitBody>(&body)) {
                TRIBUTARY_ASSIGN(const auto missing, first_missing(*store, said->version, whole));
                if (missing) return fail(Errc::not_found, "an object is missing");
                whole.push_back(said->version);
            }
            if (entry.header.sequence > held_of().sequence)
                TRIBUTARY_TRY(store->stage_foreign_entry(plain));
        }
        TRIBUTARY_TRY(store->commit());
        entries_taken.push_back(commit.entries.size());
        const JournalHead held = held_of();
        Receipt receipt;
        receipt.device = "board";
        receipt.incarnation = device_journal;
        receipt.sequence = held.sequence;
        receipt.head = held.hash;
        receipt.whole = whole;
        receipt.hub = store->head().incarnation;
        receipt.hub_sequence = store->head().sequence;
        receipt.hub_head = store->head().hash;
        receipt.epoch = epoch;
        TRIBUTARY_ASSIGN(const Bytes payload, encode_receipt(receipt));
        TRIBUTARY_ASSIGN(Bytes document,
                         trust::sign_document(receipt_signer, trust::kReceiptPurpose, payload));
        return sync::CommitResult{std::move(document), {}};
    }

    Loop& loop_;
    Bytes device_key_;
    std::function<void(Bytes)> publish_;
    trust::FakeVerifier verifier_;
    std::unique_ptr<sync::Conversation> conversation_;
    std::unique_ptr<Timer> timer_;
    std::uint64_t boots_ = 100;
};

struct Bench {
    Bench()
        : hub(loop, signer.public_key(),
              [this](Bytes payload) { deliver(false, std::move(payload)); }) {
        store = must(machine.open());
        must(store->start_journal(start_body()));
        must(store->commit());
        pins = hub.pins();
        boot();
    }
    // The board's daemon starts, with nothing but its store.
    void boot() {
        link.reset();
        budget.reset();
        loop.run_until([&] { return loop.idle(); });  // what the old one had begun
        uplink = std::make_unique<agent::Uplink>(*store, signer, verifier, pins);
        must(uplink->load());
        if (!queue) queue = std::make_unique<agent::LoopStoreQueue>(loop, *store);
        agent::HubLink::Events events;
        events.publish = [this](Bytes payload, Priority) { deliver(true, std::move(payload)); };
        events.receipted = [this](const Receipt& receipt) { receipts.push_back(receipt); };
        events.unknown_to_hub = [this] { ++unknown; };
        events.split = [this](const Error& why) { splits.push_back(why); };
        events.expects_push = [this] { return expected.has_value(); };
        events.admits = [this](const VersionId& id) { return id == expected; };
        events.version_whole = [this](const VersionId& id) { whole.push_back(id); };
        events.push_offered = [this](const agent::PushSize& size) { offered.push_back(size); };
        events.push_stored = [this] { ++push_stored; };
        events.keep = [this](Store& to, const sync::Beginning& beginning) {
            ++times_kept;
            (void)kept.keep(to, beginning);  // in vain without power
        };
        events.kept = [this] { return kept.read(); };
        events.deciding = [this] { return deciding; };
        events.closed = [this] { ++closed; };
        security = std::make_unique<agent::SecurityLog>(loop, *queue, clock, [this] {
            if (link) link->wake();
        });
        security->start();
        uplink->when_refused(security->listener());
        events.refused = security->listener();
        budget = std::make_unique<agent::LinkBudget>(machine.files, clock, "/link", policy,
                                                     [](const auto& task) { task(); });
        link = std::make_unique<agent::HubLink>(loop, *queue, *uplink, *budget, ++boots,
                                                std::move(events));
    }
    // Nothing is left but what was synced. Then the board's daemon starts.
    void cut_power(std::uint64_t seed) {
        machine.files.crash(seed);
        link.reset();
        loop.run_until([&] { return loop.idle(); });  // what was begun, in vain
        security.reset();
        uplink.reset();
        queue.reset();
        store.reset();
        machine.files.restart();
        store = must(machine.open());
        boot();
    }
    // Payloads go round by the loop, as from a broker; on a cut wire they vanish.
    void deliver(bool up, Bytes payload) {
        if (cut) return;
        bytes[up ? 0 : 1] += payload.size();
        largest = std::max(largest, payload.size());
        if (drop_next > 0 && --drop_next == 0) return;
        loop.post([this, up, payload = std::move(payload)]() mutable {
            if (cut) return;
            if (up)
                hub.step(sync::PayloadArrived{std::move(payload)});
            else if (link)
                link->on_payload(std::move(payload));
        });
    }
    VersionId commit(ByteView plain, ByteView before = {}, std::vector<VersionId> parents = {}) {
        const auto id = must(commit_version(*store, "lab/model", "main",
                                            {must(stage_file(*store, "w.bin", plain, before))},
                                            std::move(parents), "x"));
        link->wake();
        return id;
    }
    // Of what no receipt covers.
    std::uint64_t bytes_left() {
        const std::size_t all = std::numeric_limits<std::size_t>::max();
        const std::uint64_t pending = backlog.size(*store, uplink->receipted(), all).bytes;
        const bool came = uplink->receipted() != link->receipted();
        return pending - (came ? 0 : std::min(pending, link->bytes_passed()));
    }
    bool synced() {
        return !receipts.empty() && receipts.back().sequence == store->head().sequence;
    }

    ManualLoop loop;
    trust::FakeSigner signer{"board"};
    trust::FakeVerifier verifier;
    StoreMachine machine{1};
    std::unique_ptr<Store> store;
    FakeHub hub;
    agent::Pins pins;
    std::unique_ptr<agent::Uplink> uplink;
    agent::Backlog backlog;
    std::unique_ptr<agent::LoopStoreQueue> queue;
    LoopClock clock{loop};
    agent::LinkPolicy policy;  // from the next boot() on
    std::unique_ptr<agent::LinkBudget> budget;
    std::unique_ptr<agent::SecurityLog> security;
    std::unique_ptr<agent::HubLink> link;
    std::vector<Receipt> receipts;
    std::vector<VersionId> whole;
    std::optional<VersionId> expected;
    std::vector<Error> splits;
    std::vector<agent::PushSize> offered;
    std::size_t push_stored = 0;  // objects
    int times_kept = 0;
    agent::KeptBeginning kept{machine.files, "/data/beginning"};
    bool deciding = false;
    std::size_t closed = 0;  // sessions
    int unknown = 0;
    bool cut = false;
    int drop_next = 0;  // the n-th payload from now on is lost
    std::uint64_t bytes[2] = {0, 0};
    std::size_t largest = 0;  // of the payloads of both
    std::uint64_t boots = 0;
};

}  // namespace tributary::test
