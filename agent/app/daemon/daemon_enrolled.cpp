// What the daemon of a board that was enrolled, or is to be, does otherwise: who it is stands in
// its certificate, whom it believes in its root document, and there is no first contact.
#include <utility>

#include "agent/app/daemon/daemon_impl.h"
#include "agent/trust/enrolment.h"
#include "agent/trust/key_succession.h"
#include "common/net/peer_url.h"
#include "common/text/log.h"

namespace tributary::agent {
namespace {

bool is_https(const std::string& url) {
    const auto parsed = parse_hub_url(url);
    return parsed && is_tls(*parsed);
}

}  // namespace

// Never back: once a root document is there, or may have been.
bool Daemon::is_secured() {
    return !node_.trust || node_.trust->enrolled() || is_https(node_.config.hub.url);
}

// Empty: nothing stands against speaking with the hub.
std::string Daemon::reason_to_enrol() {
    if (!node_.trust) return node_.trust_trouble;
    const std::string how =
        "run 'tributary-agent enroll --token TEXT' with a token of 'tributary "
        "device token'; recording goes on meanwhile";
    if (!node_.trust->enrolled()) return "enrol first: " + how;
    if (!pins_ || !certified_)
        return "enrol first, this board's certificate is gone or another machine's: " + how;
    if (!is_https(hub_url()))
        return "this board was enrolled, and speaks with its hub by https:// alone: [hub] url says "
               "'" +
               hub_url() + "'; take it out, enrolment brought the address along";
    const auto broker = parse_broker_url(reach_.broker.url);
    if (!broker || !is_tls(*broker))
        return "this board was enrolled, and speaks with its broker by mqtts:// alone: [broker] "
               "url says '" +
               reach_.broker.url + "'; take it out, enrolment brought the address along";
    return {};
}

Status Daemon::meet_secured_hub() {
    if (node_.trust && node_.trust->was_damaged())
        log_error("a file of what this board believes was damaged; what was saved before holds",
                  {{"path", config().trust_path()}});
    if (auto pins = load_pins(files(), config().pins_path()))
        pins_ = *std::move(pins);
    else
        log_failure(LogLevel::error, "who this board is at its hub", pins.error());
    reach_ = pins_ ? as_enrolled(config(), *pins_) : config();
    enrol_first_ = reason_to_enrol();
    if (!enrol_first_.empty()) {
        log_warn("no hub is spoken with", {{"why", enrol_first_}});
        return {};
    }
    const Root& root = node_.trust->root()->root;
    follow_root(*pins_, root);
    TRIBUTARY_TRY(keep_authorities(files(), config().ca_path(), root));
    log_info("enrolled", {{"device", pins_->device}, {"root", root.version}, {"hub", hub_url()}});
    return connect();
}

// Somebody asked who this board is: perhaps it was enrolled meanwhile.
void Daemon::join() {
    if (link_ || stopping_ || first_contact_ || !node_.trust) return;
    const auto identity = std::make_shared<Result<Identity>>();
    queue_.run(
        [this, identity](Store&) {
            const Status reloaded = node_.trust->reload();
            *identity = reloaded ? load_identity(files(), config().key_path(), passphrase_.get())
                                 : Result<Identity>(tl::make_unexpected(reloaded.error()));
        },
        [this, identity] {
            if (link_ || stopping_) return;
            if (!*identity)
                return log_failure(LogLevel::error, "this board's identity", identity->error());
            if (node_.trust->enrolled()) joined(std::move(**identity));
        });
}

void Daemon::joined(Identity identity) {
    secured_ = true;
    certified_ = identity.says.has_value();
    keys_.key = std::move(identity.key);
    if (const Status met = meet_secured_hub(); !met)
        log_failure(LogLevel::error, "sync cannot begin", met.error());
}

void Daemon::make_door() {
    take_former_key();
    HubDoor::Host host{*loop_,    queue_,
                       node_,     keys_,
                       *uplink_,  passphrase_,
                       hub_url(), reach_.hub_trust(),
                       *pins_,    board_name(),
                       {},        {},
                       {},        security_->listener()};
    host.pins_changed = [this](const Pins& pins) { on_new_pins(pins); };
    host.key_changed = [this] { on_new_key(); };
    host.journal_known = [this] { begin_session_anew(); };
    door_ = std::make_shared<HubDoor>(std::move(host));
    door_->look();
}

// Who was not believed may be now, and the other way round: the next Hello does not wait for its
// time.
void Daemon::on_new_pins(const Pins& pins) {
    const bool other_keys = pins_->hub_keys != pins.hub_keys;
    pins_ = pins;
    if (installer_) installer_->start(pins);
    if (other_keys) begin_session_anew();
}

void Daemon::begin_session_anew() {
    if (!broker_connected_) return;
    link_->on_disconnected();
    link_->on_connected();
}

// With the new certificate, at once: the broker may have refused the one before for minutes to
// come. That the old connection ends may hold the loop up for a moment, once in more than a year.
void Daemon::on_new_key() {
    link_->plan_anew();
    if (std::exchange(broker_connected_, false)) {
        link_->on_disconnected();
        if (cast_link_) cast_link_->on_disconnected();
    }
    const std::uint64_t sent = sent_bytes();
    if (const Status opened = open_transport(); !opened)
        return log_failure(LogLevel::error, "no connection with the new certificate",
                           opened.error());
    state_.sent_bytes = sent;
    transport_->start(transport_events());
}

// Of a change of keys before this start, while the hub has not receipted all that the key before
// must seal.
void Daemon::take_former_key() {
    queue_.run(
        [this](Store& store) {
            KeySuccession keys(files(), store, config(), node_.trust.get(), passphrase_.get());
            auto former = keys.former();
            if (!former)
                return log_failure(LogLevel::error, "the key before the last", former.error());
            if (!*former) return;
            keys_.former = *std::move(former);
            uplink_->set_signer(*keys_.key, keys_.former->key.get(), keys_.former->until);
        },
        {});
}

void Daemon::drop_former_key(std::uint64_t receipted) {
    if (!door_) return;
    queue_.run(
        [this, receipted](Store& store) {
            if (!keys_.former) return;
            KeySuccession keys(files(), store, config(), node_.trust.get(), passphrase_.get());
            const auto forgotten = keys.forget_former(receipted);
            if (!forgotten)
                return log_failure(LogLevel::warn, "the key before the last stays for now",
                                   forgotten.error());
            if (!*forgotten) return;
            uplink_->set_signer(*keys_.key, nullptr, 0);
            keys_.former.reset();
        },
        {});
}

}  // namespace tributary::agent
