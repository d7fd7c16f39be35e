// What comes from the board: pages that it offers, their records, and the entries that name them.
#include <algorithm>
#include <utility>

#include "common/text/log.h"
#include "common/trust/seal.h"
#include "hub/intake/device_link.h"
#include "hub/intake/offered_entries.h"
#include "hub/intake/room.h"

namespace tributary::hub {
namespace {

// After so many tries the version is receipted as refused instead of being asked for again.
constexpr std::uint32_t kIncompleteMax = 2;

// Records below this are checked sooner than another thread is woken.
constexpr std::size_t kBesideBytesMin = 32 * limits::KiB;

// Versions of a plan of which it is remembered what they lack, and how often it is told.
constexpr std::size_t kLackingMax = 64;
constexpr std::uint64_t kToldLackingEveryMs = 60'000;

// To what was under way when it was revoked or shut out; its session is over.
tl::unexpected<Error> not_heard() { return fail(Errc::denied, "this board is not heard any more"); }

// Whether a record that was not taken is wrong, and not something here: a base that cannot be read.
bool is_wrong_in_itself(ByteView frame, bool bases_read, const Error& error) {
    if (error.code != Errc::corrupt && error.code != Errc::invalid) return false;
    const auto header = parse_record_header(frame);
    return !header || header->base_count == 0 || bases_read;
}

}  // namespace

// Of a journal that has just begun.
void DeviceLink::tell_origin(const Incarnation& incarnation) const {
    const auto origin = ledger_.catalog().origin(ledger_.store(), incarnation);
    if (!origin) return;
    log_warn("a device goes on in a new journal; the one before is kept",
             {{"device", device_},
              {"journal", incarnation.text()},
              {"continues", origin->journal.text()},
              {"of_device", ledger_.catalog().device_of(origin->journal)},
              {"entry", origin->sequence},
              {"forked", origin->forked}});
}

std::optional<sync::Event> DeviceLink::check() {
    std::size_t checks = 0;
    while (checking_->held.size() < checking_->objects.size()) {
        const auto held = is_held(checking_->objects[checking_->held.size()]);
        if (held)
            checking_->held.push_back(*held);
        else
            readable_.look();
        if (!events_.later || (held && ++checks < kRecordsATurn)) continue;
        events_.later([this](MonoTime later) {
            if (auto answer = check()) run(later, *std::move(answer));
        });
        return std::nullopt;
    }
    const Checking checked = *std::exchange(checking_, std::nullopt);
    Status admitted = admits(checked);
    if (!admitted) note(admitted.error());
    return sync::Checked{checked.ticket, checked.held, std::move(admitted)};
}

// Whether what that page brings fits.
Status DeviceLink::admits(const Checking& checked) {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < checked.objects.size(); ++i)
        if (!checked.held[i].object) bytes += checked.objects[i].stored_length;
    if (bytes == 0 && events_.needs_no_room) events_.needs_no_room();
    if (bytes != 0 && events_.admits) TRIBUTARY_TRY(events_.admits(bytes));
    if (const auto refused = std::exchange(refused_for_room_, 0); refused != 0)
        log_info("there is room for what a board brings",
                 {{"device", device_}, {"refused_before", refused}});
    return {};
}

// Nothing is set aside for what was asked for, so several boards may fill the disk between them.
// Half of what is kept free stays for what the hub decides.
Status DeviceLink::keeps_room(std::uint64_t bytes) {
    if (!events_.admits) return {};
    Status room = ledger_.store().admits(bytes + Room::kReserveBytes / 2);
    if (room) return {};
    return as_told(std::move(room).error(), bytes);
}

// Of a disk that was filled meanwhile its board hears the same, and waits like the others.
tl::unexpected<Error> DeviceLink::as_told(Error error, std::uint64_t bytes) {
    if (error.code == Errc::exhausted && events_.admits) {
        if (Status admitted = events_.admits(bytes); !admitted)
            return tl::make_unexpected(std::move(admitted).error());
        error.code = Errc::unavailable;  // something else, which passes
    }
    return tl::unexpected<Error>(std::move(error));
}

// None: not before what it may read was looked through. Nor sooner when nobody has it: how long an
// answer takes would say that.
std::optional<sync::Held> DeviceLink::is_held(const sync::OfferedObject& object) {
    Store& store = ledger_.store();
    bool looks = false;
    const auto held = [&](const RecordKey& key) {
        const bool may = readable_.contains(key);
        looks = looks || (!may && !readable_.has_looked());
        return may && store.has(key);
    };
    sync::Held answer{held(object.key), true};
    for (const Digest& base : object.bases)
        answer.bases = answer.bases && held({object.key.kind, base});
    return looks ? std::nullopt : std::optional(answer);
}

// A large one is checked beside this thread, which receives the next one meanwhile. One that is
// here already is checked like any other: the board has to show that it has it.
std::optional<sync::Event> DeviceLink::take_record(MonoTime now, sync::Store& record) {
    const auto incoming = std::make_shared<Incoming>();
    incoming->ticket = record.ticket;
    incoming->key = record.key;
    incoming->frame = std::move(record.frame);
    if (const Status room = keeps_room(incoming->frame.size()); !room)
        return taken(now, *incoming, tl::make_unexpected(room.error()));
    if (const Status may = check_bases(incoming->frame); !may) return taken(now, *incoming, may);
    auto received = ledger_.store().receive(incoming->frame, IfHeld::check);
    if (!received) return taken(now, *incoming, tl::make_unexpected(std::move(received).error()));
    incoming->record = *std::move(received);
    incoming->bases_read = true;
    const bool takes_long =
        incoming->key.kind == RecordKind::recipe || incoming->frame.size() >= kBesideBytesMin;
    if (!events_.beside || !takes_long) {
        incoming->record.check();
        return take_checked(now, incoming);
    }
    events_.beside([incoming] { incoming->record.check(); },
                   [this, incoming](MonoTime later) {
                       if (auto answer = take_checked(later, incoming))
                           run(later, *std::move(answer));
                   });
    return std::nullopt;
}

// What may be a base of what it sends is what it may read. Another one is as if it were not here:
// whether the record fits it says that it is.
Status DeviceLink::check_bases(ByteView frame) {
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(frame));
    for (const Digest& base : header.bases())
        if (!readable_.contains({header.kind, base}))
            return fail(Errc::not_found,
                        "a base of " + header.name.text() + " is not this board's");
    return {};
}

std::optional<sync::Event> DeviceLink::take_checked(MonoTime now,
                                                    const std::shared_ptr<Incoming>& incoming) {
    if (!standing_.is_heard(now)) return sync::Stored{incoming->ticket, not_heard()};
    const auto go_on = [this, incoming](MonoTime later) {
        if (auto answer = take_checked(later, incoming)) run(later, *std::move(answer));
    };
    if (incoming->key.kind == RecordKind::version &&
        !may_walk(incoming->place, go_on, sync::Stored{incoming->ticket, not_heard()}))
        return std::nullopt;
    while (!look_through(*incoming)) {
        if (!events_.later) continue;
        events_.later(go_on);
        return std::nullopt;
    }
    return taken(now, *incoming, stage(*incoming));
}

// Whether it has a place to walk over a version. Else `then` is called in a turn after it was given
// one, unless the board goes before.
bool DeviceLink::may_walk(Walks::Place& place, std::function<void(MonoTime now)> then,
                          sync::Event if_gone) {
    if (!events_.walks || place) return true;
    place = events_.walks->enter();
    if (place) return true;
    const auto answer = waits_to_walk_.insert(waits_to_walk_.end(), std::move(if_gone));
    events_.walks->wait(device_,
                        [this, to = &place, answer, then = std::move(then)](Walks::Place given) {
                            *to = std::move(given);
                            waits_to_walk_.erase(answer);
                            events_.later(then);
                        });
    return false;
}

// A turn's part of what has to be known before it is staged: what of that the board may read.
bool DeviceLink::look_through(Incoming& incoming) {
    const RecordKind kind = incoming.key.kind;
    if (kind != RecordKind::recipe && kind != RecordKind::version) return true;
    if (!readable_.has_looked()) {
        readable_.look();
        return false;
    }
    if (kind == RecordKind::recipe) return look_through_pieces(incoming);
    if (!incoming.beyond) {
        const auto version = parse_version(incoming.record.plain());
        if (!version) return true;
        incoming.beyond.emplace(readable_, ledger_.store(), *version);
    }
    return incoming.beyond->step(kRecordsATurn);
}

// Whether they are the board's, and only then whether they are here and make up their file.
bool DeviceLink::look_through_pieces(Incoming& incoming) {
    const auto& recipe = incoming.record.recipe();
    if (!recipe) return true;
    for (std::size_t looks = 0; incoming.may_read < recipe->pieces.size(); ++looks) {
        if (looks == kRecordsATurn) return false;
        const RecordKey piece{RecordKind::piece, recipe->pieces[incoming.may_read].id.digest};
        if (!readable_.contains(piece)) return true;
        ++incoming.may_read;
    }
    return ledger_.store().look_at_pieces(incoming.record, kRecordsATurn);
}

Status DeviceLink::stage(Incoming& incoming) {
    if (incoming.key.kind == RecordKind::recipe) return stage_recipe(incoming);
    if (incoming.key.kind == RecordKind::version) return stage_version(incoming);
    TRIBUTARY_TRY(ledger_.store().stage(std::move(incoming.record)));
    readable_.sent(incoming.key, incoming.frame.size());
    return {};
}

// Whether the pieces that it names make up its file is looked at, and said, of pieces that the
// board may read, and of no others: else the answer, or how long it takes, would tell that they are
// here.
Status DeviceLink::stage_recipe(Incoming& incoming) {
    const auto& recipe = incoming.record.recipe();
    const bool can_be_read = recipe.has_value();
    if (can_be_read && incoming.may_read != recipe->pieces.size()) return {};
    TRIBUTARY_TRY(ledger_.store().stage(std::move(incoming.record)));
    if (can_be_read) readable_.sent(incoming.key, incoming.frame.size());
    return {};
}

// Not kept when it names what the board neither sent nor may read: it is judged as one of which
// something is missing, whether that is here or not.
Status DeviceLink::stage_version(Incoming& incoming) {
    if (!incoming.beyond) return ledger_.store().stage(std::move(incoming.record));
    if (const auto& beyond = incoming.beyond->beyond()) {
        note_lacking(VersionId{incoming.key.name}, *beyond);
        return {};
    }
    TRIBUTARY_TRY(ledger_.store().stage(std::move(incoming.record)));
    readable_.sent(incoming.key, incoming.frame.size());
    return {};
}

sync::Event DeviceLink::taken(MonoTime now, const Incoming& incoming, Status staged) {
    if (!staged) staged = as_told(std::move(staged).error(), incoming.frame.size());
    if (!staged) note(staged.error());
    if (!staged && is_wrong_in_itself(incoming.frame, incoming.bases_read, staged.error()))
        suspect(now, SecurityEvent::bad_record, "a record that is not what its name says");
    return sync::Stored{incoming.ticket, std::move(staged), credit_.is_wanted()};
}

Result<SealedOffer> DeviceLink::check_said(const Offered& offered) {
    TRIBUTARY_ASSIGN(SealedOffer said, check_sealed(ledger_, offered.commit));
    if (said.signature) {
        const bool same_key = offered.signature && offered.signature->key == said.signature->key;
        TRIBUTARY_TRY(same_key ? offered.signature->valid : said.signature->run());
    }
    return said;
}

// The signature, which takes the longest by far, is checked beside this thread.
void DeviceLink::commit(MonoTime now, sync::Commit commit) {
    const auto offered = std::make_shared<Offered>(Offered{std::move(commit)});
    const auto said = check_sealed(ledger_, offered->commit);
    if (!said || !said->signature || !events_.beside) return take_offered(now, offered);
    const auto valid = std::make_shared<Status>();
    events_.beside([valid, signature = *said->signature] { *valid = signature.run(); },
                   [this, offered, valid, key = said->signature->key](MonoTime later) {
                       offered->signature = {key, *valid};
                       take_offered(later, offered);
                   });
}

// With all that may have changed while its signature was checked.
void DeviceLink::take_offered(MonoTime now, const std::shared_ptr<Offered>& offered) {
    const sync::Commit& commit = offered->commit;
    if (!is_believed(now, *offered)) return;
    auto fresh = check_entries(commit, offered->committing);
    if (!fresh) {
        // Another board's, perhaps: who plays them back has its seal as well.
        const bool is_over = fresh.error().code == Errc::denied && standing_.stray(now, 1);
        answer_commit(now, commit.ticket, tl::make_unexpected(fresh.error()));
        if (is_over) run(now, sync::Leave{});
        return;
    }
    offered->fresh = *std::move(fresh);
    const std::vector<VersionId> versions = versions_in(offered->fresh);
    offered->judging.emplace(ledger_.catalog(), ledger_.store(), offered->committing.incarnation,
                             versions);
    if (versions.empty()) return accept(now, *offered);
    judge(now, offered);
}

// Whether its board is heard and its seal holds; else it is answered.
bool DeviceLink::is_believed(MonoTime now, Offered& offered) {
    const sync::Ticket ticket = offered.commit.ticket;
    if (!standing_.is_heard(now)) {
        run(now, sync::Committed{ticket, not_heard()});
        return false;
    }
    auto said = check_said(offered);
    if (said) {
        offered.key_changes = said->key_changes;
        offered.committing.refused_changes = std::move(said->refused);
        return true;
    }
    if (said.error().what == kRevoked)
        tell_refused(SecurityEvent::revoked, said.error().what);
    else
        suspect(now, SecurityEvent::bad_seal, said.error().what);
    answer_commit(now, ticket, tl::make_unexpected(said.error()));
    return false;
}

// Whether the versions that they name are whole: a turn's part of it.
void DeviceLink::judge(MonoTime now, const std::shared_ptr<Offered>& offered) {
    const sync::Ticket ticket = offered->commit.ticket;
    const auto go_on = [this, offered](MonoTime later) { judge(later, offered); };
    if (!may_walk(offered->place, go_on, sync::Committed{ticket, not_heard()})) {
        offered->in_turns = true;  // it waits, and comes again
        return;
    }
    const auto judged = offered->judging->step(events_.later ? kRecordsATurn : SIZE_MAX);
    if (!judged) return answer_commit(now, ticket, tl::make_unexpected(judged.error()));
    if (*judged) return accept(now, *offered);
    offered->in_turns = true;
    events_.later(go_on);
}

// Durable perhaps later, receipted only then.
void DeviceLink::accept(MonoTime now, Offered& offered) {
    const sync::Commit& commit = offered.commit;
    if (offered.in_turns && !is_believed(now, offered)) return;
    JournalPart part{std::move(offered.fresh), offered.judging->take_verdicts()};
    for (const auto& [version, verdict] : part.judged)
        if (verdict.missing && verdict.missing->kind != RecordKind::version)
            note_lacking(version, *verdict.missing);
    if (const Status staged = stage_seal_of(part, commit); !staged)
        return answer_commit(now, commit.ticket, tl::make_unexpected(staged.error()));
    if (offered.key_changes != 0) log_info("a device changes its key", {{"device", device_}});
    offered.committing.offered = std::move(offered.commit.entries);
    TRIBUTARY_CHECK(!committing_);  // the engine waits for the answer before it asks again
    committing_ = std::move(offered.committing);
    if (events_.accept)
        events_.accept(std::move(part), [this](MonoTime later, const Status& durable) {
            on_durable(later, durable);
        });
    else
        on_durable(now, ledger_.accept(std::move(part)));
}

// The entries that are not held yet, of a journal of this device.
Result<std::vector<Bytes>> DeviceLink::check_entries(const sync::Commit& commit,
                                                     Committing& committing) {
    // Without entries only the receipt is asked for: for the journal that the Hello spoke of.
    Incarnation incarnation = peer_;
    if (!commit.entries.empty()) {
        TRIBUTARY_ASSIGN(const EntryView last, parse_entry(commit.entries.back()));
        incarnation = last.header.incarnation;
    }
    TRIBUTARY_TRY(greeting_.check_own(incarnation, Errc::denied));
    auto fresh = new_entries(ledger_, commit.entries, incarnation);
    if (!fresh && fresh.error().code == Errc::conflict)
        tell_refused(SecurityEvent::journal_fork, fresh.error().what);
    TRIBUTARY_ASSIGN(std::vector<Bytes> entries, std::move(fresh));
    committing.ticket = commit.ticket;
    committing.incarnation = incarnation;
    committing.fresh = entries.size();
    committing.held_before = ledger_.held(incarnation).sequence;
    return entries;
}

// With all that they need staged, and their seal.
Status DeviceLink::stage_seal_of(const JournalPart& part, const sync::Commit& commit) {
    TRIBUTARY_TRY(ask_for_missing(part));
    if (part.entries.empty()) return {};
    return ledger_.store().stage_object(RecordKind::seal, commit.seal).map([](const Digest&) {});
}

void DeviceLink::on_durable(MonoTime now, const Status& durable) {
    const Committing done = *std::exchange(committing_, std::nullopt);
    if (!durable) return answer_commit(now, done.ticket, tl::make_unexpected(durable.error()));
    bool is_over = false;
    for (const std::string& why : done.refused_changes) {
        note({Errc::denied, why});
        is_over = standing_.offend(now, SecurityEvent::key_change_refused, why) || is_over;
    }
    give_receipt(now, done);
    if (is_over) run(now, sync::Leave{});
}

void DeviceLink::answer_commit(MonoTime now, sync::Ticket ticket,
                               Result<sync::CommitResult> result) {
    if (!result) result = as_told(std::move(result).error(), 0);
    if (result) {
        status_.last_trouble.clear();
        status_.last_receipt = clock_.wall();
    } else {
        note(result.error());
    }
    run(now, sync::Committed{ticket, std::move(result)});
}

void DeviceLink::give_receipt(MonoTime now, const Committing& done) {
    Outcome outcome = outcome_of(ledger_, done.offered, done.incarnation);
    // Entries without content may pass while a version is under way.
    if (!outcome.whole.empty() && outcome.all_whole) readable_.committed();
    tell_lacking(now, outcome);
    if (done.fresh != 0 && done.held_before == 0) tell_origin(done.incarnation);
    if (done.fresh != 0) {
        log_info("journal received", {{"device", device_},
                                      {"entries", done.fresh},
                                      {"versions", outcome.whole.size()},
                                      {"refused", outcome.refused.size()}});
        events_.advanced(device_, outcome.repos);
    }
    auto payload = receipt_of(ledger_, device_, done.incarnation, outcome);
    if (!payload) return answer_commit(now, done.ticket, tl::make_unexpected(payload.error()));
    const auto then = [this, ticket = done.ticket, refused = outcome.refused](
                          MonoTime later, Result<Bytes> receipt) {
        answer_commit(later, ticket, std::move(receipt).map([&](Bytes document) {
            return sync::CommitResult{std::move(document), refused};
        }));
    };
    if (events_.sign)
        events_.sign(now, *std::move(payload), then);
    else
        then(now, trust::sign_document(ledger_.signer(), trust::kReceiptPurpose, *payload));
}

void DeviceLink::note_lacking(const VersionId& version, const RecordKey& missing) {
    if (lacking_.size() == kLackingMax) lacking_.clear();
    lacking_.insert_or_assign(version.digest, missing);
}

// What is missing may stand in what others sent: the log says it, and the receipt does not.
void DeviceLink::tell_lacking(MonoTime now, const Outcome& outcome) {
    const auto lacking = std::exchange(lacking_, {});
    const auto lacks = [&](const sync::RefusedItem& item) { return lacking.contains(item.name); };
    const auto first = std::ranges::find_if(outcome.refused, lacks);
    if (first == outcome.refused.end()) return;
    if (told_lacking_ && now < *told_lacking_ + kToldLackingEveryMs) return;
    told_lacking_ = now;
    const RecordKey& missing = lacking.at(first->name);
    log_warn(
        "a version is not whole: its board did not send all that it names, or lost some of "
        "it; what is still there can be recorded again, see 'tributary device show'",
        {{"device", device_},
         {"version", first->name.text()},
         {"missing", std::string(name_of(missing.kind)) + " " + missing.name.text()},
         {"others", std::ranges::count_if(outcome.refused, lacks) - 1}});
}

// not_found when a version lacks something that the device may still send. After some tries the
// entries are taken as they are: a sealed entry is never rejected for what it says.
Status DeviceLink::ask_for_missing(const JournalPart& part) {
    const auto missing = missing_of(part.entries, part.judged);
    if (missing && ++incomplete_ <= kIncompleteMax) return fail(Errc::not_found, *missing);
    incomplete_ = 0;
    return {};
}

}  // namespace tributary::hub
