#include "hub/audit/audit.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/trust/certificate.h"
#include "common/trust/key_change.h"
#include "common/trust/seal.h"
#include "hub/audit/named.h"
#include "hub/audit/receipts.h"

namespace tributary::hub {
namespace {

// What is found while one journal is read from its first entry on.
struct Reading {
    JournalHead head;
    std::string writer;
    StartBody start;
    Bytes key;                                   // in force at the present entry
    std::set<Bytes> keys;                        // all that were, so far
    std::uint64_t next = 1;                      // the number that must come
    EntryHash previous;                          // of the entry before
    std::uint64_t sealed = 0;                    // up to which entry
    bool foreign = false;                        // of the hub: its key was dropped, as was told
    std::multimap<std::uint64_t, Digest> seals;  // names of those that were not met yet, by entry

    std::string at(std::uint64_t sequence) const {
        return (writer.empty() ? "" : writer + ": ") + "entry " + std::to_string(sequence) +
               " of journal " + head.incarnation.text();
    }
};

class Audit {
public:
    Audit(Store& store, std::vector<trust::VerifiedRoot> roots, const AuditProgress& progress)
        : store_(store),
          roots_(std::move(roots)),
          ever_(named_by(roots_)),
          now_(ever_),
          progress_(progress) {}

    Result<AuditReport> run() {
        TRIBUTARY_TRY(sort_seals());
        TRIBUTARY_ASSIGN(const std::vector<JournalHead> heads, store_.heads());
        std::vector<Reading> boards;
        std::vector<Reading> own;
        for (const JournalHead& head : heads) {
            total_ += head.sequence;
            Reading reading = begin(head);
            (reading.writer == kHub ? own : boards).push_back(std::move(reading));
        }
        TRIBUTARY_ASSIGN(receipts_, check_receipts(store_, roots_));
        report_.receipts = receipts_.count;
        for (std::string& finding : receipts_.findings) find(std::move(finding));
        report_.of_board = own.empty() && report_.receipts != 0;
        if (own.empty() && !report_.of_board)
            find(
                "no journal here was begun with a key that the root names as a hub's; is it the "
                "root document of this hub?");
        // What the hub said tells whose the others are.
        order(own);
        for (const Reading& reading : own) note_origin(reading, own);
        check_line(own);
        for (Reading& reading : own) read(reading);
        if (!own.empty()) check_end(own.back());
        for (Reading& reading : boards) {
            reading.writer = device_of(reading);
            read(reading);
        }
        for (const auto& [journal, seals] : seals_)
            find("a seal is held over entry " + std::to_string(seals.begin()->first) +
                 " of journal " + journal.text() + ", of which no entry is held");
        return std::move(report_);
    }

private:
    static constexpr std::string_view kHub = "hub";

    void find(std::string what) { report_.findings.push_back(std::move(what)); }

    // Seals stand in the log in no order that helps.
    Status sort_seals() {
        return store_.for_each_name(RecordKind::seal, [this](const Digest& name) -> Status {
            const auto plain = store_.read_plain({RecordKind::seal, name});
            const auto seal =
                plain ? parse_seal(*plain) : Result<Seal>(tl::make_unexpected(plain.error()));
            if (seal)
                seals_[seal->incarnation].emplace(seal->sequence, name);
            else
                find("seal " + name.text() + ": " + seal.error().what);
            return {};
        });
    }

    Reading begin(const JournalHead& head) {
        Reading reading;
        reading.head = head;
        if (const auto found = seals_.find(head.incarnation); found != seals_.end()) {
            reading.seals = std::move(found->second);
            seals_.erase(found);
        }
        const auto note_key = [&reading](ByteView plain) {
            const auto entry = parse_entry(plain);
            const auto body = entry ? parse_body(entry->header.kind, entry->body)
                                    : Result<EntryBody>(tl::make_unexpected(entry.error()));
            if (const auto* start = body ? std::get_if<StartBody>(&*body) : nullptr)
                reading.start = *start;
            return false;
        };
        const Status read = store_.read_entries(head.incarnation, 1, note_key);
        if (!read) find(reading.at(1) + ": " + read.error().what);
        if (read && reading.start.public_key.empty())
            find(reading.at(1) + " does not say with which key the journal begins");
        reading.key = reading.start.public_key;
        reading.keys.insert(reading.key);
        if (holds(ever_.hub_keys, reading.key)) reading.writer = kHub;
        return reading;
    }

    std::string device_of(const Reading& reading) {
        const auto bound = bound_.find(reading.head.incarnation);
        if (bound != bound_.end()) return bound->second.device;
        if (report_.of_board) return receipts_.journals[reading.head.incarnation].device;
        find("journal " + reading.head.incarnation.text() +
             " is of a board that the hub's journal does not name");
        return {};
    }

    void read(Reading& reading) {
        const auto visit = [&](ByteView plain) {
            if (const auto entry = parse_entry(plain))
                take(reading, *entry);
            else
                find(reading.at(reading.next) + ": " + entry.error().what);
            if (progress_) progress_(report_.entries, total_);
            return true;
        };
        const Status whole = store_.read_entries(reading.head.incarnation, 1, visit);
        if (!whole) find(reading.at(reading.next) + ": " + whole.error().what);
        end(reading);
        report_.journals.push_back(
            {reading.head.incarnation, reading.writer, reading.head.sequence, reading.sealed});
    }

    void take(Reading& reading, const EntryView& entry) {
        const EntryHeader& header = entry.header;
        ++report_.entries;
        if (header.sequence != reading.next || header.previous != reading.previous)
            find(reading.at(header.sequence) + " does not follow the one before it");
        if (const auto wanted = continued_.find({header.incarnation, header.sequence});
            wanted != continued_.end() && wanted->second != entry.hash)
            find(reading.at(header.sequence) +
                 " is not the entry that a later journal of the hub goes on from");
        reading.next = header.sequence + 1;
        reading.previous = entry.hash;

        const Bytes key_before = reading.key;
        const auto body = parse_body(header.kind, entry.body);
        if (!body) {
            find(reading.at(header.sequence) + ": " + body.error().what);
        } else {
            if (std::holds_alternative<SecurityEventBody>(*body)) ++report_.security_events;
            if (const auto* change = std::get_if<KeyChangedBody>(&*body))
                change_key(reading, header.sequence, *change);
            if (reading.writer == kHub) take_word(reading, header.sequence, *body);
            if (reading.writer == kHub && !std::holds_alternative<StartBody>(*body))
                check_hub_key(reading, header.sequence);
        }
        // Over the entry of a change either key may have said it.
        const auto [first, last] = reading.seals.equal_range(header.sequence);
        for (auto at = first; at != last; ++at)
            check_seal(reading, entry, at->second, {key_before, reading.key});
        reading.seals.erase(first, last);
    }

    void change_key(Reading& reading, std::uint64_t sequence, const KeyChangedBody& change) {
        const Status signed_by_both = trust::verify_key_change(
            trust::bulk_verifier(), reading.head.incarnation, reading.key, change);
        if (!signed_by_both) return find(reading.at(sequence) + ": " + signed_by_both.error().what);
        reading.key = change.public_key;
        reading.keys.insert(reading.key);
        ++report_.key_changes;
    }

    void check_seal(Reading& reading, const EntryView& entry, const Digest& name,
                    std::initializer_list<Bytes> keys) {
        ++report_.seals;
        const auto plain = store_.read_plain({RecordKind::seal, name});
        const auto seal =
            plain ? parse_seal(*plain) : Result<Seal>(tl::make_unexpected(plain.error()));
        Status holds =
            seal ? trust::seal_covers(*seal, entry) : Status(tl::make_unexpected(seal.error()));
        if (holds) {
            const auto* key = std::ranges::find_if(
                keys, [&](const Bytes& k) { return trust::key_id(k) == seal->key; });
            holds = key == keys.end()
                        ? Status(fail(Errc::denied, "it is by a key that is not this journal's"))
                        : trust::verify_seal(trust::bulk_verifier(), *key, *seal);
        }
        if (holds)
            reading.sealed = entry.header.sequence;
        else
            find(reading.at(entry.header.sequence) +
                 ": its seal does not hold: " + holds.error().what);
    }

    // What the hub says is believed as far as others have signed it.
    void take_word(const Reading& reading, std::uint64_t sequence, const EntryBody& body) {
        const auto judged = [&](const Status& holds) {
            if (!holds) find(reading.at(sequence) + ": " + holds.error().what);
            return holds.has_value();
        };
        if (const auto* followed = std::get_if<RootFollowedBody>(&body)) {
            follow(reading, sequence, *followed);
        } else if (const auto* bound = std::get_if<DeviceBoundBody>(&body)) {
            bound_[bound->incarnation] = {bound->device, bound->public_key};
        } else if (const auto* approved = std::get_if<ApprovedBody>(&body)) {
            if (judged(check_approval(*approved))) ++report_.approvals;
        } else if (const auto* assigned = std::get_if<AssignedBody>(&body)) {
            if (judged(check_assignment(*assigned))) ++report_.assignments;
        } else if (const auto* certified = std::get_if<CertifiedBody>(&body)) {
            if (judged(check_certificate(*certified))) ++report_.certificates;
        } else if (const auto* issued = std::get_if<TokenIssuedBody>(&body)) {
            tokens_.insert(issued->token);
        } else if (const auto* revoked = std::get_if<TokenRevokedBody>(&body)) {
            tokens_.erase(revoked->token);
        } else if (const auto* used = std::get_if<TokenUsedBody>(&body)) {
            if (tokens_.erase(used->token) == 0)
                find(reading.at(sequence) + ": board " + used->device +
                     " enrolled with a token that was not valid then");
        }
    }

    Status check_approval(const ApprovedBody& approved) {
        TRIBUTARY_ASSIGN(const Bytes document,
                         store_.read_plain({RecordKind::document, approved.document}));
        TRIBUTARY_ASSIGN(const SignedDocument by,
                         trust::verify_document(trust::bulk_verifier(), now_.approvers,
                                                trust::kApprovalPurpose, document));
        TRIBUTARY_ASSIGN(const Approval approval, parse_approval(by.payload));
        if (approval.version != approved.version || approval.repo != approved.repo)
            return fail(Errc::denied, "the approval is of another version");
        approvers_of_[approved.version].insert(by.key);
        return {};
    }

    Status check_assignment(const AssignedBody& assigned) {
        TRIBUTARY_ASSIGN(const Bytes document,
                         store_.read_plain({RecordKind::document, assigned.document}));
        TRIBUTARY_ASSIGN(const SignedDocument by,
                         trust::verify_document(trust::bulk_verifier(), now_.hub_keys,
                                                trust::kAssignmentPurpose, document));
        TRIBUTARY_ASSIGN(const Assignment assignment, parse_assignment(by.payload));
        if (assignment.device != assigned.device || assignment.version != assigned.version ||
            assignment.number != assigned.number)
            return fail(Errc::denied, "the assignment says something else than the entry");
        const std::set<Digest>& all = approvers_of_[assigned.version];
        const auto counted = std::ranges::count_if(
            now_.approvers, [&](const Bytes& key) { return all.contains(trust::key_id(key)); });
        if (static_cast<std::uint64_t>(counted) < now_.approvals_needed)
            return fail(Errc::denied, "board " + assigned.device + " was told to run version " +
                                          assigned.version.text() +
                                          ", which too few people had approved");
        return {};
    }

    Status check_certificate(const CertifiedBody& certified) {
        TRIBUTARY_ASSIGN(const trust::Certificate certificate,
                         trust::verify_certificate(certified.certificate, now_.authorities,
                                                   trust::CertificateUse::client));
        if (certificate.subject != certified.device ||
            trust::key_id(certificate.public_key) != certified.key)
            return fail(Errc::denied, "the certificate is not of board " + certified.device +
                                          " and the key that the entry names");
        return {};
    }

    void end(Reading& reading) {
        const JournalHead& head = reading.head;
        for (const auto& [sequence, name] : reading.seals)
            find("a seal is held over entry " + std::to_string(sequence) + " of journal " +
                 head.incarnation.text() + ", which ends with entry " +
                 std::to_string(head.sequence) + ": entries were taken away");
        if (report_
                .of_board)  // what its hub has is as good as sealed, and the rest is its own word
            reading.sealed = receipts_.journals[head.incarnation].sequence;
        else if (reading.sealed < head.sequence)
            find(reading.at(reading.sealed + 1) + " and all up to entry " +
                 std::to_string(head.sequence) + " are under no seal");
        const auto bound = bound_.find(head.incarnation);
        if (bound != bound_.end() && !reading.keys.contains(bound->second.key))
            find("journal " + head.incarnation.text() + ": the hub bound another key to " +
                 bound->second.device + " than any that the journal is sealed with");
    }

    // A journal of the hub says, under its seals, how far the one before it had come.
    void note_origin(const Reading& reading, const std::vector<Reading>& own) {
        const StartBody& start = reading.start;
        if (start.continues.is_none()) return;
        continued_[{start.continues, start.continues_sequence}] = start.continues_hash;
        const auto before = std::ranges::find(
            own, start.continues, [](const Reading& other) { return other.head.incarnation; });
        if (before == own.end() || before->head.sequence < start.continues_sequence)
            find("journal " + reading.head.incarnation.text() + " goes on from entry " +
                 std::to_string(start.continues_sequence) + " of journal " +
                 start.continues.text() + ", which is not held: entries were taken away");
    }

    // A hub writes one journal after another, and in none any more that it went on from.
    void check_line(const std::vector<Reading>& own) {
        for (std::size_t i = 1; i < own.size(); ++i) {
            const Reading& before = own[i - 1];
            const StartBody& start = own[i].start;
            if (start.continues != before.head.incarnation)
                find("journals " + before.head.incarnation.text() + " and " +
                     own[i].head.incarnation.text() +
                     " of the hub stand beside each other: a hub writes one after the other");
            else if (before.head.sequence > start.continues_sequence)
                find(before.at(start.continues_sequence + 1) +
                     " and all after it were written when the hub had left that journal");
        }
    }

    // ---- root documents ----

    void follow(const Reading& reading, std::uint64_t sequence, const RootFollowedBody& followed) {
        const std::string says =
            reading.at(sequence) + " takes up root document " + std::to_string(followed.version);
        if (followed.version <= followed_)
            return find(says + " after " + std::to_string(followed_));
        followed_ = followed.version;
        const std::uint64_t first = roots_.front().root.version;
        if (followed.version < first) return;  // of before the one that is trusted
        const std::uint64_t index = followed.version - first;
        if (index >= roots_.size()) return find(says + ", which was not handed in (--root)");
        const trust::VerifiedRoot& root = roots_[static_cast<std::size_t>(index)];
        if (root.digest != followed.root) find(says + ", but another one than was handed in");
        now_ = named_by(std::span(&root, 1));
    }

    // Once a journal.
    void check_hub_key(Reading& reading, std::uint64_t sequence) {
        if (reading.foreign || holds(now_.hub_keys, reading.key)) return;
        reading.foreign = true;
        find(reading.at(sequence) + " is by a key that root document " + std::to_string(followed_) +
             ", which held by then, does not name for the hub");
    }

    void check_end(Reading& last) {
        // Of a journal that was only begun nothing was judged yet.
        if (last.head.sequence == 1) check_hub_key(last, 1);
        const std::uint64_t newest = roots_.back().root.version;
        if (followed_ >= newest || roots_.size() == 1) return;
        find("the hub's history never takes up root document " + std::to_string(newest) +
             ": whom that one drops counts in all of it. Was it published just now? Then start the "
             "hub once");
    }

    // Each journal of the hub after the one that it continues.
    static void order(std::vector<Reading>& own) {
        for (std::size_t done = 0; done < own.size(); ++done) {
            const auto first = own.begin() + static_cast<std::ptrdiff_t>(done);
            const auto is_next = [&](const Reading& reading) {
                return std::none_of(first, own.end(), [&](const Reading& other) {
                    return other.head.incarnation == reading.start.continues;
                });
            };
            const auto next = std::find_if(first, own.end(), is_next);
            if (next == own.end()) return;  // they name each other; what each says is judged alike
            std::iter_swap(first, next);
        }
    }

    struct Bound {
        std::string device;
        Bytes key;
    };

    Store& store_;
    const std::vector<trust::VerifiedRoot> roots_;
    const Named ever_;            // by any of them
    Named now_;                   // by the one that holds at the entry at hand
    std::uint64_t followed_ = 0;  // its version; 0: none was taken up yet
    const AuditProgress& progress_;
    AuditReport report_;
    std::uint64_t total_ = 0;  // entries
    std::map<Incarnation, std::multimap<std::uint64_t, Digest>>
        seals_;  // of no journal read so far
    std::map<std::pair<Incarnation, std::uint64_t>, EntryHash> continued_;
    std::map<Incarnation, Bound> bound_;
    std::set<Digest> tokens_;  // that may be used
    std::map<VersionId, std::set<Digest>> approvers_of_;
    CheckedReceipts receipts_;
};

}  // namespace

Result<AuditReport> audit(Store& store, std::span<const Bytes> roots,
                          const AuditProgress& progress) {
    TRIBUTARY_ASSIGN(std::vector<trust::VerifiedRoot> verified, verify_roots(roots));
    return Audit(store, std::move(verified), progress).run();
}

}  // namespace tributary::hub
