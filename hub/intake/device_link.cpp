#include "hub/intake/device_link.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/record/document.h"
#include "common/text/log.h"
#include "common/trust/seal.h"
#include "hub/intake/offered_entries.h"

namespace tributary::hub {
namespace {

// By itself; who waits for room is called when there is.
constexpr std::uint32_t kFullRetryMs = 3'600'000;

// A push refused because its assignment had not arrived: soon again, for the assignment is
// repeated.
sync::ConversationOptions link_options() {
    sync::ConversationOptions options;
    options.sender.refused_retry_ms = 30'000;
    options.receiver.full_retry_ms = kFullRetryMs;
    return options;
}

// What a device's word is believed of: its heartbeat, and how long it takes no push.
constexpr std::uint32_t kHeartbeatMsMin = 10'000;
constexpr std::uint32_t kHeartbeatMsMax = 12 * 3'600'000;
constexpr std::uint32_t kRestMsMax = 25 * 3'600'000;

// After so many tries the version is receipted as refused instead of being asked for again.
constexpr std::uint32_t kIncompleteMax = 2;

// Objects of a page or records of a version that are looked at before other boards have their turn.
constexpr std::size_t kRecordsATurn = 64;

// Records below this are checked sooner than another thread is woken.
constexpr std::size_t kBesideBytesMin = 32 * limits::KiB;

// Versions of a plan of which it is remembered what they lack, and how often it is told.
constexpr std::size_t kLackingMax = 64;
constexpr std::uint64_t kToldLackingEveryMs = 60'000;

// To what was under way when it was revoked or shut out; its session is over.
tl::unexpected<Error> not_heard() { return fail(Errc::denied, "this board is not heard any more"); }

// Whether a record that was not taken is wrong, and not something here: a base that is damaged.
bool is_wrong_in_itself(ByteView frame, const Error& error) {
    if (error.code != Errc::corrupt && error.code != Errc::invalid) return false;
    const auto header = parse_record_header(frame);
    return !header || header->base_count == 0;
}

}  // namespace

DeviceLink::DeviceLink(std::string device, Ledger& ledger, Clock& clock, std::uint64_t seed,
                       Events events, std::uint32_t offences_max)
    : device_(std::move(device)),
      ledger_(ledger),
      clock_(clock),
      events_(std::move(events)),
      conversation_(sync::Role::hub, link_options(), seed),
      readable_(device_, ledger),
      standing_(
          device_, ledger, offences_max, status_,
          {[this](const sync::Refuse& refuse) { tell_device(refuse); },
           [this](SecurityEvent event, const std::string& why) { tell_refused(event, why); }}),
      greeting_(device_, ledger, clock, status_,
                [this](SecurityEvent event, const std::string& why) { tell_refused(event, why); }),
      push_(ledger) {}

void DeviceLink::on_payload(MonoTime now, Bytes payload) {
    last_heard_ = now;
    status_.last_message = clock_.wall();
    status_.received_bytes += payload.size();
    if (!standing_.hears(now)) return;
    const bool was_open = conversation_.is_open();
    const sync::ConversationCounters before = conversation_.counters();
    const std::uint64_t unsound = conversation_.receiver().counters().unsound_frames;
    run(now, sync::PayloadArrived{std::move(payload)});
    const sync::ConversationCounters& after = conversation_.counters();
    if (after.malformed != before.malformed) {
        ++status_.refused;
        suspect(now, SecurityEvent::malformed_message, "a message that is none of the protocol");
    }
    if (conversation_.receiver().counters().unsound_frames != unsound) {
        ++status_.refused;
        suspect(now, SecurityEvent::bad_record, "a record that is not what was offered");
    }
    const std::uint64_t unanswered = after.unanswered - before.unanswered;
    status_.refused += unanswered;
    if (standing_.stray(now, after.other_session - before.other_session + after.early -
                                 before.early + unanswered))
        run(now, sync::Leave{});
    if (was_open && !conversation_.is_open()) log_info("device gone", {{"device", device_}});
}

void DeviceLink::on_tick(MonoTime now) {
    if (standing_.is_heard(now)) run(now, sync::Tick{});
}

void DeviceLink::on_connected(MonoTime now) {
    if (standing_.is_heard(now)) run(now, sync::Connected{});
}

void DeviceLink::on_leaving(MonoTime now) { run(now, sync::Leave{}); }

void DeviceLink::on_room(MonoTime now) {
    if (standing_.is_heard(now)) run(now, sync::Invite{});
}

void DeviceLink::on_assigned(MonoTime now) {
    readable_.look_anew();
    if (!standing_.is_heard(now)) return;
    send_assignments(now);
    run(now, sync::Wake{});
}

void DeviceLink::on_cast_finished(MonoTime now, std::uint64_t number, bool whole) {
    if (whole) push_.brought(number);
    run(now, sync::Wake{});
}

bool DeviceLink::takes_part_in_casts() const {
    return events_.invite && conversation_.is_open() && (features_ & sync::kFeatureCast) != 0;
}

void DeviceLink::send_assignments(MonoTime now) {
    const Device* device = ledger_.catalog().device(device_);
    if (!device) return;
    // In the order of their numbers: a device passes over one that is lower than its last.
    std::map<std::uint64_t, const InstallState*> unanswered;
    for (const auto& [model, state] : device->models)
        if (state.state == kAssigned) unanswered.emplace(state.number, &state);
    for (const auto& [number, state] : unanswered) {
        auto documents = documents_of(*state);
        if (documents && takes_part_in_casts()) documents->cast = events_.invite(*state);
        if (documents) {
            run(now, sync::SendAssign{*std::move(documents)});
        } else {
            log_failure(LogLevel::error, "an assignment cannot be sent", documents.error());
            push_.brought(number);
        }
    }
}

Result<sync::Assign> DeviceLink::documents_of(const InstallState& state) {
    Store& store = ledger_.store();
    sync::Assign documents;
    TRIBUTARY_ASSIGN(documents.assignment,
                     store.read_plain({RecordKind::document, state.document}));
    TRIBUTARY_ASSIGN(const SignedDocument outer, parse_signed_document(documents.assignment));
    if (outer.key != trust::key_id(ledger_.signer().public_key()))
        return fail(Errc::denied,
                    "assignment " + std::to_string(state.number) + " of device " + device_ +
                        " was signed by a key that this hub has no more, and lacks approvals by "
                        "those who approve now: approve its version, and roll it out again");
    TRIBUTARY_ASSIGN(const Assignment assignment, parse_assignment(outer.payload));
    TRIBUTARY_ASSIGN(documents.approval,
                     store.read_plain({RecordKind::document, assignment.approval}));
    return documents;
}

void DeviceLink::run(MonoTime now, sync::Event event) {
    to_step_.push_back(std::move(event));
    if (stepping_) return;  // it comes from an action: after those that are being carried out
    stepping_ = true;
    while (!to_step_.empty()) {
        sync::Actions actions = conversation_.step(now, std::move(to_step_.front()));
        to_step_.pop_front();
        for (sync::Action& action : actions)
            if (auto answer = carry_out(now, action)) to_step_.push_back(*std::move(answer));
    }
    stepping_ = false;
    const sync::Receiver& receiver = conversation_.receiver();
    const sync::Sender& sender = conversation_.sender();
    uplink_rate_.note(now, receiver.counters().stream_bytes, receiver.taking());
    push_rate_.note(now, sender.counters().credited_bytes,
                    sender.bytes_left() + sender.in_flight_bytes() != 0);
}

std::optional<sync::Event> DeviceLink::carry_out(MonoTime now, sync::Action& action) {
    if (auto* publish = std::get_if<sync::Publish>(&action)) {
        status_.sent_bytes += publish->payload.size();
        events_.publish(device_, std::move(publish->payload), publish->priority);
    } else if (auto* describe_it = std::get_if<sync::Describe>(&action)) {
        auto hello =
            greeting_.answer(*describe_it, events_.root_version ? events_.root_version() : 0);
        if (hello) return sync::Described{describe_it->ticket, *std::move(hello), {}};
        return sync::Described{describe_it->ticket, {}, tl::make_unexpected(hello.error())};
    } else if (auto* hello = std::get_if<sync::PeerHello>(&action)) {
        peer_ = hello->hello.head.incarnation;
        heartbeat_ms_ = std::clamp(hello->hello.heartbeat_ms, kHeartbeatMsMin, kHeartbeatMsMax);
        page_bytes_ = std::clamp<std::size_t>(4 * hello->hello.limits.frame_bytes, 4096,
                                              limits::kOfferBytesMax);
        status_.rests_until = now + std::min(hello->hello.rest_ms, kRestMsMax);
        features_ = hello->hello.features;
        greeting_.look_at(hello->hello);
        if (hello->first) push_.reset();
        if (hello->first) incomplete_ = 0;
        if (hello->first && events_.session_opened) events_.session_opened();
        send_assignments(now);
    } else if (auto* check_it = std::get_if<sync::Check>(&action)) {
        TRIBUTARY_CHECK(!checking_);  // the engine waits for the answer before it asks again
        checking_ = {check_it->ticket, std::move(check_it->objects), {}};
        return check();
    } else if (auto* store_it = std::get_if<sync::Store>(&action)) {
        return take_record(now, *store_it);
    } else if (auto* commit_it = std::get_if<sync::Commit>(&action)) {
        commit(now, std::move(*commit_it));
    } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
        const Result<bool> something = prepare_push();
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
    } else if (auto* report = std::get_if<sync::CastReportArrived>(&action)) {
        if (events_.cast_reported) events_.cast_reported(std::move(report->report));
    } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        // A push may come before the device has made up its mind about the assignment, and is
        // tried again then; it says in its journal if it does not want it.
        if (trouble->refused == sync::RefuseReason::denied)
            log_info("a push waits for the device", {{"device", device_}});
        else
            note(trouble->error);
    }
    return std::nullopt;
}

// While a broadcast brings it what it needs, there is nothing to push.
Result<bool> DeviceLink::prepare_push() {
    if (standing_.is_revoked()) return false;
    if (events_.cast_serves && events_.cast_serves(push_.next(device_))) return false;
    return push_.prepare(device_, page_bytes_);
}

void DeviceLink::note(const Error& error) {
    // What is missing is asked for again; that is no trouble yet.
    if (error.code == Errc::not_found) return;
    ++status_.refused;
    if (error.what == kRevoked) ++status_.revoked;
    status_.last_trouble = error.what;
    log_failure(LogLevel::warn, "sync with device " + device_, error);
}

// ---- standing ----

void DeviceLink::tell_refused(SecurityEvent event, const std::string& why) {
    if (events_.refused) events_.refused(event, why);
}

void DeviceLink::tell_device(const sync::Refuse& refuse) {
    auto payload = sync::encode_message({0, sync::Channel::push, refuse});
    TRIBUTARY_CHECK(payload);
    status_.sent_bytes += payload->size();
    events_.publish(device_, *std::move(payload), Priority::control);
}

void DeviceLink::suspect(MonoTime now, SecurityEvent event, const std::string& what) {
    if (standing_.suspect(now, event, what)) run(now, sync::Leave{});
}

Status DeviceLink::release(MonoTime now, const std::string& actor) {
    TRIBUTARY_ASSIGN(const bool heard_again, standing_.release(now, actor));
    if (!heard_again) return {};
    status_.last_trouble.clear();
    incomplete_ = 0;
    run(now, sync::Connected{});  // which invites it
    return {};
}

void DeviceLink::on_standing_changed(MonoTime now) {
    run(now, sync::Leave{});
    standing_.on_changed();
    if (standing_.is_heard(now)) run(now, sync::Connected{});  // which invites it
}

// ---- intake ----

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

// Work that goes on in the turns that follow, until it has an answer for the engine.
void DeviceLink::go_on_later(std::function<std::optional<sync::Event>(MonoTime now)> work) {
    events_.later([this, work = std::move(work)](MonoTime now) {
        if (auto answer = work(now)) run(now, *std::move(answer));
    });
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
        go_on_later([this](MonoTime) { return check(); });
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
    return bytes == 0 || !events_.admits ? Status() : events_.admits(bytes);
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
    if (const Status may = check_bases(incoming->frame); !may) return taken(now, *incoming, may);
    auto received = ledger_.store().receive(incoming->frame, IfHeld::check);
    if (!received) return taken(now, *incoming, tl::make_unexpected(std::move(received).error()));
    incoming->record = *std::move(received);
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
    while (!look_through(*incoming)) {
        if (!events_.later) continue;
        go_on_later([this, incoming](MonoTime later) { return take_checked(later, incoming); });
        return std::nullopt;
    }
    return taken(now, *incoming, stage(*incoming));
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

bool DeviceLink::look_through_pieces(Incoming& incoming) {
    if (!incoming.recipe) {
        auto recipe = parse_recipe(incoming.record.plain());
        if (!recipe) return true;
        incoming.recipe = *std::move(recipe);
    }
    const std::vector<RecipePiece>& pieces = incoming.recipe->pieces;
    for (std::size_t looks = 0; looks < kRecordsATurn; ++looks) {
        if (incoming.may_read == pieces.size()) return true;
        const RecordKey piece{RecordKind::piece, pieces[incoming.may_read].id.digest};
        if (!readable_.contains(piece)) return true;
        ++incoming.may_read;
    }
    return false;
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
    if (incoming.recipe && incoming.may_read != incoming.recipe->pieces.size()) return {};
    TRIBUTARY_TRY(ledger_.store().stage(std::move(incoming.record)));
    if (incoming.recipe) readable_.sent(incoming.key, incoming.frame.size());
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
    if (!staged && is_wrong_in_itself(incoming.frame, staged.error()))
        suspect(now, SecurityEvent::bad_record, "a record that is not what its name says");
    return sync::Stored{incoming.ticket, std::move(staged)};
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

// With all that may have changed meanwhile; in several turns when it names a large version. Durable
// perhaps later, receipted only then.
void DeviceLink::take_offered(MonoTime now, const std::shared_ptr<Offered>& offered) {
    const sync::Commit& commit = offered->commit;
    if (!standing_.is_heard(now)) return run(now, sync::Committed{commit.ticket, not_heard()});
    auto said = check_said(*offered);
    if (!said) {
        if (said.error().what == kRevoked)
            tell_refused(SecurityEvent::revoked, said.error().what);
        else
            suspect(now, SecurityEvent::bad_seal, said.error().what);
        return answer_commit(now, commit.ticket, tl::make_unexpected(said.error()));
    }
    Committing committing;
    committing.ticket = commit.ticket;
    committing.refused_changes = std::move(said->refused);
    auto entries = check_entries(commit, committing);
    if (!entries) return answer_commit(now, commit.ticket, tl::make_unexpected(entries.error()));
    const auto judged = judge(*offered, committing.incarnation, *entries);
    if (!judged) return answer_commit(now, commit.ticket, tl::make_unexpected(judged.error()));
    if (!*judged)
        return events_.later([this, offered](MonoTime later) { take_offered(later, offered); });
    JournalPart part{*std::move(entries), offered->judging->take_verdicts()};
    for (const auto& [version, verdict] : part.judged)
        if (verdict.missing && verdict.missing->kind != RecordKind::version)
            note_lacking(version, *verdict.missing);
    if (const Status staged = stage_seal_of(part, commit); !staged)
        return answer_commit(now, commit.ticket, tl::make_unexpected(staged.error()));
    if (said->key_changes != 0) log_info("a device changes its key", {{"device", device_}});
    committing.offered = std::move(offered->commit.entries);
    TRIBUTARY_CHECK(!committing_);  // the engine waits for the answer before it asks again
    committing_ = std::move(committing);
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
    committing.incarnation = incarnation;
    committing.fresh = entries.size();
    committing.held_before = ledger_.held(incarnation).sequence;
    return entries;
}

// A turn's part of whether the versions that they name are whole.
Result<bool> DeviceLink::judge(Offered& offered, const Incarnation& journal,
                               const std::vector<Bytes>& entries) {
    if (!offered.judging)
        offered.judging.emplace(ledger_.catalog(), ledger_.store(), journal, versions_in(entries));
    return offered.judging->step(events_.later ? kRecordsATurn : SIZE_MAX);
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
