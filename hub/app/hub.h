// The hub as one process: ledger, intake over MQTT, folding, registry, and the HTTP interface. One
// loop owns it all.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "common/env/command.h"
#include "common/net/loop.h"
#include "common/net/outbox.h"
#include "common/net/refused_topics.h"
#include "common/text/said_once.h"
#include "hub/app/deadlines.h"
#include "hub/cast/cast_room.h"
#include "hub/config/config.h"
#include "hub/enrol/contact.h"
#include "hub/enrol/enrolment.h"
#include "hub/enrol/issuer_count.h"
#include "hub/enrol/root_shelf.h"
#include "hub/enrol/secured.h"
#include "hub/intake/device_link.h"
#include "hub/intake/room.h"
#include "hub/lineage/fold_schedule.h"
#include "hub/lineage/merger.h"
#include "hub/registry/registry.h"
#include "hub/store/ledger.h"
#include "hub/store/security_log.h"

namespace tributary::hub {

struct World {
    NetLoop& loop;
    Files& files;
    Clock& clock;
    Entropy& entropy;
    std::function<void()> working = {};  // told at each step of long work, which blocks the loop
    CommandRunner& commands = system_commands();
};

// The store in state_dir, whose lock is held as long as it lives. conflict, with what to do, when
// another hub has it.
Result<std::unique_ptr<Store>> open_hub_store(const World& world, const HubConfig& config);

class Hub {
public:
    // Opens the store and begins to connect to the broker. The loop is run by the caller. Without
    // `secured` boards are trusted at first contact.
    static Result<std::unique_ptr<Hub>> start(const World& world, HubConfig config,
                                              std::optional<Secured> secured = {});
    ~Hub();

    // Tells the boards that it goes, keeps what they sent so far, then calls `done`, within a
    // second.
    void leave(std::function<void()> done);

    Ledger& ledger() { return *ledger_; }
    Registry& registry() { return *registry_; }
    Contact& contact() { return *contact_; }
    // All three nullptr when the hub is not secured.
    Enrolment* enrolment() { return enrolment_.get(); }
    // Devices that the broker denies although this store knows no revocation of them.
    std::set<std::string> denied_without_reason() const;
    const RootShelf* roots() const { return roots_ ? &*roots_ : nullptr; }
    const Secured* secured() const { return secured_ ? &*secured_ : nullptr; }
    Merger& merger() { return *merger_; }
    const HubConfig& config() const { return config_; }
    bool broker_connected() const { return broker_connected_; }
    // Why it is not reached, and when it is tried again; empty: nothing was tried in vain.
    const std::string& broker_trouble() const { return broker_trouble_; }
    std::optional<MonoTime> next_broker_attempt() const { return transport_->next_attempt(); }
    // What it refuses although it lets us in, of all topics and of a device's, and how often since
    // start. Empty: nothing.
    std::string broker_refuses() const { return refused_topics_.trouble(now()); }
    std::string broker_refuses(const std::string& device) const;
    std::uint64_t broker_refusals() const { return broker_refusals_; }
    // It is counted on no more.
    void forget_refusals(const std::string& device);
    // The store took a write no more: the loop was stopped, so that a restart recovers it.
    bool failed() const { return failed_; }
    std::uint64_t unknown_messages() const { return unknown_messages_; }  // dropped since start
    // nullptr when nothing is known of its link.
    const DeviceLink* link(const std::string& device) const;
    Clock& clock() { return world_.clock; }
    Loop& loop() { return world_.loop; }
    MonoTime now() const { return world_.loop.now(); }
    // Ends a device's quarantine. not_found when there is no such device.
    Status release(const std::string& device, const std::string& actor);
    const CastRoom& casts() const { return *casts_; }
    const Room& room() const { return *room_; }
    const SecurityLog& security() const { return *security_; }
    void note_refused(Refused refused) { security_->note(world_.loop.now(), std::move(refused)); }
    // An assignment was written: tell the device.
    void push_to(const std::string& device);

private:
    Hub(const World& world, HubConfig config, std::optional<Secured> secured);
    Status open();
    Status secure();
    static void tell(const Registry::SignedAnew& anew);
    void shut_out();
    void on_standing_changed(const std::string& device);
    Status connect();

    void end_when_left();
    void end();
    void on_connected();
    std::uint32_t spread_ms() const;
    void on_message(Message message);
    void on_sent(std::uint64_t token);
    void on_topic_refused(const std::string& topic, const Error& error);
    void publish(std::string topic, Bytes payload, Priority priority);
    DeviceLink& link_of(const std::string& device);
    void make_casts();
    void feed_casts();
    void on_advanced(const std::set<std::string>& repos);
    void fold();
    void on_not_folded(const std::string& repo, const Error& error);
    void arm_security();
    void arm_fold();
    void on_waits_for_room();
    void call_waiting();
    void note_deadline(const std::string& device);
    void arm_deadline();
    void on_deadline();

    World world_;
    HubConfig config_;
    std::unique_ptr<Ledger> ledger_;
    std::unique_ptr<SecurityLog> security_;
    std::unique_ptr<Registry> registry_;
    std::optional<Secured> secured_;
    std::optional<RootShelf> roots_;
    std::unique_ptr<Enrolment> enrolment_;
    std::unique_ptr<IssuerCount> issuers_;
    std::unique_ptr<Contact> contact_;
    std::unique_ptr<Merger> merger_;
    std::unique_ptr<CommitGroup> commits_;
    std::unique_ptr<Room> room_;
    CreditPool credit_;
    Walks walks_;
    std::unique_ptr<Pushes> pushes_;
    std::size_t beside_ = 0;  // jobs that the worker has of us
    std::unique_ptr<CastRoom> casts_;
    std::map<std::string, std::unique_ptr<DeviceLink>> links_;
    Deadlines deadlines_;  // of links_, and of casts_
    FoldSchedule to_fold_;
    bool broker_connected_ = false;
    bool failed_ = false;
    std::string broker_trouble_;  // as it was heard last
    SaidOnce broker_trouble_said_;
    RefusedTopics refused_topics_;
    std::uint64_t broker_refusals_ = 0;
    std::uint64_t unknown_messages_ = 0;

    // Below: what calls back; destroyed first.
    std::unique_ptr<Transport> transport_;
    std::unique_ptr<Outbox> outbox_;
    std::unique_ptr<Timer> fold_timer_;
    std::unique_ptr<Timer> commit_timer_;
    std::unique_ptr<Timer> deadline_timer_;
    std::unique_ptr<Timer> security_timer_;
    std::unique_ptr<Timer> room_timer_;  // while boards wait for room
    std::optional<MonoTime> deadline_armed_;
    std::function<void()> left_;  // while it leaves
    std::unique_ptr<Timer> leave_timer_;
};

}  // namespace tributary::hub
