#include "hub/intake/device_link.h"

#include <algorithm>
#include <map>
#include <utility>

#include "common/base/words.h"
#include "common/record/document.h"
#include "common/text/log.h"

namespace tributary::hub {
namespace {

// By itself; who waits for room is called when there is.
constexpr std::uint32_t kFullRetryMs = 3'600'000;

// Of content that a board brings before others that wait have their turn.
constexpr std::uint64_t kTurnBytes = 16 * limits::MiB;

// A push refused because its assignment had not arrived: soon again, for the assignment is
// repeated.
sync::ConversationOptions link_options() {
    sync::ConversationOptions options;
    options.sender.refused_retry_ms = 30'000;
    options.receiver.full_retry_ms = kFullRetryMs;
    options.receiver.turn_bytes = kTurnBytes;
    return options;
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
      push_(device_, ledger) {
    TRIBUTARY_CHECK(events_.pushes);
}

DeviceLink::~DeviceLink() {
    if (events_.credit) events_.credit->forget(device_);
}

void DeviceLink::on_payload(MonoTime now, Bytes payload) {
    if (left_) return;  // what begins now would be cut in the middle
    last_heard_ = now;
    status_.last_message = clock_.wall();
    status_.received_bytes += payload.size();
    if (!standing_.hears(now)) return;
    const bool was_open = conversation_.is_open();
    const sync::ConversationCounters before = conversation_.counters();
    const std::uint64_t unsound = conversation_.receiver().counters().unsound_frames;
    const std::uint64_t excess_before = excess();
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
    const std::uint64_t too_many = after.unanswered - before.unanswered + excess() - excess_before;
    const std::uint64_t stray =
        after.other_session - before.other_session + after.early - before.early;
    status_.refused += too_many;
    status_.stray += stray;
    if (standing_.stray(now, stray + too_many)) run(now, sync::Leave{});
    if (was_open && !conversation_.is_open()) log_info("device gone", {{"device", device_}});
}

// What asked again and again for what it was given.
std::uint64_t DeviceLink::excess() const {
    return conversation_.sender().counters().excess + conversation_.receiver().counters().excess;
}

void DeviceLink::on_tick(MonoTime now) {
    if (standing_.is_heard(now)) run(now, sync::Tick{});
}

void DeviceLink::on_connected(MonoTime now, std::uint32_t spread_ms, std::size_t payload_bytes) {
    const std::uint32_t frame_bytes = sync::data_bytes_for(payload_bytes);
    const bool is_less = frame_bytes < std::exchange(frame_bytes_, frame_bytes);
    if (!standing_.is_heard(now)) return;
    if (is_less) run(now, sync::Leave{});  // what it says would not pass any more
    run(now, connected_over(spread_ms));
}

sync::Connected DeviceLink::connected_over(std::uint32_t spread_ms) const {
    return {spread_ms, frame_bytes_};
}

void DeviceLink::on_leaving(MonoTime now) {
    left_ = true;
    run(now, sync::Leave{});
}

void DeviceLink::keep_what_came() { readable_.keep_sent(); }

void DeviceLink::recall(const LastHeard& last) {
    status_.last_message = last.message;
    status_.last_receipt = last.receipt;
}

void DeviceLink::on_room(MonoTime now, std::uint32_t spread_ms) {
    if (standing_.is_heard(now)) run(now, sync::Invite{spread_ms});
}

void DeviceLink::on_assigned(MonoTime now) {
    readable_.look_anew();
    if (!standing_.is_heard(now)) return;
    send_assignments(now);
    // Not what another assignment has replaced, nor what waits because it was refused.
    if (push_.is_wanted())
        run(now, sync::Wake{});
    else
        run(now, sync::PlanAnew{});
    review_planning(now);
}

void DeviceLink::on_cast_finished(MonoTime now, std::uint64_t number, bool whole) {
    if (whole) push_.brought(number);
    run(now, sync::Wake{});
    review_planning(now);
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
        // Those behind it wait as well.
        if (events_.cast_is_prepared_for && events_.cast_is_prepared_for(number)) break;
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
    if ((planning_ || !waits_to_walk_.empty()) && !conversation_.is_open()) wait_no_more(now);
    if (std::exchange(was_open_, conversation_.is_open()) && !was_open_) on_session_over();
    const sync::Receiver& receiver = conversation_.receiver();
    const sync::Sender& sender = conversation_.sender();
    uplink_rate_.note(now, receiver.counters().stream_bytes, receiver.taking());
    push_rate_.note(now, sender.counters().credited_bytes,
                    sender.bytes_left() + sender.in_flight_bytes() != 0);
}

// Its session is over: what comes then stands at the end of the line.
void DeviceLink::wait_no_more(MonoTime now) {
    if (events_.walks) events_.walks->forget(device_);
    if (const auto planning = std::exchange(planning_, std::nullopt))
        run(now, sync::Planned{planning->ticket, false});
    for (sync::Event& answer : std::exchange(waits_to_walk_, {})) run(now, std::move(answer));
}

// What is found again is not kept for a board that may be away for long.
void DeviceLink::on_session_over() {
    push_.forget();
    readable_.forget_near();
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
        heartbeat_ms_ = hello->hello.heartbeat_ms;
        page_bytes_ =
            std::clamp<std::size_t>(4 * std::min(hello->hello.limits.frame_bytes, frame_bytes_),
                                    4096, limits::kOfferBytesMax);
        status_.rests_until = now + hello->hello.rest_ms;
        features_ = hello->hello.features;
        greeting_.look_at(hello->hello);
        if (hello->first) push_.reset();
        // The pages may be too large now.
        if (hello->first || hello->hello.rest_ms != 0) push_.forget();
        if (hello->first) incomplete_ = 0;
        if (hello->first && events_.session_opened) events_.session_opened();
        send_assignments(now);
        review_planning(now);
    } else if (auto* check_it = std::get_if<sync::Check>(&action)) {
        TRIBUTARY_CHECK(!checking_);  // the engine waits for the answer before it asks again
        checking_ = {check_it->ticket, std::move(check_it->objects), {}};
        return check();
    } else if (auto* turn = std::get_if<sync::TakeTurn>(&action)) {
        return take_turn(*turn);
    } else if (std::holds_alternative<sync::EndTurn>(action)) {
        end_turn();
    } else if (auto* keep = std::get_if<sync::KeepBeginning>(&action)) {
        ledger_.sent().keep_unfinished(device_, sync::encode_beginning(keep->beginning, device_));
    } else if (auto* store_it = std::get_if<sync::Store>(&action)) {
        return take_record(now, *store_it);
    } else if (auto* commit_it = std::get_if<sync::Commit>(&action)) {
        commit(now, std::move(*commit_it));
    } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
        return plan_push(now, plan->ticket);
    } else if (auto* page = std::get_if<sync::ReadPage>(&action)) {
        return read_page(now, *page);
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        return read_object(*object);
    } else if (auto* receipt = std::get_if<sync::LogReceipt>(&action)) {
        push_.delivered();  // the device's own sealed entry will be the receipt
        return sync::ReceiptLogged{receipt->ticket, {}};
    } else if (auto* report = std::get_if<sync::CastReportArrived>(&action)) {
        if (events_.cast_reported) events_.cast_reported(std::move(report->report));
    } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        if (!trouble->session) status_.push_trouble = trouble->error.what;
        if (trouble->refused == sync::RefuseReason::busy) push_.try_whole_again();
        // A push may come before the device has made up its mind about the assignment, and is
        // tried again then; it says in its journal if it does not want it.
        if (trouble->refused == sync::RefuseReason::denied)
            log_info("a push waits for the device", {{"device", device_}});
        else
            note(trouble->error);
    }
    return std::nullopt;
}

// While a broadcast brings the board what it needs, there is nothing to push; and none is prepared
// for a board that rests.
bool DeviceLink::needs_push(MonoTime now) const {
    const std::uint64_t number = push_.next();
    const bool served = events_.cast_serves && events_.cast_serves(number);
    return number != 0 && !served && !standing_.is_revoked() && conversation_.is_open() &&
           now >= status_.rests_until;
}

// Answers when it is prepared, and is asked again by then: what the board needs may be something
// else.
std::optional<sync::Event> DeviceLink::plan_push(MonoTime now, sync::Ticket ticket) {
    std::shared_ptr<const PushContent> content;
    if (needs_push(now)) {
        const auto go_on = [this](MonoTime later) { review_planning(later); };
        const auto prepared = [&](const PushNeed& need) {
            return events_.pushes->of(device_, need, [this, go_on] { events_.later(go_on); });
        };
        const PushNeed need = push_.need(page_bytes_);
        content = prepared(need);
        if (!content && need.whole) {
            push_.do_without_whole();
            content = prepared(push_.need(page_bytes_));
        }
    }
    if (content && !content->is_ready()) {
        push_.forget();
        planning_ = {ticket, std::move(content)};
        return std::nullopt;
    }
    planning_.reset();
    push_page_ = 0;
    push_.begin(std::move(content));
    return sync::Planned{ticket, push_.is_ready()};
}

// Whatever may have changed what the board needs: what it needs no more is prepared no further.
void DeviceLink::review_planning(MonoTime now) {
    if (!planning_) return;
    if (auto answer = plan_push(now, planning_->ticket)) run(now, *std::move(answer));
}

// What lists all is another push, and so another plan: by then nobody waits for this answer.
sync::PageRead DeviceLink::read_page(MonoTime now, const sync::ReadPage& page) {
    // Asked for twice it is lacking once: by then its last page is not the one that was read last.
    if (page.whole && page.page == 0 && push_.list_again(push_page_)) {
        log_info("a board lacks what its push left out, and is offered the whole version",
                 {{"device", device_}});
        run(now, sync::PlanAnew{});
    }
    push_page_ = page.page;
    return {page.ticket, push_.page(push_page_)};
}

// What of a page the board wants is known once it asks for it.
std::uint64_t DeviceLink::bytes_left() const {
    const sync::Sender& sender = conversation_.sender();
    if (sender.credit_bytes() == 0) return push_.bytes_from(push_page_);
    return sender.bytes_left() + push_.bytes_from(push_page_ + 1);
}

std::string DeviceLink::push_waits_for(MonoTime now) const {
    const sync::Sender& sender = conversation_.sender();
    if (now < status_.rests_until || !conversation_.is_open()) return {};
    if (planning_) return "the hub, which prepares it";
    if (const auto at = sender.tried_again())
        return "the next try in " + human_span(at->ms - std::min(now, *at).ms) + ", because " +
               status_.push_trouble;
    if (sender.is_resting() && needs_push(now))
        return "the hub, which cannot prepare it; its log says why";
    return sender.unanswered() ? "an answer of the board" : "";
}

// What has to be coded anew is coded beside this thread.
std::optional<sync::Event> DeviceLink::read_object(const sync::ReadObject& object) {
    const auto content = push_.content();
    if (!content)
        return sync::ObjectRead{object.ticket,
                                fail(Errc::invalid, "nothing is pushed to this device")};
    if (auto frame = content->frame(object.key, object.may_use_base))
        return sync::ObjectRead{object.ticket, std::move(frame)};
    auto read = content->read(object.key, object.may_use_base);
    if (!read) return sync::ObjectRead{object.ticket, tl::make_unexpected(read.error())};
    const auto outgoing = std::make_shared<OutgoingFrame>(*std::move(read));
    const auto answer = [object, content, outgoing] {
        return sync::ObjectRead{object.ticket,
                                content->share(object.key, object.may_use_base, outgoing->take())};
    };
    if (!outgoing->is_coded() && events_.beside) {
        events_.beside([outgoing] { outgoing->code(); },
                       [this, answer](MonoTime later) { run(later, answer()); });
        return std::nullopt;
    }
    outgoing->code();
    return answer();
}

// ---- credit ----

std::optional<sync::Event> DeviceLink::take_turn(const sync::TakeTurn& turn) {
    if (!events_.credit || !events_.later) return turn_given(turn.ticket);
    turn_ = turn.ticket;
    events_.credit->ask(device_, turn.bytes, [this, ticket = turn.ticket](CreditPool::Share share) {
        credit_ = std::move(share);
        events_.later([this, ticket](MonoTime now) {
            const bool is_over = credit_.bytes() == 0 || turn_ != ticket;
            if (!is_over) run(now, turn_given(ticket));
        });
    });
    if (credit_.bytes() == 0) return sync::TurnWaits{turn.ticket};
    return std::nullopt;
}

void DeviceLink::end_turn() {
    if (events_.credit) events_.credit->step_aside(device_);
    credit_ = {};
}

sync::TurnGiven DeviceLink::turn_given(sync::Ticket ticket) {
    auto beginning = sync::parse_beginning(ledger_.sent().take_unfinished(device_), device_);
    if (!beginning) return {ticket, std::nullopt};
    return {ticket, *std::move(beginning)};
}

void DeviceLink::note(const Error& error) {
    // What is missing is asked for again; that is no trouble yet.
    if (error.code == Errc::not_found) return;
    ++status_.refused;
    if (error.what == kRevoked) ++status_.revoked;
    status_.last_trouble = error.what;
    if (error.code == Errc::exhausted && ++refused_for_room_ > 1) return;  // said until there is
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
    run(now, connected_over());  // which invites it
    return {};
}

void DeviceLink::on_standing_changed(MonoTime now) {
    run(now, sync::Leave{});
    standing_.on_changed();
    if (standing_.is_heard(now)) run(now, connected_over());  // which invites it
}

}  // namespace tributary::hub
