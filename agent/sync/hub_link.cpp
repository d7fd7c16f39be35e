#include "agent/sync/hub_link.h"

#include <algorithm>
#include <utility>

#include "agent/sync/whole_version.h"
#include "common/base/limits.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

std::vector<sync::Held> held_of(Store& store, const std::vector<sync::OfferedObject>& objects) {
    std::vector<sync::Held> held;
    held.reserve(objects.size());
    for (const sync::OfferedObject& object : objects) {
        bool bases = true;
        for (const Digest& base : object.bases) bases = bases && store.has({object.key.kind, base});
        held.push_back({store.has(object.key), bases});
    }
    return held;
}

PushSize size_of(const std::vector<sync::OfferedObject>& objects,
                 const std::vector<sync::Held>& held) {
    PushSize size;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        if (!held[i].object) size.stored_bytes += objects[i].stored_length;
        if (objects[i].key.kind == RecordKind::piece) size.plain_bytes += objects[i].plain_length;
    }
    return size;
}

// Whether a record that was not taken is wrong, and not something here: a base that is damaged.
bool is_wrong_in_itself(ByteView frame, const Error& error) {
    if (error.code != Errc::corrupt && error.code != Errc::invalid) return false;
    const auto header = parse_record_header(frame);
    return !header || header->base_count == 0;
}

sync::ConversationOptions kept_to(const LinkBudget& budget, sync::ConversationOptions options) {
    options.receiver.credit_bytes = budget.credit_bytes();
    options.heartbeat_ms = budget.policy().heartbeat_ms;
    options.hello_retry_ms_max =
        std::max<std::uint64_t>(options.hello_retry_ms_max, options.heartbeat_ms);
    return options;
}

// What was recorded waits so long after the last bytes of a model.
constexpr std::uint64_t kModelFirstMs = 10'000;
constexpr std::uint64_t kRestSlackMs = 10'000;
// What comes of a push is kept so often, for whoever has the power cut: once so much has come, and
// so much more that a record that comes slowly is written three times over, not for each message.
constexpr std::uint64_t kKeepEveryMs = 30'000;
constexpr std::uint64_t kKeepBytesMin = 64 * limits::KiB;
// A plan costs a question, a receipt and a pause.
constexpr std::uint64_t kPlanBytesMin = 256 * limits::KiB;
constexpr std::uint64_t kPlanBytesMax = 8 * limits::MiB;

}  // namespace

HubLink::HubLink(Loop& loop, StoreQueue& store, Uplink& uplink, LinkBudget& budget,
                 std::uint64_t seed, Events events, sync::ConversationOptions options)
    : loop_(loop),
      store_(store),
      uplink_(uplink),
      budget_(budget),
      events_(std::move(events)),
      conversation_(sync::Role::agent, kept_to(budget, options), seed),
      kept_(loop.now()),
      self_(std::make_shared<HubLink*>(this)) {}

HubLink::~HubLink() = default;

void HubLink::on_connected() {
    silent_since_ = loop_.now();
    store_.run([uplink = &uplink_,
                bytes = budget_.page_bytes()](Store&) { uplink->set_page_bytes(bytes); },
               {});
    step(sync::Connected{.frame_bytes = budget_.frame_bytes()});
}

void HubLink::on_disconnected() {
    silent_since_.reset();
    step(sync::Disconnected{});
    keep_what_comes(0);
}

void HubLink::leave() {
    silent_since_.reset();
    step(sync::Disconnected{});
    sync::Beginning beginning = conversation_.receiver().beginning();
    if (!beginning.bytes.empty() || !set_aside_) keep(std::move(beginning));
}

void HubLink::on_payload(Bytes payload) {
    received_bytes_ += payload.size();
    step(sync::PayloadArrived{std::move(payload)});
}

void HubLink::wake() { step(sync::Wake{}); }

void HubLink::plan_anew() { step(sync::PlanAnew{}); }

void HubLink::report(sync::CastReport report) { step(sync::SendCastReport{std::move(report)}); }

void HubLink::step(sync::Event event) {
    std::deque<sync::Event> events;
    if (budget_.policy().limits()) keep_to_budget(events);
    events.push_back(std::move(event));
    while (!events.empty()) {
        sync::Actions actions = conversation_.step(loop_.now(), std::move(events.front()));
        events.pop_front();
        for (sync::Action& action : actions)
            if (auto answer = carry_out(action)) events.push_back(*std::move(answer));
    }
    note_rates();
    note_passed();
    keep_what_comes(kKeepEveryMs);
    count_passed();
    tell_refused();
    const bool open = conversation_.is_open();
    if (std::exchange(was_open_, open) && !open) {
        log_info("session with the hub ended");
        page_bytes_ = bytes_before_page_ = bytes_passed_ = 0;
        if (events_.closed) events_.closed();
    }
    if (silent_since_ && heard()) silent_since_ = std::max(*silent_since_, *heard());
    arm();
}

// Says what may pass now, models before data, and when resting begins or ends.
void HubLink::keep_to_budget(std::deque<sync::Event>& events) {
    const MonoTime now = loop_.now();
    const sync::Receiver& receiver = conversation_.receiver();
    if (std::exchange(pushed_bytes_, receiver.counters().stream_bytes) !=
        receiver.counters().stream_bytes)
        pushed_ = now;
    const std::optional<std::uint64_t> allowed = budget_.allowance();
    const bool model_first = allowed && receiver.taking() && now < pushed_ + kModelFirstMs;
    events.emplace_back(sync::MaySend{model_first ? 0 : allowed});
    events.emplace_back(sync::MayTake{allowed});

    const bool rests = budget_.rest_ms() != 0;
    if (rests != std::exchange(rests_, rests)) {
        if (rests)
            log_info("content rests", {{"why", budget_.closed()}});
        else
            log_info("content goes on");
        events.emplace_back(sync::PlanAnew{});
    }
    // Also when it lasts longer than was said.
    const bool wrongly_told = told_rest_ && (*told_rest_ != rests || (rests && now >= told_until_));
    if (!session_open() || !wrongly_told) return;
    told_rest_.reset();  // until it is
    events.emplace_back(sync::SayHello{});
}

// The hub shall not begin while we say that it goes on resting.
void HubLink::tell_rest(sync::Hello& hello) {
    const std::uint64_t rest_ms = budget_.rest_ms();
    told_rest_ = rest_ms != 0;
    told_until_ = loop_.now() + rest_ms;
    hello.rest_ms = static_cast<std::uint32_t>(rest_ms == 0 ? 0 : rest_ms + kRestSlackMs);
}

// How fast the link is, not how long we leave it alone.
void HubLink::note_rates() {
    const sync::Sender& sender = conversation_.sender();
    const bool sending = sender.bytes_left() + sender.in_flight_bytes() != 0;
    rate_.note(loop_.now(), sender.counters().credited_bytes, sending && !rests_);
    const sync::Receiver& receiver = conversation_.receiver();
    push_rate_.note(loop_.now(), receiver.counters().stream_bytes, receiver.taking() && !rests_);
}

// What of a page the hub wants is known once it asks for it. What is offered anew has passed
// before.
void HubLink::note_passed() {
    const sync::Sender& sender = conversation_.sender();
    std::uint64_t passed = bytes_before_page_;
    if (sender.credit_bytes() != 0)
        passed += page_bytes_ - std::min(page_bytes_, sender.bytes_left());
    bytes_passed_ = std::max(bytes_passed_, passed);
}

void HubLink::keep_what_comes(std::uint64_t every_ms) {
    const sync::Receiver& receiver = conversation_.receiver();
    const std::uint64_t came = receiver.counters().stream_bytes - kept_bytes_;
    if (came < std::max<std::uint64_t>(kKeepBytesMin, receiver.buffered_bytes() / 3)) return;
    if (loop_.now() >= kept_ + every_ms) keep(receiver.beginning());
}

// A record that is held back is in no store yet, and comes before what follows it.
void HubLink::keep(sync::Beginning beginning) {
    if (!events_.keep) return;
    if (const auto* held = held_back_ ? std::get_if<sync::Store>(&*held_back_) : nullptr) {
        beginning.key = held->key;
        beginning.based = held->based;
        beginning.bytes.insert(beginning.bytes.begin(), held->frame.begin(), held->frame.end());
    }
    kept_bytes_ = conversation_.receiver().counters().stream_bytes;
    kept_ = loop_.now();
    keeps_beginning_ = !beginning.bytes.empty();
    store_.run([keep = events_.keep,
                beginning = std::move(beginning)](Store& store) { keep(store, beginning); },
               {});
}

void HubLink::recall() {
    auto kept = std::make_shared<std::optional<sync::Beginning>>();
    store_.run([kept, read = events_.kept](Store&) { *kept = read(); },
               [kept, self = std::weak_ptr(self_)] {
                   const auto link = self.lock();
                   if (!link) return;
                   (*link)->set_aside_ = false;
                   if (*kept) (*link)->step(sync::ReceivedBefore{**std::move(kept)});
               });
}

// What passes in about a minute. While too little was sent to tell, it took less than that.
std::uint64_t HubLink::plan_bytes() const {
    const std::uint64_t arrived = conversation_.sender().counters().credited_bytes;
    const std::uint64_t at_least = arrived * 1000 / sync::LinkRate::kMeasuredMs;
    const std::uint64_t minute = 60 * rate_.bytes_per_second().value_or(at_least);
    const std::uint64_t per_day = budget_.policy().bytes_per_day;
    const std::uint64_t most = per_day == 0 ? kPlanBytesMax : std::min(kPlanBytesMax, per_day / 8);
    return std::clamp(minute, std::min(kPlanBytesMin, most), most);
}

void HubLink::count_passed() {
    const std::uint64_t passed = conversation_.counters().published_bytes + received_bytes_;
    budget_.count(passed - std::exchange(passed_bytes_, passed));
}

void HubLink::refuse(SecurityEvent event, std::string why) const {
    if (events_.refused) events_.refused(event, std::move(why));
}

// What the engine threw away by itself.
void HubLink::tell_refused() {
    const std::uint64_t malformed = conversation_.counters().malformed;
    if (std::exchange(malformed_, malformed) != malformed)
        refuse(SecurityEvent::malformed_message, "a message that is none of the protocol");
    const std::uint64_t unsound = conversation_.receiver().counters().unsound_frames;
    if (std::exchange(unsound_frames_, unsound) != unsound)
        refuse(SecurityEvent::bad_record, "a record that is not what was offered");
}

void HubLink::arm() {
    timer_.reset();
    auto deadline = conversation_.next_deadline();
    const auto by = [&](MonoTime when) { deadline = std::min(deadline.value_or(when), when); };
    if (silent_since_) by(*silent_since_ + silent_ms());
    if (const auto change = budget_.next_change()) by(*change);
    if (deadline) timer_ = loop_.at(*deadline, [this] { on_timer(); });
}

// A hub does not answer whom it does not know: one that lost its state would be waited for in vain.
void HubLink::on_timer() {
    if (silent_since_ && loop_.now() >= *silent_since_ + silent_ms()) {
        silent_since_ = loop_.now();  // so that the next try comes as much later
        if (events_.unknown_to_hub) events_.unknown_to_hub();
    }
    step(sync::Tick{});
}

void HubLink::ask(std::function<sync::Event(Store&)> question) {
    auto answer = std::make_shared<std::optional<sync::Event>>();
    store_.run([answer,
                question = std::move(question)](Store& store) { answer->emplace(question(store)); },
               [answer, self = std::weak_ptr(self_)] {
                   if (const auto link = self.lock()) (*link)->step(std::move(**answer));
               });
}

std::optional<sync::Event> HubLink::carry_out(sync::Action& action) {
    Uplink* const uplink = &uplink_;
    if (auto* publish = std::get_if<sync::Publish>(&action)) {
        events_.publish(std::move(publish->payload), publish->priority);
    } else if (auto* describe = std::get_if<sync::Describe>(&action)) {
        sync::Hello ours = std::move(describe->ours);
        ours.features = events_.features;
        tell_rest(ours);
        ask([uplink, ours = std::move(ours), nonce = describe->nonce,
             ticket = describe->ticket](Store&) -> sync::Event {
            auto hello = uplink->describe(nonce, ours);
            if (!hello) return sync::Described{ticket, {}, tl::make_unexpected(hello.error())};
            return sync::Described{ticket, *std::move(hello), {}};
        });
    } else if (auto* check = std::get_if<sync::CheckHello>(&action)) {
        ask([uplink, asked = std::move(*check)](Store&) -> sync::Event {
            return sync::HelloChecked{asked.ticket, uplink->check_hello(asked.nonce, asked.hello)};
        });
    } else if (auto* hello = std::get_if<sync::PeerHello>(&action)) {
        on_peer_hello(std::move(*hello));
    } else if (auto* plan = std::get_if<sync::MakePlan>(&action)) {
        ask([uplink, ticket = plan->ticket, content = !rests_,
             bytes = plan_bytes()](Store&) -> sync::Event {
            const auto something = uplink->make_plan(content, bytes);
            if (!something)
                log_failure(LogLevel::error, "the journal cannot be read", something.error());
            return sync::Planned{ticket, something.value_or(false)};
        });
    } else if (auto* page = std::get_if<sync::ReadPage>(&action)) {
        ask([uplink, ticket = page->ticket, number = page->page, whole = page->whole, loop = &loop_,
             self = std::weak_ptr(self_)](Store&) -> sync::Event {
            auto read = uplink->read_page(number, whole);
            if (!read) return sync::PageRead{ticket, std::move(read)};
            std::uint64_t bytes = 0;
            for (const sync::OfferedObject& object : read->objects) bytes += object.stored_length;
            const auto& receipt = uplink->receipt();
            loop->post([self, bytes, before = uplink->bytes_before(number),
                        receipted = receipt ? receipt->sequence : 0] {
                const auto link = self.lock();
                if (!link) return;
                (*link)->page_bytes_ = bytes;
                (*link)->bytes_before_page_ = before;
                (*link)->receipted_ = receipted;
            });
            return sync::PageRead{ticket, std::move(read)};
        });
    } else if (auto* object = std::get_if<sync::ReadObject>(&action)) {
        ask([uplink, wanted = *object](Store&) -> sync::Event {
            return sync::ObjectRead{wanted.ticket,
                                    uplink->read_object(wanted.key, wanted.may_use_base)};
        });
    } else if (auto* receipt = std::get_if<sync::LogReceipt>(&action)) {
        log_receipt(std::move(*receipt));
    } else if (auto* trouble = std::get_if<sync::Trouble>(&action)) {
        on_trouble(*trouble);
    } else {
        return carry_out_push(action);
    }
    return std::nullopt;
}

std::optional<sync::Event> HubLink::carry_out_push(sync::Action& action) {
    if (auto* assign = std::get_if<sync::AssignArrived>(&action)) {
        if (events_.assign_arrived) events_.assign_arrived(std::move(assign->documents));
    } else if (auto* check = std::get_if<sync::Check>(&action)) {
        // Before the answer, which says what is asked for.
        if (set_aside_ && events_.kept) recall();
        ask([ticket = check->ticket, objects = std::move(check->objects), loop = &loop_,
             self = std::weak_ptr(self_)](Store& store) -> sync::Event {
            std::vector<sync::Held> held = held_of(store, objects);
            loop->post([self, size = size_of(objects, held)] {
                const auto link = self.lock();
                if (link && (*link)->events_.push_offered) (*link)->events_.push_offered(size);
            });
            return sync::Checked{ticket, std::move(held)};
        });
    } else if (auto* aside = std::get_if<sync::KeepBeginning>(&action)) {
        const bool is_kept =
            keeps_beginning_ && kept_bytes_ == conversation_.receiver().counters().stream_bytes;
        if (!is_kept) keep(std::move(aside->beginning));
        set_aside_ = true;
    } else if (auto* object = std::get_if<sync::Store>(&action)) {
        if (!may_store() && events_.deciding && events_.deciding()) {
            held_back_ = std::move(action);
            return std::nullopt;
        }
        if (!may_store())
            return sync::Stored{object->ticket,
                                fail(Errc::denied, "no admitted assignment asks for this")};
        ask([ticket = object->ticket, frame = std::move(object->frame),
             stored = events_.push_stored, refused = events_.refused](Store& store) -> sync::Event {
            Status staged = store.stage_record(frame);
            if (!staged && refused && is_wrong_in_itself(frame, staged.error()))
                refused(SecurityEvent::bad_record, staged.error().what);
            if (staged && stored) stored();
            return sync::Stored{ticket, std::move(staged)};
        });
    } else if (auto* commit = std::get_if<sync::Commit>(&action)) {
        const bool admitted = events_.admits && events_.admits(commit->version);
        if (!admitted && events_.deciding && events_.deciding()) {
            held_back_ = std::move(action);
            return std::nullopt;
        }
        if (!admitted)
            return sync::Committed{commit->ticket,
                                   fail(Errc::denied, "no admitted assignment asks for version " +
                                                          commit->version.text())};
        commit_push(*commit);
    }
    return std::nullopt;
}

bool HubLink::may_store() const { return events_.expects_push && events_.expects_push(); }

void HubLink::on_push_decided() {
    if (!held_back_) return;
    sync::Action action = *std::exchange(held_back_, std::nullopt);
    if (auto answer = carry_out_push(action)) step(*std::move(answer));
}

void HubLink::on_peer_hello(sync::PeerHello hello) {
    session_trouble_.clear();
    if (hello.first) {
        log_info("session with the hub open",
                 {{"hub", hello.hello.software}, {"epoch", hello.hello.epoch}});
        if (events_.opened) events_.opened();
    }
    if (events_.hub_met) events_.hub_met(hello.hello.epoch, hello.hello.head.incarnation);
    auto status = std::make_shared<Status>();
    store_.run([status, uplink = &uplink_, hello = std::move(hello)](
                   Store&) { *status = uplink->on_hub_hello(hello.hello, hello.first); },
               [status, self = std::weak_ptr(self_)] {
                   const auto link = self.lock();
                   if (!link) return;
                   if (*status) {
                       (*link)->place_trouble_.clear();
                       return;
                   }
                   (*link)->say((*link)->place_trouble_, status->error());
                   const auto& split = (*link)->events_.split;
                   if (split && status->error().code == Errc::conflict) split(status->error());
               });
}

void HubLink::log_receipt(sync::LogReceipt receipt) {
    for (const sync::RefusedItem& item : receipt.refused)
        log_warn("the hub could not take a version whole",
                 {{"version", item.name.text()}, {"reason", item.reason}});
    struct Outcome {
        bool is_of_content = false;
        Status status;
        std::optional<Receipt> receipt;
    };
    auto outcome = std::make_shared<Outcome>();
    store_.run(
        [outcome, uplink = &uplink_, bytes = std::move(receipt.receipt)](Store&) {
            const std::uint64_t bare_through = uplink->bare_through();
            outcome->status = uplink->log_receipt(bytes);
            outcome->receipt = uplink->receipt();
            outcome->is_of_content = outcome->receipt && outcome->receipt->sequence > bare_through;
        },
        [outcome, ticket = receipt.ticket, self = std::weak_ptr(self_)] {
            const auto locked = self.lock();
            if (!locked) return;
            HubLink& link = **locked;
            if (outcome->status) {
                link.plan_trouble_.clear();
                link.receipted_ = outcome->receipt->sequence;
                link.page_bytes_ = link.bytes_before_page_ = 0;
                // Else what passed follows this receipt still.
                if (outcome->is_of_content) link.bytes_passed_ = 0;
                log_info("receipt", {{"entries", outcome->receipt->sequence},
                                     {"versions", outcome->receipt->whole.size()}});
                if (link.events_.receipted) link.events_.receipted(*outcome->receipt);
            }
            link.step(sync::ReceiptLogged{ticket, std::move(outcome->status)});
        });
}

void HubLink::commit_push(const sync::Commit& commit) {
    auto status = std::make_shared<Status>();
    store_.run([status,
                version = commit.version](Store& store) { *status = commit_whole(store, version); },
               [status, commit, self = std::weak_ptr(self_)] {
                   const auto locked = self.lock();
                   if (!locked) return;
                   HubLink& link = **locked;
                   Result<sync::CommitResult> result;
                   if (!*status) result = tl::make_unexpected(status->error());
                   link.step(sync::Committed{commit.ticket, std::move(result)});
                   if (*status && link.keeps_beginning_)
                       link.keep(link.conversation_.receiver().beginning());
                   if (*status && link.events_.version_whole)
                       link.events_.version_whole(commit.version);
               });
}

const std::string& HubLink::trouble() const {
    if (!session_trouble_.empty()) return session_trouble_;
    return place_trouble_.empty() ? plan_trouble_ : place_trouble_;
}

// One line for each change: what repeats itself is said once.
void HubLink::say(std::string& kept, const Error& error) {
    const LogLevel level = error.code == Errc::unavailable ? LogLevel::warn : LogLevel::error;
    if (error.what != kept) log_failure(level, "sync trouble", error);
    kept = error.what;
}

void HubLink::on_trouble(const sync::Trouble& trouble) {
    say(trouble.session ? session_trouble_ : plan_trouble_, trouble.error);
    const bool unproven = trouble.session && !trouble.refused && trouble.error.code == Errc::denied;
    if (unproven && events_.unproven) events_.unproven();
    const bool stranger = trouble.refused == sync::RefuseReason::unknown_device ||
                          trouble.refused == sync::RefuseReason::denied;
    if (stranger && events_.unknown_to_hub) events_.unknown_to_hub();
}

}  // namespace tributary::agent
