#include "common/sync/conversation.h"

#include <algorithm>
#include <utility>

namespace tributary::sync {
namespace {

// However long the hub says: what says so outside a session is not proven to come from it.
constexpr std::uint64_t kReopenMsMax = 600'000;

// What a hub believes of a device's word: its heartbeat, and how long it rests.
constexpr std::uint32_t kHeartbeatMsMin = 10'000;
constexpr std::uint32_t kHeartbeatMsMax = 12 * 3'600'000;
constexpr std::uint32_t kRestMsMax = 25 * 3'600'000;

constexpr std::string_view kNoSession = "that session is not known here; say Hello again";

LinkLimits smaller_of(const LinkLimits& a, const LinkLimits& b) {
    LinkLimits both;
    both.frame_bytes = std::clamp<std::uint32_t>(std::min(a.frame_bytes, b.frame_bytes), 1024,
                                                 limits::kDataBytesMax);
    both.frames_in_flight = std::clamp<std::uint32_t>(
        std::min(a.frames_in_flight, b.frames_in_flight), 1, limits::kFramesInFlightMax);
    return both;
}

std::uint64_t not_zero(Random& random) {
    std::uint64_t value = 0;
    while (value == 0) value = random.next();
    return value;
}

// A hub bounds what a board may cost it. A board's hub is proven, and asks for a page in turns, of
// which none says that it brings the page on.
SenderOptions for_peer_of(Role role, SenderOptions options) {
    if (role == Role::agent) options.repeat_every_ms = 0;
    return options;
}

// A page that is offered again must not overtake the content it asks about.
Priority priority_of(Channel channel, const Body& body) {
    const Offer* offer = std::get_if<Offer>(&body);
    if (!std::holds_alternative<Data>(body) && (!offer || offer->attempt == 1))
        return Priority::control;
    return channel == Channel::push ? Priority::model : Priority::data;
}

std::string range_text(std::uint16_t min, std::uint16_t max) {
    return std::to_string(min) + (min == max ? "" : " to " + std::to_string(max));
}

}  // namespace

Bytes device_gone() {
    auto payload = encode_message({0, Channel::uplink, Refuse{RefuseReason::gone, 0, {}, 0}});
    TRIBUTARY_CHECK(payload);
    return *std::move(payload);
}

Conversation::Conversation(Role role, ConversationOptions options, std::uint64_t seed)
    : role_(role),
      options_(options),
      random_(seed),
      answers_(options.answers_at_once, options.answer_every_ms),
      sender_(for_peer_of(role, options.sender), random_.next()),
      receiver_(options.receiver) {
    boot_ = not_zero(random_);
}

std::optional<MonoTime> Conversation::next_deadline() const {
    std::optional<MonoTime> soonest;
    for (const auto& deadline : {deadline_, sender_.next_deadline(), receiver_.next_deadline()})
        if (deadline && (!soonest || *deadline < *soonest)) soonest = deadline;
    return soonest;
}

Actions Conversation::step(MonoTime now, Event event) {
    now_ = now;
    std::visit(
        [this](auto& e) {
            using E = std::decay_t<decltype(e)>;
            if constexpr (std::is_same_v<E, Connected>) {
                if (e.frame_bytes) options_.limits.frame_bytes = *e.frame_bytes;
                if (role_ == Role::agent)
                    reopen(0);
                else if (state_ != State::open)
                    invite(e.spread_ms);
            } else if constexpr (std::is_same_v<E, Disconnected>) {
                if (role_ == Role::agent) {
                    close();
                    state_ = State::down;
                    greetings_ = 0;
                    deadline_.reset();
                }
            } else if constexpr (std::is_same_v<E, PayloadArrived>) {
                on_payload(e);
            } else if constexpr (std::is_same_v<E, Tick>) {
                on_tick();
            } else if constexpr (std::is_same_v<E, Leave>) {
                leave();
            } else if constexpr (std::is_same_v<E, Invite>) {
                if (role_ == Role::hub) invite(e.spread_ms);
            } else if constexpr (std::is_same_v<E, SendAssign>) {
                if (state_ == State::open) publish(Channel::push, std::move(e.documents));
            } else if constexpr (std::is_same_v<E, SayHello>) {
                if (role_ == Role::agent && state_ == State::open) greet();
            } else if constexpr (std::is_same_v<E, SendCastReport>) {
                if (state_ == State::open) publish(Channel::push, std::move(e.report));
            } else if constexpr (std::is_same_v<E, Described>) {
                on_described(e);
            } else if constexpr (std::is_same_v<E, HelloChecked>) {
                on_hello_checked(e);
            } else if constexpr (std::is_same_v<E, Checked> || std::is_same_v<E, Stored> ||
                                 std::is_same_v<E, Committed> || std::is_same_v<E, MayTake> ||
                                 std::is_same_v<E, ReceivedBefore> ||
                                 std::is_same_v<E, TurnGiven> || std::is_same_v<E, TurnWaits>) {
                run_receiver(std::move(e));
            } else if constexpr (!std::is_same_v<E, Opened> && !std::is_same_v<E, Closed> &&
                                 !std::is_same_v<E, Arrived> && !std::is_same_v<E, Rest>) {
                run_sender(std::move(e));
            }
        },
        event);
    return std::exchange(out_, {});
}

// ---- the session ----

void Conversation::on_tick() {
    if (deadline_ && now_ >= *deadline_) {
        // A session that lived until its heartbeat proves that greeting works.
        greetings_ = state_ == State::open && met_ ? 0 : greetings_ + 1;
        greet();
    }
    run_sender(Tick{});
    run_receiver(Tick{});
}

// Agent: says Hello, again and again until it is answered, and then as a heartbeat.
void Conversation::greet() {
    if (state_ == State::open && met_) {
        deadline_ =
            now_ + (options_.heartbeat_ms / 2 + random_.below(options_.heartbeat_ms / 2 + 1));
    } else {
        const std::uint64_t doubled = options_.hello_retry_ms
                                      << std::min<std::uint32_t>(greetings_ + 1, 20);
        deadline_ = now_ + (options_.hello_retry_ms +
                            random_.below(std::min(doubled, options_.hello_retry_ms_max)));
    }
    if (asked_ == 0) describe_self();
}

void Conversation::describe_self() {
    describing_ = ours();
    describing_for_ = nonce_;
    asked_ = ++last_ticket_;
    out_.emplace_back(Describe{asked_, {}, nonce_, boot_, describing_});
}

// The engine's part of a Hello.
Hello Conversation::ours() {
    Hello hello;
    hello.role = role_;
    hello.protocol_min = options_.protocol_min;
    hello.protocol_max = options_.protocol_max;
    hello.boot = boot_;
    hello.limits = options_.limits;
    if (role_ == Role::hub) return hello;
    hello.heartbeat_ms = options_.heartbeat_ms;
    hello.answers = heard_boot();
    hello.number = ++number_;
    return hello;
}

void Conversation::on_described(Described& event) {
    if (event.ticket == 0 || event.ticket != asked_) return;
    asked_ = 0;
    const Hello mine = role_ == Role::hub ? ours() : describing_;
    Hello& hello = event.hello;
    hello.role = mine.role;
    hello.protocol_min = mine.protocol_min;
    hello.protocol_max = mine.protocol_max;
    hello.boot = mine.boot;
    hello.limits = mine.limits;
    if (role_ == Role::hub) return answer_caller(event);
    hello.heartbeat_ms = mine.heartbeat_ms;
    hello.answers = mine.answers;
    hello.number = mine.number;
    if (state_ == State::down) return;
    // What it was signed for is past.
    if (describing_for_ != nonce_ || mine.answers != heard_boot()) return describe_self();
    if (!event.status) {
        out_.emplace_back(Trouble{std::move(event.status).error(), {}, true});
        return;
    }
    publish_in(nonce_, Channel::uplink, std::move(hello));
}

// ---- a hub's side of the Hellos ----

// What was said to that nonce; nullopt: nothing, or too long ago.
std::optional<std::uint64_t> Conversation::boot_said(std::uint64_t nonce) const {
    if (state_ == State::open && nonce == nonce_) return boot_;
    for (const Asker& asker : askers_)
        if (asker.nonce == nonce) return asker.boot;
    return std::nullopt;
}

std::uint64_t Conversation::boot_for(std::uint64_t nonce) {
    if (const auto said = boot_said(nonce)) return *said;
    askers_.push_back({nonce, not_zero(random_)});
    if (askers_.size() > kAskersMax) askers_.pop_front();
    return askers_.back().boot;
}

void Conversation::ask_for_answer() {
    caller_->asked = true;
    caller_->boot = boot_for(caller_->nonce);
    asked_ = ++last_ticket_;
    out_.emplace_back(Describe{asked_, caller_->hello, caller_->nonce, caller_->boot, ours(),
                               caller_->proves && caller_->boot == caller_->hello.answers});
}

void Conversation::answer_caller(Described& event) {
    if (!caller_->asked) return ask_for_answer();  // the answer was for one that is past
    Caller caller = *std::exchange(caller_, {});
    if (!event.status) {
        const Error error = std::move(event.status).error();
        const bool unknown = error.code == Errc::not_found;
        if (unknown || error.code == Errc::denied)
            publish_in(caller.nonce, Channel::push,
                       Refuse{unknown ? RefuseReason::unknown_device : RefuseReason::denied, 0,
                              error.what.substr(0, limits::kReasonBytesMax), 0});
        out_.emplace_back(Trouble{error, {}, true});
        return;
    }
    event.hello.boot = caller.boot;
    publish_in(caller.nonce, Channel::uplink, std::move(event.hello));
    // A question, or an old Hello that somebody repeats, has its answer, and changes nothing.
    if (!caller.proves || caller.boot != caller.hello.answers) return;
    const bool first = state_ != State::open || caller.nonce != nonce_;
    if (first) {
        close();
        nonce_ = caller.nonce;
        boot_ = caller.boot;
        std::erase_if(askers_, [&](const Asker& asker) { return asker.nonce == caller.nonce; });
    }
    Hello& hello = caller.hello;
    hello.heartbeat_ms = std::clamp(hello.heartbeat_ms, kHeartbeatMsMin, kHeartbeatMsMax);
    hello.rest_ms = std::min(hello.rest_ms, kRestMsMax);
    number_ = hello.number;
    heard_ = now_;
    out_.emplace_back(
        PeerHello{hello, first});  // before the engines ask for plans that depend on it
    run_sender(Rest{hello.rest_ms});
    run_receiver(Rest{hello.rest_ms});
    if (first)
        open(hello);
    else
        run_sender(Wake{});  // the device is there, should we have given up on it
}

void Conversation::on_agent_hello(std::uint64_t nonce, Hello& hello) {
    if (!answers_.take(now_)) {
        ++counters_.unanswered;
        return;
    }
    if (!protocol_in_common(hello)) {
        std::string text = misfit(hello);
        publish_in(nonce, Channel::uplink, Refuse{RefuseReason::protocol, 0, text, 0});
        out_.emplace_back(Trouble{{Errc::unsupported, std::move(text)}, {}, true});
        return;
    }
    const bool copy = state_ == State::open && nonce == nonce_ && hello.number <= number_;
    const bool proves = hello.answers != 0 && hello.answers == boot_said(nonce) && !copy;
    caller_ = Caller{nonce, std::move(hello), proves};
    if (asked_ == 0) ask_for_answer();
}

void Conversation::on_hub_hello(std::uint64_t nonce, Hello& hello) {
    if (state_ == State::down || nonce != nonce_) {
        ++counters_.other_session;
        return;
    }
    next_answer_ = Answer{nonce, std::move(hello)};
    check_next_hello();
}

// One at a time; of those that come meanwhile the last.
void Conversation::check_next_hello() {
    if (checking_ != 0 || !next_answer_) return;
    answer_ = std::exchange(next_answer_, {});
    checking_ = ++last_ticket_;
    out_.emplace_back(CheckHello{checking_, answer_->nonce, answer_->hello});
}

void Conversation::on_hello_checked(HelloChecked& event) {
    if (event.ticket == 0 || event.ticket != checking_) return;
    checking_ = 0;
    Answer answer = *std::exchange(answer_, {});
    if (!event.status) {
        ++counters_.unproven;
        out_.emplace_back(Trouble{std::move(event.status).error(), {}, true});
    } else if (state_ == State::down || answer.nonce != nonce_) {
        ++counters_.other_session;
    } else {
        on_sound_hello(answer.hello);
    }
    check_next_hello();
}

void Conversation::on_sound_hello(Hello& hello) {
    heard_ = now_;
    if (!protocol_in_common(hello)) {
        out_.emplace_back(
            Trouble{{Errc::unsupported, misfit(hello)}, RefuseReason::protocol, true});
        return reopen(options_.hello_retry_ms_max);
    }
    if (state_ == State::open && hello.boot != peer_boot_)
        return reopen(0);  // the hub has forgotten us
    const bool first = state_ != State::open;
    out_.emplace_back(
        PeerHello{hello, first});  // before the engines ask for plans that depend on it
    if (first)
        open(hello);
    else
        met_ = true;
}

// A hub that has started has forgotten all sessions; session 0 means every one.
void Conversation::invite(std::uint32_t spread_ms) {
    publish_in(0, Channel::push,
               Refuse{RefuseReason::unknown_session, 0, std::string(kNoSession), spread_ms});
}

void Conversation::leave() {
    if (role_ != Role::hub) return;
    // Also those who were answered, and whose proof is on its way.
    for (const Asker& asker : std::exchange(askers_, {}))
        publish_in(asker.nonce ^ asker.boot, Channel::push, Refuse{RefuseReason::gone, 0, {}, 0});
    if (state_ != State::open) return;
    publish_in(session_, Channel::push, Refuse{RefuseReason::gone, 0, {}, 0});
    close();
}

std::optional<std::uint16_t> Conversation::protocol_in_common(const Hello& peer) const {
    const std::uint16_t greatest = std::min(options_.protocol_max, peer.protocol_max);
    if (greatest < std::max(options_.protocol_min, peer.protocol_min)) return std::nullopt;
    return greatest;
}

// For people at both ends.
std::string Conversation::misfit(const Hello& peer) const {
    const std::string ours = range_text(options_.protocol_min, options_.protocol_max);
    const std::string theirs = range_text(peer.protocol_min, peer.protocol_max);
    const bool we_are_older = options_.protocol_max < peer.protocol_min;
    const bool hub_is_older = we_are_older == (role_ == Role::hub);
    return "no protocol in common: the hub speaks " + (role_ == Role::hub ? ours : theirs) +
           ", this agent " + (role_ == Role::hub ? theirs : ours) +
           (hub_is_older ? "; install a newer hub" : "; install a newer agent");
}

void Conversation::open(const Hello& peer) {
    ++counters_.sessions;
    state_ = State::open;
    protocol_ = protocol_in_common(peer).value();
    peer_boot_ = peer.boot;
    // Both have a part in it, so that nothing from an earlier life of either side fits.
    session_ = nonce_ ^ (role_ == Role::hub ? boot_ : peer_boot_);
    if (role_ == Role::agent) {
        met_ = false;
        greet();  // before anything else: a hub that was not shown who this is drops it
    }
    const Opened event{smaller_of(options_.limits, peer.limits)};
    run_receiver(event);
    run_sender(event);
}

void Conversation::close() {
    if (state_ != State::open) return;
    state_ = State::greeting;
    session_ = 0;
    run_sender(Closed{});
    run_receiver(Closed{});
}

// Agent: a new session. At once the first time, later after a growing delay.
void Conversation::reopen(std::uint64_t spread_ms) {
    close();
    nonce_ = not_zero(random_);
    state_ = State::greeting;
    if (greetings_ == 0 && spread_ms == 0) {
        ++greetings_;
        return greet();
    }
    const std::uint64_t doubled = options_.hello_retry_ms
                                  << std::min<std::uint32_t>(greetings_, 20);
    ++greetings_;
    deadline_ = now_ + random_.below(std::max(std::min(spread_ms, kReopenMsMax),
                                              std::min(doubled, options_.hello_retry_ms_max)));
}

// ---- messages ----

void Conversation::on_payload(const PayloadArrived& event) {
    auto parsed = parse_message(event.payload);
    if (!parsed) {
        // What a newer peer may say besides is nothing wrong.
        if (parsed.error().code != Errc::unsupported) ++counters_.malformed;
        return;
    }
    Envelope& envelope = *parsed;
    if (auto* hello = std::get_if<Hello>(&envelope.body)) {
        if (hello->role == role_ || envelope.session == 0)
            ++counters_.malformed;
        else if (role_ == Role::hub)
            on_agent_hello(envelope.session, *hello);
        else
            on_hub_hello(envelope.session, *hello);
        return;
    }
    const auto* refuse = std::get_if<Refuse>(&envelope.body);
    if (refuse != nullptr && refuse->plan == 0) return on_refuse(envelope);
    if (state_ != State::open || envelope.session != session_ || envelope.protocol != protocol_) {
        const bool early =
            role_ == Role::hub && std::ranges::any_of(askers_, [&](const Asker& asker) {
                return envelope.session == (asker.nonce ^ asker.boot);
            });
        if (early) {
            ++counters_.early;
            return;
        }
        ++counters_.other_session;
        if (role_ == Role::hub && refuse == nullptr && answers_.take(now_))
            publish_in(envelope.session, envelope.channel,
                       Refuse{RefuseReason::unknown_session, 0, std::string(kNoSession), 0});
        return;
    }
    heard_ = now_;
    met_ = true;
    if (refuse == nullptr) greetings_ = 0;  // the session is of use: should it break, try at once
    if (auto* assign = std::get_if<Assign>(&envelope.body)) {
        if (role_ == Role::agent) out_.emplace_back(AssignArrived{std::move(*assign)});
    } else if (auto* report = std::get_if<CastReport>(&envelope.body)) {
        if (role_ == Role::hub) out_.emplace_back(CastReportArrived{std::move(*report)});
    } else if (envelope.channel == sends_on()) {
        run_sender(Arrived{std::move(envelope.body)});
    } else {
        run_receiver(Arrived{std::move(envelope.body)});
    }
}

// Of the whole conversation. A hub that has started says it with session 0 to those it knows.
void Conversation::on_refuse(const Envelope& envelope) {
    const Refuse& refuse = std::get<Refuse>(envelope.body);
    if (refuse.reason == RefuseReason::gone) return on_gone(envelope);
    const bool ours =
        envelope.session == session_ || envelope.session == nonce_ || envelope.session == 0;
    if (role_ == Role::hub || state_ == State::down || !ours) {
        ++counters_.other_session;
        return;
    }
    if (refuse.reason == RefuseReason::unknown_session) return reopen(refuse.retry_after_ms);
    out_.emplace_back(
        Trouble{{Errc::denied, refused_by_peer(refuse.reason, refuse.text)}, refuse.reason, true});
    reopen(std::max<std::uint64_t>(refuse.retry_after_ms, options_.hello_retry_ms_max));
}

// For people.
std::string Conversation::refused_by_peer(RefuseReason reason, const std::string& text) const {
    return std::string(role_ == Role::agent ? "the hub" : "the device") + " refused (" +
           std::string(name_of(reason)) + "): " + text;
}

// A device's broker cannot know its session and says 0; a hub names the one that it leaves.
void Conversation::on_gone(const Envelope& envelope) {
    // The hub may leave while its Hello is still being checked here.
    const auto is_of = [&](const std::optional<Answer>& answer) {
        return answer && envelope.session == (answer->nonce ^ answer->hello.boot);
    };
    const bool greeted = role_ == Role::agent && state_ == State::greeting &&
                         (is_of(answer_) || is_of(next_answer_));
    const bool ours = state_ == State::open && (envelope.session == session_ ||
                                                (role_ == Role::hub && envelope.session == 0));
    if (!ours && !greeted) {
        ++counters_.other_session;
        return;
    }
    if (role_ == Role::hub) return close();
    if (greeted) {
        checking_ = 0;
        answer_.reset();
        next_answer_.reset();
    }
    out_.emplace_back(
        Trouble{{Errc::unavailable, "the hub was stopped; its next start is waited for"},
                RefuseReason::gone,
                true});
    reopen(options_.hello_retry_ms_max);
}

void Conversation::publish(Channel channel, Body body) {
    publish_as(protocol_, session_, channel, std::move(body));
}

void Conversation::publish_in(std::uint64_t session, Channel channel, Body body) {
    publish_as(kProtocolOfGround, session, channel, std::move(body));
}

void Conversation::publish_as(std::uint16_t protocol, std::uint64_t session, Channel channel,
                              Body body) {
    const Priority priority = priority_of(channel, body);
    auto payload = encode_message({session, channel, std::move(body), protocol});
    if (!payload) {
        out_.emplace_back(Trouble{std::move(payload).error(), {}});
        return;
    }
    counters_.published_bytes += payload->size();
    out_.emplace_back(Publish{*std::move(payload), priority});
}

// ---- the engines ----

void Conversation::run_sender(Event event) {
    carry_out(sender_.step(now_, std::move(event)), sends_on());
}

void Conversation::run_receiver(Event event) {
    carry_out(receiver_.step(now_, std::move(event)), receives_on());
}

void Conversation::carry_out(Actions actions, Channel channel) {
    bool place_in_doubt = false;
    for (Action& action : actions) {
        if (auto* send = std::get_if<Send>(&action))
            publish(channel, std::move(send->body));
        else if (std::holds_alternative<Reopen>(action))
            place_in_doubt = true;
        else if (auto* trouble = std::get_if<Trouble>(&action); trouble && trouble->refused)
            out_.emplace_back(Trouble{
                {trouble->error.code, refused_by_peer(*trouble->refused, trouble->error.what)},
                trouble->refused});
        else
            out_.push_back(std::move(action));
    }
    if (place_in_doubt && role_ == Role::agent) reopen(0);
}

}  // namespace tributary::sync
