// The daemon and its hub: first contact, pins, the broker, the link, and a new journal beside
// another history of ours. What a board that was enrolled does otherwise is in daemon_enrolled.cpp.
#include <unistd.h>

#include <utility>

#include "agent/app/daemon/daemon_impl.h"
#include "agent/sync/new_journal.h"
#include "common/net/peer_url.h"
#include "common/sync/conversation.h"
#include "common/sync/topics.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

// A page, a window of data and some small messages; the protocol repeats what does not fit.
constexpr std::size_t kOutboxBytesMax = 2 * limits::MiB;
// Between two new journals: whatever a hub says, it does not wear our flash.
constexpr std::uint64_t kSplitEveryMs = 10 * 60'000;

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "board";
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

}  // namespace

Status Daemon::meet_hub() {
    incarnation_ = node_.store->head().incarnation;
    secured_ = is_secured();
    return secured_ ? meet_secured_hub() : meet_plain_hub();
}

std::string Daemon::hub_url() const {
    std::string url = reach_.hub.url;
    while (url.ends_with('/')) url.pop_back();
    return url;
}

std::string Daemon::board_name() const {
    return node_.config.hub.name.empty() ? host_name() : node_.config.hub.name;
}

Status Daemon::meet_plain_hub() {
    reach_ = config();
    if (config().broker.url.empty() || config().hub.url.empty()) {
        if (config().broker.url.empty() != config().hub.url.empty())
            return fail(Errc::invalid,
                        "[hub] url and [broker] url go together: the first says who we are, the "
                        "second carries everything else; give both or none");
        log_info("no hub is configured: recording only");
        return {};
    }
    TRIBUTARY_ASSIGN(const Url broker, parse_url(config().broker.url));
    if (!is_tls(broker) && !is_loopback(broker.host))
        log_warn(
            "the broker is reached without TLS: anybody on the way can read and change what "
            "is sent; use mqtts://",
            {{"broker", config().broker.url}});

    TRIBUTARY_ASSIGN(const Url hub, parse_url(config().hub.url));
    if (!is_tls(hub) && !is_loopback(hub.host))
        log_warn("the hub is reached without TLS: anybody on the way can pose as it; use https://",
                 {{"hub", config().hub.url}});

    TRIBUTARY_TRY(make_contact_request());
    first_contact_ = std::make_unique<FirstContact>(
        *loop_, node_.world.entropy, config().hub.url, config().hub_trust(),
        [this](const Pins& answer) { return on_contact(answer); });
    TRIBUTARY_ASSIGN(pins_, load_pins(files(), config().pins_path()));
    if (pins_) TRIBUTARY_TRY(connect());
    contact();
    return {};
}

Status Daemon::make_contact_request() {
    TRIBUTARY_ASSIGN(const Json request, contact_request(incarnation_, *keys_.key, board_name()));
    contact_request_ = request.text();
    return {};
}

void Daemon::contact() {
    if (door_)
        door_->on_turned_away(false);
    else
        first_contact_->begin(contact_request_);
}

// False: it is asked again, until the pinned hub answers.
bool Daemon::on_contact(const Pins& answer) {
    if (!pins_) return keep_pins(answer);
    compare_with_pins(answer);
    if (!another_hub_ && std::exchange(journal_is_new_, false) && link_ && broker_connected_) {
        link_->on_disconnected();
        link_->on_connected();
    }
    return !another_hub_;
}

bool Daemon::keep_pins(const Pins& answer) {
    const std::string what = difference_from_before(answer);
    if (what != alarm_ && !what.empty())
        log_error(
            "the hub is not the one that this store met on the machine it was on before; nothing "
            "of its answer is taken. If this is meant, remove the file of former pins",
            {{"changed", what}, {"pins", config().former_pins_path()}});
    alarm_ = what;
    if (!what.empty()) return false;
    Status saved = save_pins(files(), config().pins_path(), answer);
    if (saved && files().stat_target(config().former_pins_path()))
        saved = files().remove(config().former_pins_path());
    if (!saved) {
        log_failure(LogLevel::error, "the first contact cannot be kept", saved.error());
        return false;
    }
    pins_ = answer;
    log_info("first contact", {{"device", answer.device}, {"hub", answer.hub_name}});
    if (const std::string& asked = config().hub.name; !asked.empty() && asked != answer.device)
        log_warn("the hub calls this board otherwise than [hub] name asks",
                 {{"asked", asked}, {"device", answer.device}});
    if (const Status connected = connect(); !connected)
        log_failure(LogLevel::error, "sync cannot begin", connected.error());
    return true;
}

// A hub with another key at our hub's address may have its broker too: all sync rests until the
// pinned one answers again. That it proves its key in each session as well is the lock; this is
// the alarm.
void Daemon::compare_with_pins(const Pins& answer) {
    const std::string what = difference(*pins_, answer);
    if (what != alarm_ && !what.empty())
        log_error(
            "the hub is not the one this board met first; nothing of its answer is "
            "taken. If this is meant, remove the file of pins and start again",
            {{"changed", what}, {"pins", config().pins_path()}});
    alarm_ = what;
    const bool another = answer.hub_keys != pins_->hub_keys;
    if (another == std::exchange(another_hub_, another)) return;
    log_warn(another ? "sync rests until the pinned hub is back" : "the pinned hub is back");
    if (!broker_connected_ || !link_) return;
    if (another)
        link_->on_disconnected();
    else
        link_->on_connected();
}

// Of a store that woke on another machine, or whose key is another: it gets another id, from the
// same hub. What it is called does not matter; who the hub and the approvers are does.
std::string Daemon::difference_from_before(const Pins& answer) {
    auto former = load_pins(files(), config().former_pins_path());
    if (!former) return "what was pinned before, which cannot be read: " + former.error().what;
    if (!*former) return {};
    (*former)->device = answer.device;
    return difference(**former, answer);
}

// Both histories are kept: the hub's, and ours in a new journal.
void Daemon::on_split(const Error& why) {
    const MonoTime now = loop_->now();
    if (split_ && now < *split_ + kSplitEveryMs) return;
    split_ = now;
    struct Begun {
        Status status;
        Incarnation journal;
    };
    const auto begun = std::make_shared<Begun>();
    queue_.run(
        [this, begun, uplink = uplink_.get()](Store& store) {
            JournalKeeper journal(files(), store, config().new_journal_path());
            begun->status = journal.begin(keys_.key->public_key(), uplink->receipted());
            begun->journal = store.head().incarnation;
            if (begun->status) uplink->on_new_journal();
        },
        [this, begun, why] {
            if (!begun->status)
                return log_failure(LogLevel::error, "a new journal could not be begun",
                                   begun->status.error());
            const Incarnation before = std::exchange(incarnation_, begun->journal);
            on_new_journal(before, why);
        });
}

// The hub must know whose it is before it takes anything of it.
void Daemon::on_new_journal(const Incarnation& before, const Error& why) {
    log_warn("this store goes on in a new journal; nothing of the old one is lost",
             {{"why", why.what}, {"journal", incarnation_.text()}, {"continues", before.text()}});
    if (door_) return door_->tell_new_journal();
    if (const Status made = make_contact_request(); !made)
        return log_failure(LogLevel::error, "the hub cannot be told of it", made.error());
    journal_is_new_ = true;
    contact();
}

Status Daemon::connect() {
    TRIBUTARY_TRY(open_transport());
    make_link();
    if (installer_) installer_->start(*pins_);
    transport_->start(transport_events());
    return {};
}

Status Daemon::open_transport() {
    MqttOptions options;
    options.url = reach_.broker.url;
    options.client_id = pins_->device;
    options.ca_file = reach_.broker.ca;
    options.certificate_file = reach_.broker.cert;
    options.key_file = reach_.broker.key;
    if (secured_ && passphrase_.get()) options.key_passphrase = passphrase_.get()->text();
    options.subscriptions = {sync::topic_of(pins_->device, sync::Direction::down)};
    options.keep_alive_s = static_cast<std::uint32_t>(config().link.heartbeat_ms / 1000);
    options.will = Message{sync::topic_of(pins_->device, sync::Direction::up), sync::device_gone()};
    if (node_.trust)  // a board without a clock starts in 1970
        options.now_ms = [&clock = node_.world.clock, ratchet = node_.trust->ratchet()] {
            return std::max(clock.wall(), ratchet).ms;
        };
    TRIBUTARY_ASSIGN(transport_, make_mqtt(*loop_, node_.world.entropy, std::move(options)));
    outbox_ = std::make_unique<Outbox>(*transport_, kOutboxBytesMax);
    return {};
}

void Daemon::make_link() {
    uplink_ = std::make_unique<Uplink>(*node_.store, *keys_.key, trust::system_verifier(), *pins_,
                                       node_.trust.get());
    queue_.run(
        [uplink = uplink_.get(), refused = state_.refused](Store&) {
            uplink->set_refused(refused);
            if (const Status loaded = uplink->load(); !loaded)
                log_failure(LogLevel::error, "the last receipt cannot be read", loaded.error());
        },
        {});
    uplink_->when_refused(security_->listener());
    const std::uint64_t seed = node_.world.entropy.number();
    Repair::Prove prove;
    if (secured_)
        prove = [this, device = pins_->device](const std::string& target) {
            return HubDoor::proof_of(device, keys_, target);
        };
    repair_ =
        std::make_unique<Repair>(*loop_, queue_, hub_url(), reach_.hub_trust(), std::move(prove));
    if (secured_) make_door();
    HubLink::Events events;
    events.publish = [this, topic = sync::topic_of(pins_->device, sync::Direction::up)](
                         Bytes payload, Priority priority) {
        outbox_->publish(topic, std::move(payload), priority);
    };
    events.refused = security_->listener();
    events.unknown_to_hub = [this] { contact(); };
    events.unproven = [this] {
        if (door_) door_->on_unproven();
    };
    // Said to the worker, on which room is made.
    SpaceKeeper* const space = node_.space.get();
    events.opened = [this, space] {
        queue_.run([space](Store&) { space->on_hub_there(); }, {});
        if (!alarm_.empty()) contact();  // whether it is over
        repair_->begin();
    };
    events.closed = [this, space] {
        queue_.run(
            [space, trust = node_.trust.get()](Store&) {
                space->on_hub_gone();
                if (trust) trust->on_session_closed();
            },
            {});
    };
    events.keep = [this](Store& store, const sync::Beginning& beginning) {
        if (const Status kept = kept_beginning_.keep(store, beginning); !kept)
            log_failure(LogLevel::warn, "what came last of a model is not kept", kept.error());
    };
    events.kept = [this] { return kept_beginning_.read(); };
    events.push_stored = [space] { space->on_push_stored(); };
    events.hub_met = [this](std::uint64_t epoch, const Incarnation& journal) {
        const bool new_epoch = std::exchange(state_.hub_epoch, epoch) != epoch;
        if (std::exchange(state_.hub_journal, journal) != journal || new_epoch) save_state();
        if (door_) door_->look();
    };
    events.split = [this](const Error& why) { on_split(why); };
    events.receipted = [this](const Receipt& receipt) { on_receipt(receipt); };
    if (Installer* const installer = installer_.get()) {
        events.assign_arrived = [this, installer](const sync::Assign& documents) {
            installer->on_assign(documents);
            if (cast_link_) cast_link_->on_assign(documents);
        };
        events.deciding = [installer] { return installer->deciding(); };
        events.expects_push = [installer] { return installer->expects_push(); };
        events.push_offered = [installer](const PushSize& size) {
            installer->on_push_offered(size);
        };
        events.admits = [installer](const VersionId& id) { return installer->admits(id); };
        events.version_whole = [installer](const VersionId& id) {
            installer->on_version_whole(id);
        };
        // A link that must be spared gets its own push, which can wait for it.
        if (!link_policy(config()).limits()) make_cast_link(events, seed + 1);
    }
    budget_ = std::make_unique<LinkBudget>(
        files(), node_.world.clock, config().link_path(), link_policy(config()),
        [this](std::function<void()> task) {
            queue_.run([task = std::move(task)](Store&) { task(); }, {});
        });
    if (const std::string what = budget_->policy().hours_trouble(node_.world.clock.quality());
        !what.empty())
        log_warn(what);
    link_ = std::make_unique<HubLink>(*loop_, queue_, *uplink_, *budget_, seed, std::move(events));
}

void Daemon::make_cast_link(HubLink::Events& events, std::uint64_t seed) {
    events.features |= sync::kFeatureCast;
    CastLink::Events cast;
    cast.report = [this](sync::CastReport report) { link_->report(std::move(report)); };
    cast.subscribe = [this](const std::string& topic) { transport_->subscribe(topic); };
    cast.unsubscribe = [this](const std::string& topic) { transport_->unsubscribe(topic); };
    cast.deciding = events.deciding;
    cast.admits = events.admits;
    cast.version_whole = events.version_whole;
    cast_link_ = std::make_unique<CastLink>(*loop_, queue_, seed, std::move(cast));
}

void Daemon::on_message(Message message) {
    const bool own = message.topic == sync::topic_of(pins_->device, sync::Direction::down);
    if (own)
        link_->on_payload(std::move(message.payload));
    else if (cast_link_)
        cast_link_->on_payload(message.payload);
}

Transport::Events Daemon::transport_events() {
    Transport::Events events;
    events.connected = [this] {
        broker_connected_ = true;
        no_broker_.clear();
        no_broker_said_.is_over();
        const std::size_t payload_bytes = transport_->payload_bytes_max();
        log_info("connected to the broker",
                 {{"broker", reach_.broker.url}, {"message_bytes_max", payload_bytes}});
        budget_->fit_broker(payload_bytes);
        outbox_->on_connected();
        if (door_) door_->on_broker();
        if (!another_hub_) link_->on_connected();
        if (cast_link_) cast_link_->on_connected();
    };
    events.disconnected = [this](const Error& error) {
        if (no_broker_said_.is_new(error.what))  // also each attempt in vain
            log_failure(error.code == Errc::denied ? LogLevel::error : LogLevel::warn,
                        "no broker, trying on", error);
        no_broker_ = error.what;
        if (door_ && error.code == Errc::denied) door_->on_turned_away(true);
        if (door_ && error.code != Errc::denied) door_->on_no_broker();
        if (!std::exchange(broker_connected_, false)) return;
        outbox_->on_disconnected();
        link_->on_disconnected();
        if (cast_link_) cast_link_->on_disconnected();
    };
    events.received = [this](Message message) { on_message(std::move(message)); };
    events.refused = [this](const std::string& topic, const Error& error) {
        if (std::exchange(broker_refuses_, error.what).empty())
            log_failure(LogLevel::error, "the broker refuses something", error);
        if (cast_link_) cast_link_->on_refused(topic);
    };
    events.subscribed = [this](const std::string& filter) {
        broker_refuses_.clear();
        if (cast_link_) cast_link_->on_subscribed(filter);
    };
    events.sent = [this](std::uint64_t token) { outbox_->on_sent(token); };
    return events;
}

}  // namespace tributary::agent
