#include "hub/intake/device_link.h"

#include <deque>

#include "common/record/document.h"
#include "common/store/closure.h"
#include "common/text/log.h"
#include "common/trust/seal.h"

namespace tributary::hub {
namespace {

// A push refused because its assignment had not arrived: soon again, for the assignment is
// repeated.
sync::ConversationOptions link_options() {
    sync::ConversationOptions options;
    options.sender.refused_retry_ms = 30'000;
    return options;
}

// After so many tries the version is receipted as refused instead of being asked for again.
constexpr std::uint32_t kIncompleteMax = 2;

}  // namespace

DeviceLink::DeviceLink(std::string device, Ledger& ledger, Clock& clock, std::uint64_t seed,
                       Events events)
    : device_(std::move(device)),
      ledger_(ledger),
      clock_(clock),
      events_(std::move(events)),
      conversation_(sync::Role::hub, link_options(), seed),
      push_(ledger) {}

void DeviceLink::on_payload(MonoTime now, Bytes payload) {
    status_.connected = true;
    status_.last_message = clock_.wall();
    status_.received_bytes += payload.size();
    run(now, sync::PayloadArrived{std::move(payload)});
}

void DeviceLink::on_tick(MonoTime now) { run(now, sync::Tick{}); }

void DeviceLink::on_gone() { status_.connected = false; }

void DeviceLink::on_assigned(MonoTime now) {
    push_.reset();
    const Device* device = ledger_.catalog().device(device_);
    if (!device) return;
    for (const auto& [model, state] : device->models) {
        if (state.state != "assigned") continue;
        auto documents = documents_of(state);
        if (documents)
            run(now, sync::SendAssign{*std::move(documents)});
        else
            log_failure(LogLevel::error, "an assignment cannot be read", documents.error());
    }
    run(now, sync::Wake{});
}

Result<sync::Assign> DeviceLink::documents_of(const InstallState& state) {
    Store& store = ledger_.store();
    sync::Assign documents;
    TRIBUTARY_ASSIGN(documents.assignment,
                     store.read_plain({RecordKind::document, state.document}));
    TRIBUTARY_ASSIGN(const SignedDocument outer, parse_signed_document(documents.assignment));
    TRIBUTARY_ASSIGN(const Assignment assignment, parse_assignment(outer.payload));
    TRIBUTARY_ASSIGN(documents.approval,
                     store.read_plain({RecordKind::document, assignment.approval}));
    return documents;
}

void DeviceLink::run(MonoTime now, sync::Event event) {
    std::deque<sync::Event> events;
    events.push_back(std::move(event));
    while (!events.empty()) {
        sync::Actions actions = conversation_.step(now, std::move(events.front()));
        events.pop_front();
        for (sync::Action& action : actions)
            if (auto answer = carry_out(now, action)) events.push_back(*std::move(answer));
    }
}

std::optional<sync::Event> DeviceLink::carry_out(MonoTime now, sync::Action& action) {
    Store& store = ledger_.store();
    if (auto* publish = std::get_if<sync::Publish>(&action)) {
        status_.sent_bytes += publish->payload.size();
        events_.publish(device_, std::move(publish->payload));
    } else if (auto* describe_it = std::get_if<sync::Describe>(&action)) {
        return sync::Described{describe_it->ticket, describe(describe_it->peer)};
    } else if (auto* hello = std::get_if<sync::PeerHello>(&action)) {
        peer_ = hello->hello.head.incarnation;
        if (hello->first) on_assigned(now);
    } else if (auto* check_it = std::get_if<sync::Check>(&action)) {
        return sync::Checked{check_it->ticket, check(check_it->objects)};
    } else if (auto* store_it = std::get_if<sync::Store>(&action)) {
        return sync::Stored{store_it->ticket, store.stage_record(store_it->frame)};
    } else if (auto* commit_it = std::get_if<sync::Commit>(&action)) {
        return sync::Committed{commit_it->ticket, commit(*commit_it)};
    } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
        const Result<bool> something = push_.prepare(device_);
        if (!something)
            log_failure(LogLevel::error, "a push cannot be prepared", something.error());
        return sync::Planned{plan->ticket, something.value_or(false)};
    } else if (auto* page = std::get_if<sync::ReadPage>(&action)) {
        return sync::PageRead{page->ticket, push_.page(page->page)};
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        return sync::ObjectRead{object->ticket, push_.frame(object->key, object->may_use_base)};
    } else if (auto* receipt = std::get_if<sync::LogReceipt>(&action)) {
        push_.delivered();  // the device's own sealed entry will be the receipt
        return sync::ReceiptLogged{receipt->ticket, {}};
    } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        ++status_.refused;
        status_.last_trouble = trouble->error.what;
        log_warn("sync trouble", {{"device", device_}, {"error", trouble->error.what}});
    }
    return std::nullopt;
}

sync::Hello DeviceLink::describe(const std::optional<sync::Hello>& peer) const {
    sync::Hello hello;
    const JournalHead own = ledger_.store().head();
    hello.head = {own.incarnation, own.sequence, own.hash};
    hello.epoch = ledger_.epoch();
    hello.software = "tributary-hub " TRIBUTARY_VERSION;
    if (peer) {
        for (const sync::JournalPoint& journal : peer->journals) {
            if (ledger_.catalog().device_of(journal.incarnation) != device_) continue;
            const JournalHead held = held_of(journal.incarnation);
            hello.journals.push_back({journal.incarnation, held.sequence, held.hash});
        }
    }
    return hello;
}

JournalHead DeviceLink::held_of(const Incarnation& incarnation) const {
    if (const auto heads = ledger_.store().heads())
        for (const JournalHead& head : *heads)
            if (head.incarnation == incarnation) return head;
    JournalHead none;
    none.incarnation = incarnation;
    return none;
}

std::vector<sync::Held> DeviceLink::check(const std::vector<sync::OfferedObject>& objects) {
    std::vector<sync::Held> held;
    held.reserve(objects.size());
    for (const sync::OfferedObject& object : objects) {
        bool bases = true;
        for (const Digest& base : object.bases)
            bases = bases && ledger_.store().has({object.key.kind, base});
        held.push_back({ledger_.store().has(object.key), bases});
    }
    return held;
}

Result<sync::CommitResult> DeviceLink::commit(const sync::Commit& commit) {
    Incarnation incarnation = peer_;
    TRIBUTARY_ASSIGN(const std::vector<Bytes> entries, new_entries(commit.entries, incarnation));
    if (!commit.entries.empty()) {
        TRIBUTARY_ASSIGN(const EntryView last, parse_entry(commit.entries.back()));
        const Bytes* key = ledger_.catalog().key_of(incarnation);
        TRIBUTARY_CHECK(key != nullptr);  // new_entries() saw whose journal it is
        TRIBUTARY_ASSIGN(const Seal seal, parse_seal(commit.seal));
        TRIBUTARY_TRY(trust::seal_covers(seal, last));
        TRIBUTARY_TRY(trust::verify_seal(trust::system_verifier(), *key, seal));
        TRIBUTARY_TRY(ledger_.store().stage_object(RecordKind::seal, commit.seal));
    }

    std::vector<VersionId> whole;
    std::set<std::string> repos;
    TRIBUTARY_ASSIGN(const std::vector<sync::RefusedItem> refused,
                     check_versions(entries, whole, repos));
    TRIBUTARY_TRY(ledger_.accept(entries));
    TRIBUTARY_ASSIGN(Bytes receipt, receipt_for(incarnation, whole, refused));
    if (!entries.empty()) {
        log_info("journal received",
                 {{"device", device_}, {"entries", entries.size()}, {"versions", whole.size()}});
        events_.advanced(device_, repos);
    }
    return sync::CommitResult{std::move(receipt), refused};
}

// Those that are not held yet, in order; checks that they are this device's and continue what is
// held.
Result<std::vector<Bytes>> DeviceLink::new_entries(const std::vector<Bytes>& entries,
                                                   Incarnation& incarnation) const {
    std::vector<Bytes> fresh;
    JournalHead held;
    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        if (&plain == &entries.front()) {
            incarnation = entry.header.incarnation;
            if (ledger_.catalog().device_of(incarnation) != device_)
                return fail(Errc::denied, "journal " + incarnation.text() +
                                              " is not known as one of device '" + device_ +
                                              "'; let the agent make its first contact again");
            held = held_of(incarnation);
        }
        if (entry.header.incarnation != incarnation)
            return fail(Errc::invalid, "one offer mixes entries of two journals");
        if (entry.header.sequence > held.sequence) fresh.push_back(plain);
        if (entry.header.sequence == held.sequence && entry.hash != held.hash)
            return fail(
                Errc::conflict,
                "journal " + incarnation.text() + " says two things at number " +
                    std::to_string(held.sequence) +
                    "; its card was cloned or rolled back. Both histories are kept; start a new "
                    "store on that board");
    }
    return fresh;
}

Result<std::vector<sync::RefusedItem>> DeviceLink::check_versions(const std::vector<Bytes>& entries,
                                                                  std::vector<VersionId>& whole,
                                                                  std::set<std::string>& repos) {
    std::vector<sync::RefusedItem> refused;
    for (const Bytes& plain : entries) {
        TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
        const auto body = parse_body(entry.header.kind, entry.body);
        if (!body) {
            refused.push_back({entry.hash.digest, "its body cannot be read: " + body.error().what});
            continue;
        }
        const auto* said = std::get_if<CommitBody>(&*body);
        if (!said) continue;
        if (const auto named = check_repo_name(said->repo); !named) {
            refused.push_back({said->version.digest, named.error().what});
            continue;
        }
        std::vector<VersionId> known = whole;
        if (const auto version = read_version(ledger_.store(), said->version))
            for (const VersionId& parent : version->parents)
                if (ledger_.catalog().version(parent)) known.push_back(parent);
        TRIBUTARY_ASSIGN(const auto missing, first_missing(ledger_.store(), said->version, known));
        if (missing && ++incomplete_ <= kIncompleteMax)
            return fail(Errc::not_found, std::string(name_of(missing->kind)) + " " +
                                             missing->name.text() + " is missing for version " +
                                             said->version.text());
        if (missing) {
            refused.push_back({said->version.digest, std::string(name_of(missing->kind)) + " " +
                                                         missing->name.text() + " did not arrive"});
        } else {
            whole.push_back(said->version);
            repos.insert(said->repo);
        }
    }
    incomplete_ = 0;
    return refused;
}

Result<Bytes> DeviceLink::receipt_for(const Incarnation& incarnation,
                                      const std::vector<VersionId>& whole,
                                      const std::vector<sync::RefusedItem>& refused) {
    const JournalHead held = held_of(incarnation);
    const JournalHead own = ledger_.store().head();
    Receipt receipt;
    receipt.device = device_;
    receipt.incarnation = incarnation;
    receipt.sequence = held.sequence;
    receipt.head = held.hash;
    receipt.whole = whole;
    for (const sync::RefusedItem& item : refused)
        receipt.refused.push_back({item.name, item.reason});
    receipt.hub = own.incarnation;
    receipt.hub_sequence = own.sequence;
    receipt.hub_head = own.hash;
    receipt.epoch = ledger_.epoch();
    TRIBUTARY_ASSIGN(const Bytes payload, encode_receipt(receipt));
    return trust::sign_document(ledger_.signer(), trust::kReceiptPurpose, payload);
}

}  // namespace tributary::hub
