// The parts of the daemon, joined. One thread, the loop's, owns all state; the store is used on the
// loop's worker only, through the StoreQueue. What needs the hub begins when the hub is known;
// nothing else waits for it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "agent/app/daemon/daemon.h"
#include "agent/app/daemon/first_contact.h"
#include "agent/app/daemon/housekeeping.h"
#include "agent/app/daemon/hub_door.h"
#include "agent/app/daemon/repair.h"
#include "agent/app/daemon/watched_folder.h"
#include "agent/sync/cast_link.h"
#include "agent/sync/hub_link.h"
#include "agent/sync/kept_beginning.h"
#include "agent/sync/loop_store_queue.h"
#include "agent/sync/security_log.h"
#include "agent/sync/sync_state.h"
#include "common/env/service.h"
#include "common/net/mqtt.h"
#include "common/net/outbox.h"
#include "common/net/unix_socket.h"
#include "common/text/said_once.h"

namespace tributary::agent {

class Daemon {
public:
    Daemon(Node node, IdentityPassphrase passphrase, Identity identity, Service& service)
        : node_(std::move(node)),
          passphrase_(std::move(passphrase)),
          certified_(identity.says.has_value()),
          keys_{std::move(identity.key), {}},
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

    // daemon.cpp
    void serve();
    Status watch();
    void on_receipt(const Receipt& receipt);
    void report_install(InstallBody body, std::function<void(Status)> done);
    void on_committed();
    LiveStatus live();
    std::optional<std::uint64_t> rate_of(const sync::LinkRate& rate) const;
    std::string trouble();
    std::uint64_t sent_bytes() const;
    void save_state();
    void on_store_closed(const Error& error);
    void stop();

    // daemon_hub.cpp
    Status meet_hub();
    Status meet_plain_hub();
    std::string hub_url() const;
    std::string board_name() const;
    Status make_contact_request();
    void contact();
    bool on_contact(const Pins& answer);
    bool keep_pins(const Pins& answer);
    void compare_with_pins(const Pins& answer);
    std::string difference_from_before(const Pins& answer);
    void on_split(const Error& why);
    void on_new_journal(const Incarnation& before, const Error& why);
    Status connect();
    Status open_transport();
    void make_link();
    void make_cast_link(HubLink::Events& events, std::uint64_t seed);
    void on_message(Message message);
    Transport::Events transport_events();

    // daemon_enrolled.cpp
    bool is_secured();
    Status meet_secured_hub();
    std::string reason_to_enrol();
    void join();
    void joined(Identity identity);
    void make_door();
    void take_former_key();
    void drop_former_key(std::uint64_t receipted);
    void on_new_pins(const Pins& pins);
    void begin_session_anew();
    void on_new_key();

    Node node_;  // its store: on the worker
    IdentityPassphrase passphrase_;
    Config reach_;             // where hub and broker are, once that is known
    bool secured_ = false;     // enrolment, not first contact
    bool certified_ = false;   // key.pem holds a certificate
    JournalKeys keys_;         // on the worker, once the link is made
    std::string enrol_first_;  // why a secured hub is not spoken with; empty: it is
    Service& service_;
    Incarnation incarnation_;  // of our journal
    std::string contact_request_;
    std::optional<Pins> pins_;
    std::optional<MonoTime> split_;   // when we last went on in a new journal
    bool journal_is_new_ = false;     // its first contact is still to be answered
    std::unique_ptr<Uplink> uplink_;  // on the worker
    KeptBeginning kept_beginning_{files(), config().beginning_path()};
    SyncState state_;  // as of the last save, but for sent_bytes
    MonoTime saved_;
    std::string alarm_;         // what of the hub's answer is not as pinned
    bool another_hub_ = false;  // its key is not the pinned one: nothing is said to anybody
    std::string no_broker_;     // why, as it was heard last
    SaidOnce no_broker_said_;
    std::string broker_refuses_;  // though it lets us in; until it grants such a thing
    bool broker_connected_ = false;
    bool stopping_ = false;
    bool failed_ = false;  // the store takes no more writes

    std::unique_ptr<NetLoop> loop_;
    LoopStoreQueue queue_;

    std::unique_ptr<SecurityLog> security_;  // outlives who tells it

    // What calls back, destroyed first.
    std::unique_ptr<LocalServer> server_;
    std::vector<std::unique_ptr<WatchedFolder>> folders_;
    std::unique_ptr<FirstContact> first_contact_;
    std::unique_ptr<Installer> installer_;
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<LinkBudget> budget_;
    std::unique_ptr<HubLink> link_;
    std::unique_ptr<CastLink> cast_link_;  // with an installer
    std::shared_ptr<HubDoor> door_;        // of a board that is enrolled; the worker keeps it, too
    std::unique_ptr<Heartbeat> heartbeat_;
    std::unique_ptr<Housekeeping> housekeeping_;
    std::unique_ptr<Repair> repair_;
    std::unique_ptr<Timer> stop_timer_;
};

}  // namespace tributary::agent
