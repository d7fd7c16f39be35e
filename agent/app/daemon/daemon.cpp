// The daemon's start and end, and what happens in between; what it has with its hub is in
// daemon_hub.cpp.
#include "agent/app/daemon/daemon.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "agent/api/serve.h"
#include "agent/app/daemon/daemon_impl.h"
#include "agent/app/level.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kSaveEveryMs = 60'000;
// After a signal: unfinished work is given up then, as a power cut would end it.
constexpr std::uint64_t kStopMs = 800;
}  // namespace

Daemon::~Daemon() {
    stop_timer_.reset();
    repair_.reset();
    housekeeping_.reset();
    heartbeat_.reset();
    if (door_) door_->stop();
    door_.reset();
    cast_link_.reset();
    link_.reset();
    budget_.reset();
    outbox_.reset();
    transport_.reset();
    installer_.reset();
    first_contact_.reset();
    folders_.clear();
    server_.reset();
    security_.reset();
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
    // 4. Room in the store; what came of a push before this start may go on arriving.
    queue_.run([space = node_.space.get()](Store&) { space->on_push_stored(); }, {});
    housekeeping_ = std::make_unique<Housekeeping>(*loop_, queue_, node_);
    housekeeping_->wake();
    // 5. Installs, hub and broker; and what is refused of them.
    security_ = std::make_unique<SecurityLog>(*loop_, queue_, node_.world.clock,
                                              [this] { on_committed(); });
    security_->start();
    if (make_installer)
        installer_ =
            make_installer({*loop_, queue_, files(), node_.world.clock, config(), node_.trust.get(),
                            [this](InstallBody body, std::function<void(Status)> done) {
                                report_install(std::move(body), std::move(done));
                            },
                            [this] {
                                if (link_) link_->on_push_decided();
                                if (cast_link_) cast_link_->on_decided();
                            },
                            security_->listener()});
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
                   },
                   [this] { join(); }};
    auto server = serve_verbs(std::move(host));
    if (server)
        server_ = *std::move(server);
    else
        log_failure(LogLevel::warn, "no verbs can be served while this runs", server.error());
}

Status Daemon::watch() {
    WatchedFolder::Settings settings;
    settings.author = config().author;
    settings.state_dir = config().state_dir;
    // Its words were checked when the configuration was read.
    settings.level = [this] {
        const auto rate = link_ ? link_->rate().bytes_per_second() : std::nullopt;
        return level_for(config().store.level, rate).value_or(codec::Level::standard);
    };
    settings.workers = config().store.workers;
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
    queue_.run([space = node_.space.get()](Store&) { space->on_hub_there(); }, {});
    drop_former_key(receipt.sequence);
    if (housekeeping_) housekeeping_->wake();
}

std::uint64_t Daemon::sent_bytes() const {
    return state_.sent_bytes + (outbox_ ? outbox_->handed_over_bytes() : 0);
}

void Daemon::save_state() {
    SyncState now = state_;
    now.sent_bytes = sent_bytes();
    saved_ = loop_->now();
    queue_.run(
        [&files = files(), path = config().sync_path(), now](Store&) {
            if (const Status saved = save_sync_state(files, path, now); !saved)
                log_failure(LogLevel::warn, "counters cannot be kept", saved.error());
        },
        {});
}

// What was saved up for a second passes at once; it goes on no faster than configured.
std::optional<std::uint64_t> Daemon::rate_of(const sync::LinkRate& rate) const {
    auto bytes_per_second = rate.bytes_per_second();
    const std::uint64_t limit = budget_->policy().bytes_per_second;
    if (bytes_per_second && limit != 0) bytes_per_second = std::min(*bytes_per_second, limit);
    return bytes_per_second;
}

LiveStatus Daemon::live() {
    LiveStatus live;
    live.broker_connected = broker_connected_;
    if (link_ && link_->heard()) live.hub_heard_ms = loop_->now().ms - link_->heard()->ms;
    // It answers each of our Hellos.
    live.hub_connected =
        link_ && link_->session_open() && *live.hub_heard_ms < config().link.heartbeat_ms * 3 / 2;
    if (pins_) {
        live.device = pins_->device;
        live.hub = pins_->hub_name;
    }
    live.secured = secured_;
    live.sent_bytes = sent_bytes();
    if (link_) {
        live.bytes_passed = link_->bytes_passed();
        live.receipted = link_->receipted();
        live.page_bytes_left = link_->page_bytes_left();
        live.bytes_per_second = rate_of(link_->rate());
        live.bytes_to_come = link_->bytes_to_come();
        live.push_bytes_per_second = rate_of(link_->push_rate());
        live.passed_last_day_bytes = budget_->used_bytes();
        live.link_closed = budget_->closed();
        live.link_rests_ms = budget_->rest_ms();
    }
    if (const auto cast = cast_link_ ? cast_link_->progress() : std::nullopt)
        live.broadcast = {cast->version, cast->received_bytes, cast->held, cast->parts};
    live.trouble = trouble();
    live.denied = door_ && door_->denied();
    return live;
}

// What a person should look at first.
std::string Daemon::trouble() {
    if (!enrol_first_.empty()) return enrol_first_;
    if (door_ && !door_->trouble().empty()) return door_->trouble();
    if (another_hub_)
        return "at " + config().hub.url +
               " answers a hub that is not the one this board met first: nothing is sent until "
               "that one is back";
    if (transport_ && !broker_connected_ && !no_broker_.empty())
        return no_broker_ + next_try(transport_->next_attempt(), loop_->now());
    if (link_ && !link_->trouble().empty()) return link_->trouble();
    if (!broker_refuses_.empty()) return broker_refuses_;
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
    security_.reset();
    if (door_) door_->stop();
    door_.reset();
    cast_link_.reset();
    if (link_ && !failed_) link_->leave();
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
    auto passphrase = IdentityPassphrase::load(world.files, node->config);
    if (!passphrase) return report(passphrase.error(), style, console);
    auto identity = load_identity(world.files, node->config.key_path(), passphrase->get());
    if (!identity) return report(identity.error(), style, console);
    log_info("running", {{"state_dir", node->config.state_dir}, {"version", TRIBUTARY_VERSION}});

    Daemon daemon(*std::move(node), *std::move(passphrase), *std::move(identity), service);
    if (const Status started = daemon.start(make_installer); !started)
        return report(started.error(), style, console);
    const bool ended_well = daemon.run();
    log_info("stopped");
    return ended_well ? ExitCode::ok : ExitCode::error;
}

}  // namespace tributary::agent
