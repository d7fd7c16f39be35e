// One thread, the loop's, owns all state; the store is used on the loop's worker only, through the
// StoreQueue. What needs the hub begins when the hub is known; nothing else waits for it.
#include "agent/app/daemon/daemon.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <utility>

#include "agent/api/serve.h"
#include "agent/app/daemon/first_contact.h"
#include "agent/app/daemon/housekeeping.h"
#include "agent/app/daemon/repair.h"
#include "agent/app/daemon/watched_folder.h"
#include "agent/sync/hub_link.h"
#include "agent/sync/loop_store_queue.h"
#include "agent/sync/new_journal.h"
#include "agent/sync/sync_state.h"
#include "common/env/service.h"
#include "common/net/http.h"
#include "common/net/mqtt.h"
#include "common/net/outbox.h"
#include "common/sync/conversation.h"
#include "common/sync/topics.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

// A page, a window of data and some small messages; the protocol repeats what does not fit.
constexpr std::size_t kOutboxBytesMax = 2 * limits::MiB;
constexpr std::uint64_t kSaveEveryMs = 60'000;
// Between two new journals: whatever a hub says, it does not wear our flash.
constexpr std::uint64_t kSplitEveryMs = 10 * 60'000;
// After a signal: unfinished work is given up then, as a power cut would end it.
constexpr std::uint64_t kStopMs = 800;
// A hub answers our Hello of every minute at the latest.
constexpr std::uint64_t kHeardLatelyMs = 90'000;

std::string host_name() {
    char name[256] = {};
    return ::gethostname(name, sizeof name - 1) == 0 ? name : "board";
}

bool is_loopback(const std::string& host) {
    return host == "localhost" || host == "::1" || host.starts_with("127.");
}

class Daemon {
public:
    Daemon(Node node, std::unique_ptr<trust::Signer> signer, Service& service)
        : node_(std::move(node)),
          signer_(std::move(signer)),
          service_(service),
          state_(load_sync_state(files(), config().sync_path())),
          loop_(make_loop()),
          queue_(*loop_, *node_.store) {}
    ~Daemon();

    Status start(const MakeInstaller& make_installer);
    // False: it ended because the store takes no more writes.
    bool run() {
        heartbeat_ = std::make_unique<Heartbeat>(*loop_, service_);
        loop_->run();
        return !failed_;
    }

private:
    Files& files() { return node_.world.files; }
    const Config& config() { return node_.config; }

    void serve();
    Status watch();
    Status meet_hub();
    Status make_contact_request();
    void contact();
    bool on_contact(const Pins& answer);
    bool keep_pins(const Pins& answer);
    void compare_with_pins(const Pins& answer);
    std::string trouble();
    std::string difference_from_before(const Pins& answer);
    void on_split(const Error& why);
    void on_new_journal(const Incarnation& before, const Error& why);
    Status connect();
    void make_link();
    Transport::Events transport_events();
    void on_receipt(const Receipt& receipt);
    void report_install(InstallBody body, std::function<void(Status)> done);
    void on_committed();
    LiveStatus live();
    std::uint64_t sent_bytes() const;
    void save_state();
    void on_store_closed(const Error& error);
    void stop();

    Node node_;  // its store: on the worker
    std::unique_ptr<trust::Signer> signer_;
    Service& service_;
    Incarnation incarnation_;  // of our journal
    std::string contact_request_;
    std::optional<Pins> pins_;
    std::optional<MonoTime> split_;   // when we last went on in a new journal
    bool journal_is_new_ = false;     // its first contact is still to be answered
    std::unique_ptr<Uplink> uplink_;  // on the worker
    SyncState state_;                 // as of the last save, but for sent_bytes
    MonoTime saved_;
    std::string alarm_;         // what of the hub's answer is not as pinned
    bool another_hub_ = false;  // its key is not the pinned one: nothing is said to anybody
    std::string no_broker_;
    bool broker_connected_ = false;
    bool stopping_ = false;
    bool failed_ = false;  // the store takes no more writes

    std::unique_ptr<NetLoop> loop_;
    LoopStoreQueue queue_;

    // What calls back, destroyed first.
    std::unique_ptr<LocalServer> server_;
    std::vector<std::unique_ptr<WatchedFolder>> folders_;
    std::unique_ptr<FirstContact> first_contact_;
    std::unique_ptr<Installer> installer_;
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<HubLink> link_;
    std::unique_ptr<Heartbeat> heartbeat_;
    std::unique_ptr<Housekeeping> housekeeping_;
    std::unique_ptr<Repair> repair_;
    std::unique_ptr<Timer> stop_timer_;
};

Daemon::~Daemon() {
    stop_timer_.reset();
    repair_.reset();
    housekeeping_.reset();
    heartbeat_.reset();
    link_.reset();
    outbox_.reset();
    transport_.reset();
    installer_.reset();
    first_contact_.reset();
    folders_.clear();
    server_.reset();
    loop_.reset();  // waits for the worker, which uses the rest
}

Status Daemon::start(const MakeInstaller& make_installer) {
    // 1. What a person should know before anything else.
    for (const std::string& damage : node_.store->recovery().damage)
        log_error("damage in the store; see 'tributary-agent fsck'", {{"what", damage}});
    loop_->on_signal([this](int signal) {
        if (!stopping_) log_info("stopping", {{"signal", signal}});
        stop();
    });
    queue_.when_closed([this](const Error& error) { on_store_closed(error); });
    // 2. Local verbs.
    serve();
    // 3. Watched folders.
    TRIBUTARY_TRY(watch());
    // 4. Room in the store.
    housekeeping_ = std::make_unique<Housekeeping>(*loop_, queue_, node_);
    housekeeping_->wake();
    // 5. Installs, hub and broker.
    if (make_installer)
        installer_ = make_installer({*loop_, queue_, files(), node_.world.clock, config(),
                                     [this](InstallBody body, std::function<void(Status)> done) {
                                         report_install(std::move(body), std::move(done));
                                     },
                                     [this] {
                                         if (link_) link_->on_push_decided();
                                     }});
    return meet_hub();
}

void Daemon::serve() {
    ServeHost host{*loop_,
                   queue_,
                   node_,
                   [this] { return live(); },
                   [this] { on_committed(); },
                   [this] {
                       if (link_ && link_->session_open()) repair_->begin();
                   }};
    auto server = serve_verbs(std::move(host));
    if (server)
        server_ = *std::move(server);
    else
        log_failure(LogLevel::warn, "no verbs can be served while this runs", server.error());
}

Status Daemon::watch() {
    WatchedFolder::Settings settings;
    settings.author = config().author;
    const auto level = codec::parse_level(config().store.level);
    if (!level || !codec::supported(*level))
        return fail(Errc::invalid, "[store] level '" + config().store.level +
                                       "' is not in this program; use fast or default");
    settings.level = *level;
    for (const WatchConfig& watch : config().watches) {
        const WatchedFolder::Host host{
            *loop_,
            queue_,
            files(),
            node_.world.clock,
            [this] { on_committed(); },
            [node = &node_](const auto& breathe) { return admit_recording(*node, breathe); }};
        folders_.push_back(std::make_unique<WatchedFolder>(host, watch, settings));
        folders_.back()->start();
    }
    return {};
}

// ---- the hub ----

Status Daemon::meet_hub() {
    if (config().broker.url.empty() || config().hub.url.empty()) {
        if (config().broker.url.empty() != config().hub.url.empty())
            return fail(Errc::invalid,
                        "[hub] url and [broker] url go together: the first says who we are, the "
                        "second carries everything else; give both or none");
        log_info("no hub is configured: recording only");
        return {};
    }
    TRIBUTARY_ASSIGN(const Url broker, parse_url(config().broker.url));
    if ((broker.scheme == "mqtt" || broker.scheme == "tcp") && !is_loopback(broker.host))
        log_warn(
            "the broker is reached without TLS: anybody on the way can read and change what "
            "is sent; use mqtts://",
            {{"broker", config().broker.url}});

    incarnation_ = node_.store->head().incarnation;
    TRIBUTARY_TRY(make_contact_request());
    first_contact_ =
        std::make_unique<FirstContact>(*loop_, node_.world.entropy, config().hub.url,
                                       [this](const Pins& answer) { return on_contact(answer); });
    TRIBUTARY_ASSIGN(pins_, load_pins(files(), config().pins_path()));
    if (pins_) TRIBUTARY_TRY(connect());
    contact();
    return {};
}

Status Daemon::make_contact_request() {
    const std::string name = config().hub.name.empty() ? host_name() : config().hub.name;
    TRIBUTARY_ASSIGN(const Json request, contact_request(incarnation_, *signer_, name));
    contact_request_ = request.text();
    return {};
}

void Daemon::contact() { first_contact_->begin(contact_request_); }

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
    const bool another = answer.hub_key != pins_->hub_key;
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
            begun->status = journal.begin(signer_->public_key(), uplink->receipted());
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
    if (const Status made = make_contact_request(); !made)
        return log_failure(LogLevel::error, "the hub cannot be told of it", made.error());
    journal_is_new_ = true;
    contact();
}

Status Daemon::connect() {
    MqttOptions options;
    options.url = config().broker.url;
    options.client_id = pins_->device;
    options.ca_file = config().broker.ca;
    options.certificate_file = config().broker.cert;
    options.key_file = config().broker.key;
    options.subscriptions = {sync::topic_of(pins_->device, sync::Direction::down)};
    options.will = Message{sync::topic_of(pins_->device, sync::Direction::up), sync::device_gone()};
    TRIBUTARY_ASSIGN(transport_, make_mqtt(*loop_, node_.world.entropy, std::move(options)));
    outbox_ = std::make_unique<Outbox>(*transport_, kOutboxBytesMax);
    make_link();
    if (installer_) installer_->start(*pins_);
    transport_->start(transport_events());
    return {};
}

void Daemon::make_link() {
    uplink_ = std::make_unique<Uplink>(*node_.store, *signer_, trust::system_verifier(), *pins_);
    queue_.run(
        [uplink = uplink_.get(), refused = state_.refused](Store&) {
            uplink->set_refused(refused);
            if (const Status loaded = uplink->load(); !loaded)
                log_failure(LogLevel::error, "the last receipt cannot be read", loaded.error());
        },
        {});
    std::array<std::uint8_t, 8> seed{};
    node_.world.entropy.fill(seed);
    repair_ = std::make_unique<Repair>(*loop_, queue_, config().hub.url);
    HubLink::Events events;
    events.publish = [this, topic = sync::topic_of(pins_->device, sync::Direction::up)](
                         Bytes payload) { outbox_->publish(topic, std::move(payload)); };
    events.unknown_to_hub = [this] { contact(); };
    events.opened = [this] {
        if (!alarm_.empty()) contact();  // whether it is over
        repair_->begin();
    };
    events.hub_met = [this](std::uint64_t epoch, const Incarnation& journal) {
        const bool new_epoch = std::exchange(state_.hub_epoch, epoch) != epoch;
        if (std::exchange(state_.hub_journal, journal) != journal || new_epoch) save_state();
    };
    events.split = [this](const Error& why) { on_split(why); };
    events.receipted = [this](const Receipt& receipt) { on_receipt(receipt); };
    if (Installer* const installer = installer_.get()) {
        events.assign_arrived = [installer](sync::Assign documents) {
            installer->on_assign(std::move(documents));
        };
        events.deciding = [installer] { return installer->deciding(); };
        events.expects_push = [installer] { return installer->expects_push(); };
        events.admits = [installer](const VersionId& id) { return installer->admits(id); };
        events.version_whole = [installer](const VersionId& id) {
            installer->on_version_whole(id);
        };
    }
    link_ = std::make_unique<HubLink>(*loop_, queue_, *uplink_, load_le<std::uint64_t>(seed.data()),
                                      std::move(events));
}

Transport::Events Daemon::transport_events() {
    Transport::Events events;
    events.connected = [this] {
        broker_connected_ = true;
        no_broker_.clear();
        log_info("connected to the broker", {{"broker", config().broker.url}});
        outbox_->on_connected();
        if (!another_hub_) link_->on_connected();
    };
    events.disconnected = [this](const Error& error) {
        // Also each attempt in vain: said once.
        if (broker_connected_ || no_broker_ != error.what)
            log_failure(error.code == Errc::denied ? LogLevel::error : LogLevel::warn,
                        "no broker, trying on", error);
        no_broker_ = error.what;
        if (!std::exchange(broker_connected_, false)) return;
        outbox_->on_disconnected();
        link_->on_disconnected();
    };
    events.received = [this](Message message) { link_->on_payload(std::move(message.payload)); };
    events.sent = [this](std::uint64_t) { outbox_->on_sent(); };
    return events;
}

// ---- what happened ----

void Daemon::report_install(InstallBody body, std::function<void(Status)> done) {
    const auto status = std::make_shared<Status>();
    queue_.run(
        [status, body = std::move(body)](Store& store) {
            const auto staged = store.stage_entry(body);
            *status = staged ? store.commit() : tl::make_unexpected(staged.error());
        },
        [this, status, done = std::move(done)] {
            if (*status) on_committed();
            done(std::move(*status));
        });
}

void Daemon::on_committed() {
    if (link_) link_->wake();
    if (housekeeping_) housekeeping_->wake();
}

void Daemon::on_receipt(const Receipt& receipt) {
    auto& refused = state_.refused;
    const std::size_t before = refused.size();
    for (const VersionId& version : receipt.whole) std::erase(refused, version);
    bool changed = refused.size() != before;
    for (const Receipt::Refused& item : receipt.refused) {
        if (std::find(refused.begin(), refused.end(), VersionId{item.id}) != refused.end())
            continue;
        refused.push_back(VersionId{item.id});
        changed = true;
    }
    if (changed || loop_->now() >= saved_ + kSaveEveryMs) save_state();
    if (housekeeping_) housekeeping_->wake();
}

std::uint64_t Daemon::sent_bytes() const {
    return state_.sent_bytes + (outbox_ ? outbox_->handed_over_bytes() : 0);
}

void Daemon::save_state() {
    SyncState now = state_;
    now.sent_bytes = sent_bytes();
    saved_ = loop_->now();
    if (const Status saved = save_sync_state(files(), config().sync_path(), now); !saved)
        log_failure(LogLevel::warn, "counters cannot be kept", saved.error());
}

LiveStatus Daemon::live() {
    LiveStatus live;
    live.broker_connected = broker_connected_;
    if (link_ && link_->heard()) live.hub_heard_ms = loop_->now().ms - link_->heard()->ms;
    live.hub_connected = link_ && link_->session_open() && *live.hub_heard_ms < kHeardLatelyMs;
    if (pins_) {
        live.device = pins_->device;
        live.hub = pins_->hub_name;
    }
    live.sent_bytes = sent_bytes();
    live.bytes_left = link_ ? link_->bytes_left() : 0;
    live.trouble = trouble();
    return live;
}

// What a person should look at first.
std::string Daemon::trouble() {
    if (another_hub_)
        return "at " + config().hub.url +
               " answers a hub that is not the one this board met first: nothing is sent until "
               "that one is back";
    if (transport_ && !broker_connected_ && !no_broker_.empty())
        return no_broker_ + next_try(transport_->next_attempt(), loop_->now());
    if (link_ && !link_->trouble().empty()) return link_->trouble();
    if (!alarm_.empty())
        return "the hub shows another answer than at first contact (" + alarm_ +
               "); what this board pinned holds" +
               (pins_ ? "" : "; if this is meant, remove " + config().former_pins_path());
    if (first_contact_ && !pins_ && !first_contact_->trouble().empty())
        return first_contact_->trouble();
    for (const auto& folder : folders_)
        if (!folder->trouble().empty()) return folder->trouble();
    return {};
}

// Every further commit would fail; a new start recovers what was acknowledged.
void Daemon::on_store_closed(const Error& error) {
    log_failure(LogLevel::error,
                "the store takes no more writes: ending, so that a restart recovers it", error);
    failed_ = true;
    stop();
}

// The end: no new work, the present step of the worker is finished, long work is asked to end.
void Daemon::stop() {
    if (std::exchange(stopping_, true)) return;
    service_.stopping();
    queue_.stop();
    folders_.clear();
    repair_.reset();
    housekeeping_.reset();
    link_.reset();
    installer_.reset();
    if (transport_) {
        save_state();
        transport_->stop();
    }
    stop_timer_ = loop_->at(loop_->now() + kStopMs, [this] {
        log_warn("unfinished work was given up");
        server_.reset();
        std::_Exit(static_cast<int>(failed_ ? ExitCode::error : ExitCode::ok));
    });
    // Who waits for an answer that is there gets it.
    loop_->work([] {},
                [this] {
                    const auto end = [this] { loop_->stop(); };
                    if (server_)
                        server_->when_delivered(end);
                    else
                        end();
                });
}

}  // namespace

ExitCode run_daemon(const World& world, Config config, OutputStyle style, Console& console,
                    const MakeInstaller& make_installer) {
    // A store that must be read through takes its time, which is no reason to be killed.
    Service service(take_service_address(), world.clock);
    World patient = world;
    patient.working = [&service] { service.starting(); };
    const std::string name = "tributary-agent run";
    auto node = open_node(patient, std::move(config), StoreUse::record, name, console,
                          StoreWait{kStoreWaitMs, {}, name});
    if (!node) return report(node.error(), style, console);
    auto signer = trust::load_key(world.files, node->config.key_path());
    if (!signer) return report(signer.error(), style, console);
    log_info("running", {{"state_dir", node->config.state_dir}, {"version", TRIBUTARY_VERSION}});

    Daemon daemon(*std::move(node), *std::move(signer), service);
    if (const Status started = daemon.start(make_installer); !started)
        return report(started.error(), style, console);
    const bool ended_well = daemon.run();
    log_info("stopped");
    return ended_well ? ExitCode::ok : ExitCode::error;
}

}  // namespace tributary::agent
