// The hub's broadcasts: finds devices that need the same, invites them, codes and seals the stream,
// and publishes it as fast as the broker takes it.
//
// Nothing of it is lasting: a hub that restarts begins new ones. One thread.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "common/env/clock.h"
#include "common/sync/caster.h"
#include "hub/cast/cast_source.h"
#include "hub/intake/walks.h"

namespace tributary::hub {

struct CastRoomOptions {
    // What is less is sent to each device on its own: it would not be worth the wait for others.
    std::uint64_t stored_bytes_min = 1 * limits::MiB;
    std::size_t casts_max = 8;        // each holds 4 MiB while it runs
    std::size_t devices_max = 1'000;  // of one
    sync::CasterOptions caster;
};

struct CastCounters {
    std::uint64_t begun = 0;
    std::uint64_t sent_bytes = 0;    // payloads, as handed to the transport
    std::uint64_t repair_bytes = 0;  // of them: beyond the first copy of what was broadcast
};

class CastRoom {
public:
    struct Events {
        std::function<void(const std::string& topic, Bytes payload)> publish;
        // This device takes part no more; whole: assignment `number` needs no push.
        std::function<void(const std::string& device, std::uint64_t number, bool whole)> finished;
        // What was prepared for this device is: now it is to be invited, or gets a push.
        std::function<void(const std::string& device)> prepared;
        // Runs a task soon, from the loop.
        std::function<void(std::function<void()> task)> post;
        // Bounds how many versions are walked over at a time. None: nothing does.
        Walks* walks = nullptr;
    };

    CastRoom(Ledger& ledger, Clock& clock, Entropy& entropy, Events events,
             CastRoomOptions options = {});
    ~CastRoom();

    // An invitation for an open assignment of a device that is in a session and can take part: to
    // the one that it has, to one that runs, or to a new one when others wait for the same. None
    // while that is prepared, in turns of the loop.
    std::optional<sync::CastInvitation> invite(const std::string& device,
                                               const InstallState& state);
    bool prepares_for(const std::string& device, std::uint64_t number) const;
    // Whether the push for this assignment waits.
    bool serves(const std::string& device, std::uint64_t number) const;
    void on_session(const std::string& device);
    void on_report(const std::string& device, sync::CastReport report);
    // Entries of this device became durable, or it was assigned something else.
    void review(const std::string& device);

    void on_connected();
    void on_disconnected();
    void give_up();  // the broker takes no broadcasts: everybody gets a push
    // The transport takes so many bytes now.
    void on_room(std::size_t bytes);
    void on_tick();
    std::optional<MonoTime> next_deadline() const;

    struct Progress {
        VersionId version;
        std::uint32_t held = 0;  // parts of about 2 MiB
        std::optional<std::uint32_t> parts;
    };
    std::optional<Progress> progress(const std::string& device) const;
    std::size_t running() const { return casts_.size() + preparing_.size(); }
    std::size_t held_bytes() const;  // of parts under way, in RAM
    const CastCounters& counters() const { return counters_; }

private:
    static constexpr std::size_t kRecordsATurn = 64;

    using Pair = std::pair<VersionId, VersionId>;  // a version, and what runs on the devices
    struct Preparation {
        CastSource source;
        Walks::Place place = {};
        std::map<std::string, std::uint64_t> devices = {};  // that wait: number of the assignment
    };
    struct Cast;
    struct Seat {
        std::uint64_t cast = 0;
        std::uint64_t number = 0;  // of the assignment
    };

    Cast* cast_for(const VersionId& wanted, const VersionId& base);
    bool has_seat(const std::string& device, std::uint64_t number) const;
    void prepare(const std::string& device, const InstallState& state);
    void look_through(const Pair& pair);
    void end_preparation(const Pair& pair, const Status& looked_through);
    std::uint64_t begin_cast(const Pair& pair, std::unique_ptr<Preparation> preparation);
    bool others_wait(const std::string& device, const InstallState& state) const;
    void step(std::uint64_t cast, sync::CasterEvent event);
    void carry_out(Cast& cast, const sync::CasterAction& action);
    void publish(Cast& cast, const sync::PublishFragment& what);
    void work(std::uint64_t cast);
    sync::Room room() const;
    void post(std::function<void()> task);

    Ledger& ledger_;
    Clock& clock_;
    Entropy& entropy_;
    Events events_;
    CastRoomOptions options_;
    CastCounters counters_;
    std::map<std::uint64_t, std::unique_ptr<Cast>> casts_;
    std::map<std::string, Seat> seats_;  // by device; the last one, also when it has ended
    std::map<Pair, std::unique_ptr<Preparation>> preparing_;
    std::set<Pair> not_worth_it_;  // they differ by too little, or cannot be read
    bool connected_ = false;
    std::size_t room_bytes_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace tributary::hub
