#include "hub/app/hub.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "common/net/mqtt.h"
#include "common/sync/topics.h"
#include "common/text/log.h"
#include "common/trust/trust.h"

namespace tributary::hub {
namespace {

// Among the deadlines; no device is called so.
constexpr std::string_view kCasts = "";
// Unsent messages to all devices together; what is over it is dropped and asked for again.
constexpr std::size_t kOutboxBytesMax = 64 * limits::MiB;
// Of them, of broadcasts: so that what devices are told waits for no more than this.
constexpr std::size_t kCastBytesMax = 512 * limits::KiB;
// One client, near its broker: back within a minute once that was mended.
constexpr std::uint32_t kRefusedRetryMsMax = 60'000;
constexpr std::uint64_t kLeaveMs = 800;        // boards that were not told by then find out
constexpr std::uint64_t kRoomEveryMs = 5'000;  // it is looked whether there is room by now
constexpr std::uint64_t kSecurityEveryMs = 3'600'000;
// Records and seals that wait for the worker, of up to 3 MiB each; what is more is checked at once.
constexpr std::size_t kBesideMax = 64;
constexpr std::uint64_t kProgressMs = 2'000;  // between two lines about long work in the store

// What is set aside when the broker refuses it: a device, or all broadcasts, each of which has a
// topic of its own.
std::string set_aside_as(const std::string& topic) {
    return topic.starts_with(sync::cast_topics()) ? sync::cast_topics() : topic;
}

Result<std::vector<Bytes>> read_approver_keys(Files& files, const std::vector<std::string>& paths) {
    std::vector<Bytes> keys;
    for (const std::string& path : paths) {
        auto pem = read_file(files, path, 64 * limits::KiB);
        // A key that the configuration names and that is not there is a slip in it.
        if (!pem)
            return fail(pem.error().code == Errc::not_found ? Errc::invalid : pem.error().code,
                        "[approval] keys: " + pem.error().what);
        auto key = trust::parse_public_key_pem(as_text(*pem));
        if (!key) return with_context("approver key " + path, key.error());
        keys.push_back(*std::move(key));
    }
    return keys;
}

}  // namespace

Hub::Hub(const World& world, HubConfig config, std::optional<Secured> secured)
    : world_(world),
      config_(std::move(config)),
      secured_(std::move(secured)),
      credit_(config_.broker_queue_bytes / 2),
      to_fold_(config_.merge_delay_ms) {}

Hub::~Hub() {
    if (transport_) transport_->stop();
}

Result<std::unique_ptr<Hub>> Hub::start(const World& world, HubConfig config,
                                        std::optional<Secured> secured) {
    auto hub = std::unique_ptr<Hub>(new Hub(world, std::move(config), std::move(secured)));
    TRIBUTARY_TRY(hub->open());
    TRIBUTARY_TRY(hub->connect());
    return hub;
}

Result<std::unique_ptr<Store>> open_hub_store(const World& world, const HubConfig& config) {
    StoreOptions options;
    options.segment_bytes = limits::kSegmentBytesHub;
    options.chain_depth_max = limits::kChainDepthMaxHub;
    options.holder = "tributary-hub run";
    options.progress = [world, last = MonoTime{}](std::string_view what, std::uint64_t done,
                                                  std::uint64_t total) mutable {
        if (world.working) world.working();
        const MonoTime now = world.clock.mono();
        if (now < last + kProgressMs) return;
        last = now;
        log_info("store at work", {{"step", what}, {"done", done}, {"of", total}});
    };
    auto store = Ledger::open_store(world.files, world.clock, world.entropy, config.state_dir,
                                    std::move(options));
    if (!store && store.error().code == Errc::conflict && store.error().native == EWOULDBLOCK)
        return fail(Errc::conflict, store.error().what +
                                        ": a hub runs with this state_dir already; stop that one, "
                                        "or give this one a state_dir of its own");
    return store;
}

Status Hub::open() {
    TRIBUTARY_TRY(check_policies(config_));
    std::unique_ptr<Store> store = secured_ ? std::move(secured_->store) : nullptr;
    if (!store) {
        TRIBUTARY_ASSIGN(store, open_hub_store(world_, config_));
    }
    const trust::Passphrase* const key_passphrase =
        secured_ && secured_->key_passphrase ? &*secured_->key_passphrase : nullptr;
    TRIBUTARY_ASSIGN(
        ledger_, Ledger::open_on(std::move(store), world_.files, world_.entropy, config_.state_dir,
                                 secured_ ? Epoch::by_key : Epoch::same, key_passphrase));
    ledger_->when_closed([this](const Error& error) {
        log_failure(LogLevel::error,
                    "the store takes no more writes: ending, so that a restart recovers it", error);
        failed_ = true;
        world_.loop.stop();
    });
    for (const std::string& damage : ledger_->store().recovery().damage)
        log_error("damage in the store", {{"what", damage}});

    security_ = std::make_unique<SecurityLog>(*ledger_, world_.clock, world_.loop.now());
    arm_security();
    if (secured_) TRIBUTARY_TRY(secure());
    TRIBUTARY_ASSIGN(std::vector<Bytes> approvers,
                     read_approver_keys(world_.files, config_.approvers));
    if (roots_)
        for (const Root::NamedKey& approver : roots_->newest().approvers)
            approvers.push_back(approver.key);
    registry_ =
        std::make_unique<Registry>(*ledger_, world_.clock, approvers,
                                   roots_ ? roots_->newest().approver_threshold : kApprovalsNeeded);
    TRIBUTARY_ASSIGN(const Registry::SignedAnew anew, registry_->sign_anew());
    tell(anew);
    contact_ = std::make_unique<Contact>(*ledger_, config_, std::move(approvers));
    merger_ = std::make_unique<Merger>(*ledger_, config_);
    // A timer comes after the messages that have arrived meanwhile: they share the commit.
    commits_ = std::make_unique<CommitGroup>(*ledger_, [this] {
        commit_timer_ =
            world_.loop.at(world_.loop.now(), [this] { commits_->flush(world_.loop.now()); });
    });
    room_ = std::make_unique<Room>(ledger_->store(), [this] { on_waits_for_room(); });
    pushes_ =
        std::make_unique<Pushes>(*ledger_, &walks_, [this](std::function<void(MonoTime now)> then) {
            world_.loop.post([this, then = std::move(then)] { then(world_.loop.now()); });
        });
    make_casts();
    for (const auto& [device, last] : take_last_heard(world_.files, config_.state_dir))
        if (ledger_->catalog().device(device)) link_of(device).recall(last);
    const std::vector<std::string> repos = ledger_->catalog().repositories();
    on_advanced({repos.begin(), repos.end()});
    return {};
}

// What was ordered by a key that is gone, each for a person to look at.
void Hub::tell(const Registry::SignedAnew& anew) {
    for (const Assignment& assignment : anew.given)
        log_info("an assignment that nobody answered yet is signed by the new key",
                 {{"device", assignment.device},
                  {"model", assignment.model},
                  {"version", assignment.version.text()},
                  {"number", assignment.number}});
    for (const auto& [device, model, why] : anew.left)
        log_warn("an assignment that nobody answered yet is not signed by the new key, and ends",
                 {{"device", device}, {"model", model}, {"why", why}});
}

Status Hub::secure() {
    auto roots = RootShelf::of(secured_->roots, ledger_->signer().public_key());
    if (!roots) return with_context("the root documents", roots.error());
    roots_ = *std::move(roots);
    // Before anything that is judged by it.
    if (const std::uint64_t newest = roots_->newest().version;
        ledger_->catalog().root_followed().version < newest)
        TRIBUTARY_TRY(ledger_->append({RootFollowedBody{newest, roots_->digest()}}));
    enrolment_ = std::make_unique<Enrolment>(
        *ledger_, secured_->authority, world_.clock, world_.entropy,
        Enrolment::Options{
            config_.devices_url, config_.device_life_ms,
            [this](const std::string& device) { return denied_without_reason().contains(device); },
            secured_->door_authority},
        [this] { return roots_->digest(); },
        [this](const std::string& device) { on_standing_changed(device); });
    issuers_ = std::make_unique<IssuerCount>(world_.loop, world_.files, *ledger_, roots_->newest(),
                                             config_.state_dir);
    shut_out();
    for (const std::string& device : denied_without_reason())
        log_error(
            "the broker denies a device, and this store does not know why: it was put back "
            "from a backup, or the list was changed by hand; it stays denied",
            {{"device", device},
             {"if_it_was_revoked", "tributary device revoke " + device},
             {"if_not", "tributary device token --replaces " + device}});
    return {};
}

// Not heard here in any case: what the broker does about it only spares it and us some work.
void Hub::shut_out() {
    if (!secured_->broker) return;
    const Members& members = ledger_->catalog().members();
    if (auto told = secured_->broker->deny({members.revoked(), members.revoked_serials()}); !told)
        log_failure(LogLevel::error, "the broker was not told who is revoked", told.error());
}

std::set<std::string> Hub::denied_without_reason() const {
    if (!secured_ || !secured_->broker) return {};
    return secured_->broker->unexplained();
}

// Its entry is durable: of one that was revoked nothing is taken from here on, whatever the broker
// does.
void Hub::on_standing_changed(const std::string& device) {
    const Member* member = ledger_->catalog().members().member(device);
    if (member && member->journals.size() == 1 && member->certificates.size() == 1 &&
        !ledger_->catalog().members().revocation_of(device)) {
        // Nobody was called so before; but the broker may deny the name (unexplained()).
        if (!secured_->broker || !denied_without_reason().contains(device)) return;
        secured_->broker->settle(device);
        return shut_out();
    }
    link_of(device).on_standing_changed(world_.loop.now());
    note_deadline(device);
    if (ledger_->catalog().members().revocation_of(device)) forget_refusals(device);
    if (secured_->broker) secured_->broker->settle(device);
    shut_out();
    // Of a board whose place another one took, the connection may still be open.
    if (secured_->broker && !ledger_->catalog().members().revocation_of(device))
        secured_->broker->cut(device);
}

void Hub::make_casts() {
    CastRoom::Events events;
    events.publish = [this](const std::string& topic, Bytes payload) {
        publish(topic, std::move(payload), Priority::model);
    };
    events.finished = [this](const std::string& device, std::uint64_t number, bool whole) {
        link_of(device).on_cast_finished(world_.loop.now(), number, whole);
        deadlines_.set(device, link_of(device).next_deadline());
    };
    events.prepared = [this](const std::string& device) {
        link_of(device).on_assigned(world_.loop.now());
        deadlines_.set(device, link_of(device).next_deadline());
    };
    events.walks = &walks_;
    events.post = [this](std::function<void()> task) {
        world_.loop.post([this, task = std::move(task)] {
            task();
            arm_deadline();
        });
    };
    casts_ = std::make_unique<CastRoom>(*ledger_, world_.clock, world_.entropy, std::move(events));
}

// As fast as the broker takes it.
void Hub::feed_casts() {
    if (casts_->running() == 0) return;
    casts_->on_room(kCastBytesMax -
                    std::min(kCastBytesMax, outbox_->queued_bytes(Priority::model)));
    arm_deadline();
}

Status Hub::connect() {
    MqttOptions options;
    options.url = config_.broker_url;
    options.client_id = "hub-" + ledger_->store().head().incarnation.text().substr(0, 12);
    options.ca_file = config_.broker_ca;
    options.certificate_file = config_.broker_certificate;
    options.key_file = config_.broker_key;
    if (secured_) {
        options.client_id = trust::kHubCommonName;  // as its certificate calls it at the broker
        if (secured_->broker_passphrase)
            options.key_passphrase = secured_->broker_passphrase->text();
    }
    options.subscriptions = {sync::up_filter_all()};
    options.refused_retry_ms_max = kRefusedRetryMsMax;
    options.outlives_refusals = true;  // who may not be told something is one board of many
    TRIBUTARY_ASSIGN(transport_, make_mqtt(world_.loop, world_.entropy, std::move(options)));
    outbox_ = std::make_unique<Outbox>(*transport_, kOutboxBytesMax);

    Transport::Events events;
    events.connected = [this] { on_connected(); };
    events.disconnected = [this](const Error& error) {
        broker_connected_ = false;
        outbox_->on_disconnected();
        casts_->on_disconnected();
        broker_trouble_ = error.what;
        if (!broker_trouble_said_.is_new(error.what)) return;
        log_failure(error.code == Errc::denied ? LogLevel::error : LogLevel::warn,
                    "no broker, trying on", error);
    };
    events.received = [this](Message message) { on_message(std::move(message)); };
    events.sent = [this](std::uint64_t token) { on_sent(token); };
    events.refused = [this](const std::string& topic, const Error& error) {
        on_topic_refused(topic, error);
    };
    transport_->start(std::move(events));
    return {};
}

void Hub::leave(std::function<void()> done) {
    if (left_) return;
    commits_->flush(world_.loop.now());
    for (const auto& [device, link] : links_) link->on_leaving(world_.loop.now());
    left_ = std::move(done);
    leave_timer_ = world_.loop.at(world_.loop.now() + kLeaveMs, [this] { end(); });
    end_when_left();
}

// Once all were told, and nothing of what they sent is being looked at.
void Hub::end_when_left() {
    if (left_ && beside_ == 0 && (!broker_connected_ || outbox_->idle())) end();
}

// An upgrade shall not cost each of them what came since the last commit.
void Hub::end() {
    leave_timer_.reset();
    if (const Status kept = ledger_->keep_staged(); !kept)
        log_failure(LogLevel::warn, "what came last is not kept, and is sent again", kept.error());
    LastHeardOf heard;
    for (const auto& [device, link] : links_) {
        link->keep_what_came();
        if (const LinkStatus& last = link->status(); last.last_message.ms != 0)
            heard[device] = {last.last_message, last.last_receipt};
    }
    if (const Status kept = keep_last_heard(world_.files, config_.state_dir, heard); !kept)
        log_failure(LogLevel::warn, "when boards were last heard of is not kept", kept.error());
    std::exchange(left_, nullptr)();
}

void Hub::publish(std::string topic, Bytes payload, Priority priority) {
    if (refused_topics_.rests(set_aside_as(topic), now())) return;
    outbox_->publish(std::move(topic), std::move(payload), priority);
}

// Everybody else goes on.
void Hub::on_topic_refused(const std::string& topic, const Error& error) {
    ++broker_refusals_;
    outbox_->drop(topic);
    const std::string aside = set_aside_as(topic);
    // Before anything that may send there again.
    const bool tell = refused_topics_.on_refused(aside, error, now());
    if (aside == sync::cast_topics()) casts_->give_up();
    if (tell)
        log_failure(LogLevel::error, "the broker refuses something",
                    {error.code, broker_refuses(), error.native});
}

std::string Hub::broker_refuses(const std::string& device) const {
    return refused_topics_.trouble(sync::topic_of(device, sync::Direction::down), now());
}

void Hub::forget_refusals(const std::string& device) {
    refused_topics_.forget(sync::topic_of(device, sync::Direction::down));
}

void Hub::on_sent(std::uint64_t token) {
    const std::string topic = outbox_->on_sent(token);
    refused_topics_.on_taken(set_aside_as(topic), now());
    feed_casts();
    end_when_left();
}

// For all devices to say Hello in: two hundred a second are answered with time to spare.
std::uint32_t Hub::spread_ms() const {
    return static_cast<std::uint32_t>(std::clamp<std::uint64_t>(
        ledger_->catalog().devices().size() * 5, sync::kSpreadMsMin, 600'000));
}

// Devices that were in a session with an earlier life of this hub are told at once, instead of
// finding out by their next Hello.
void Hub::on_connected() {
    broker_connected_ = true;
    broker_trouble_.clear();
    broker_trouble_said_.is_over();
    refused_topics_.clear();
    outbox_->on_connected();
    log_info("connected to the broker", {{"url", config_.broker_url}});
    casts_->on_connected();
    casts_->on_room(kCastBytesMax);
    for (const auto& [device, known] : ledger_->catalog().devices()) {
        link_of(device).on_connected(world_.loop.now(), spread_ms(),
                                     transport_->payload_bytes_max());
        note_deadline(device);
    }
}

void Hub::on_message(Message message) {
    const auto topic = sync::parse_topic(message.topic);
    if (!topic || topic->direction != sync::Direction::up ||
        !ledger_->catalog().device(topic->device)) {
        // Counted and shown, never answered: an unknown sender gets nothing to work with.
        if (++unknown_messages_ <= 10 || unknown_messages_ % 1000 == 0)
            log_warn("message from an unknown device dropped",
                     {{"topic", message.topic}, {"so_far", unknown_messages_}});
        note_refused({std::string(name_of(SecurityEvent::unknown_device)), "",
                      "a message on topic " + message.topic, ""});
        return;
    }
    link_of(topic->device).on_payload(world_.loop.now(), std::move(message.payload));
    note_deadline(topic->device);
}

DeviceLink& Hub::link_of(const std::string& device) {
    std::unique_ptr<DeviceLink>& link = links_[device];
    if (!link) {
        DeviceLink::Events events;
        events.publish = [this](const std::string& to, Bytes payload, Priority priority) {
            publish(sync::topic_of(to, sync::Direction::down), std::move(payload), priority);
        };
        events.advanced = [this](const std::string& from, const std::set<std::string>& repos) {
            on_advanced(repos);
            casts_->review(from);
        };
        events.credit = &credit_;
        events.walks = &walks_;
        events.pushes = pushes_.get();
        events.admits = [this, device](std::uint64_t bytes) {
            return room_->admits(device, bytes);
        };
        events.needs_no_room = [this, device] { room_->forget(device); };
        events.invite = [this, device](const InstallState& state) {
            const std::string down = sync::topic_of(device, sync::Direction::down);
            const bool reached = !refused_topics_.rests(sync::cast_topics(), now()) &&
                                 !refused_topics_.rests(down, now());
            return reached ? casts_->invite(device, state) : std::nullopt;
        };
        events.cast_serves = [this, device](std::uint64_t number) {
            return casts_->serves(device, number);
        };
        events.cast_is_prepared_for = [this, device](std::uint64_t number) {
            return casts_->prepares_for(device, number);
        };
        events.session_opened = [this, device] { casts_->on_session(device); };
        events.cast_reported = [this, device](sync::CastReport report) {
            casts_->on_report(device, std::move(report));
        };
        events.refused = [this, device](SecurityEvent event, std::string why) {
            note_refused({std::string(name_of(event)), device, std::move(why), ""});
        };
        events.root_version = [this] { return roots_ ? roots_->newest().version : 0; };
        events.accept = [this, device](JournalPart part, CommitGroup::Done done) {
            commits_->add(std::move(part), [this, device, done = std::move(done)](
                                               MonoTime now, const Status& durable) {
                done(now, durable);
                note_deadline(device);
            });
        };
        events.sign = [this](MonoTime now, Bytes payload, CommitGroup::Signed then) {
            commits_->sign(now, std::move(payload), std::move(then));
        };
        events.beside = [this, device](std::function<void()> work,
                                       std::function<void(MonoTime)> then) {
            if (beside_ == kBesideMax) {
                work();
                return then(world_.loop.now());
            }
            ++beside_;
            world_.loop.work(std::move(work), [this, device, then = std::move(then)] {
                --beside_;
                then(world_.loop.now());
                note_deadline(device);
                end_when_left();
            });
        };
        events.later = [this, device](std::function<void(MonoTime now)> then) {
            world_.loop.post([this, device, then = std::move(then)] {
                then(world_.loop.now());
                note_deadline(device);
            });
        };
        link = std::make_unique<DeviceLink>(device, *ledger_, world_.clock, world_.entropy.number(),
                                            std::move(events), config_.quarantine_after);
    }
    return *link;
}

const DeviceLink* Hub::link(const std::string& device) const {
    const auto found = links_.find(device);
    return found == links_.end() ? nullptr : found->second.get();
}

Status Hub::release(const std::string& device, const std::string& actor) {
    if (!ledger_->catalog().device(device))
        return fail(Errc::not_found,
                    "no device is called '" + device + "'; `tributary device list` names them");
    TRIBUTARY_TRY(link_of(device).release(world_.loop.now(), actor));
    note_deadline(device);
    return {};
}

void Hub::push_to(const std::string& device) {
    link_of(device).on_assigned(world_.loop.now());
    note_deadline(device);
}

void Hub::on_waits_for_room() {
    log_error(
        "the disk has no room for what boards recorded: they keep it, and send it by "
        "themselves when there is; `tributary device list` tells how much",
        {{"state_dir", config_.state_dir},
         {"device", room_->waiting().front().device},
         {"bytes", room_->waiting().front().bytes},
         {"kept_free", Room::kReserveBytes}});
    room_timer_ = world_.loop.at(now() + kRoomEveryMs, [this] { call_waiting(); });
}

void Hub::call_waiting() {
    const auto called =
        room_->call([this](const std::string& device) { return link_of(device).is_heard(now()); });
    for (const std::string& device : called) {
        link_of(device).on_room(now(), spread_ms());
        note_deadline(device);
    }
    if (room_->waiting().empty())
        log_info(called.empty() ? "no board waits for room on the disk any more"
                                : "the disk has room for what boards recorded",
                 {{"state_dir", config_.state_dir}});
    else
        room_timer_ = world_.loop.at(now() + kRoomEveryMs, [this] { call_waiting(); });
}

void Hub::on_advanced(const std::set<std::string>& repos) {
    for (const std::string& repo : repos) to_fold_.advanced(repo, world_.loop.now());
    arm_fold();
}

void Hub::arm_security() {
    security_timer_ = world_.loop.at(world_.loop.now() + kSecurityEveryMs, [this] {
        security_->flush(world_.loop.now());
        arm_security();
    });
}

void Hub::arm_fold() {
    fold_timer_.reset();
    if (const auto next = to_fold_.next()) fold_timer_ = world_.loop.at(*next, [this] { fold(); });
}

// One repository a turn.
void Hub::fold() {
    if (const auto repo = to_fold_.take_due(now())) {
        const MonoTime began = now();
        const auto folded = merger_->fold(*repo);
        to_fold_.took(*repo, began, now());
        if (!folded) on_not_folded(*repo, folded.error());
    }
    arm_fold();
}

void Hub::on_not_folded(const std::string& repo, const Error& error) {
    log_failure(LogLevel::error, "heads of " + repo + " could not be folded", error);
    if (merger_->leaves_alone(repo))
        to_fold_.given_up(repo, now());
    else
        to_fold_.failed(repo, now());
}

// After anything that a link was told.
void Hub::note_deadline(const std::string& device) {
    deadlines_.set(device, link_of(device).next_deadline());
    arm_deadline();
}

void Hub::arm_deadline() {
    deadlines_.set(std::string(kCasts), casts_->next_deadline());
    const std::optional<MonoTime> next = deadlines_.next();
    if (next == deadline_armed_) return;
    deadline_armed_ = next;
    deadline_timer_ = next ? world_.loop.at(*next, [this] { on_deadline(); }) : nullptr;
}

void Hub::on_deadline() {
    const MonoTime now = world_.loop.now();
    deadline_armed_.reset();
    for (const std::string& device : deadlines_.take_due(now)) {
        if (device == kCasts) {
            casts_->on_tick();
            continue;
        }
        link_of(device).on_tick(now);
        deadlines_.set(device, link_of(device).next_deadline());
    }
    arm_deadline();
}

}  // namespace tributary::hub
