// One board's agent at rest: its configuration, the world it lives in, its store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "agent/app/console.h"
#include "agent/app/hardware.h"
#include "agent/config/config.h"
#include "agent/space/space_keeper.h"
#include "agent/space/write_budget.h"
#include "agent/sync/backlog.h"
#include "agent/trust/trust_keeper.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/store/store.h"

namespace tributary::agent {

struct World {
    Files& files;
    Clock& clock;
    Entropy& entropy;
    std::function<void(std::uint64_t ms)> sleep_ms;
    std::function<void()> working = {};  // told at each step of long work in the store
    // How large the disk of a path is; none: not known, and what is a share of it is no limit.
    std::function<Result<std::uint64_t>(const std::string& path)> disk_bytes = {};
    // Makes durable all that was written on the disk of a path; none: files are synced one by one.
    std::function<Status(const std::string& path)> sync_disk = {};
    std::function<Hardware()> hardware = {};  // which machine this is; none: not asked
};

// What only a running daemon knows.
struct LiveStatus {
    bool broker_connected = false;
    // A session with the pinned hub is open, and it was heard of lately.
    bool hub_connected = false;
    std::optional<std::uint64_t> hub_heard_ms;  // ago; none: not since this daemon began
    std::string device;                         // our id; empty before we have one
    bool secured = false;                       // by enrolment, not by first contact
    std::string hub;
    std::uint64_t sent_bytes = 0;       // payloads handed to the broker since the store was made
    std::uint64_t bytes_passed = 0;     // of what follows the entries with a receipt
    std::uint64_t receipted = 0;        // so many of them
    std::uint64_t page_bytes_left = 0;  // of the page under way
    std::optional<std::uint64_t> bytes_per_second;  // lately, while there was something to send
    std::uint64_t bytes_to_come = 0;                // at least; of a model that is being received
    std::optional<std::uint64_t> push_bytes_per_second;
    std::uint64_t passed_last_day_bytes = 0;  // while that is limited
    std::string link_closed;                  // why no content passes; empty: it does
    std::uint64_t link_rests_ms = 0;          // for how long, as far as is known
    // What a broadcast has brought so far, while the board takes part in one.
    struct Broadcast {
        VersionId version;
        std::uint64_t received_bytes = 0;
        std::uint32_t held = 0;  // parts of about 2 MiB
        std::optional<std::uint32_t> parts;
    };
    std::optional<Broadcast> broadcast;
    std::string trouble;  // a sentence; empty: none
    bool denied = false;  // it is that the hub does not let this board in any more
};

struct Node {
    World world;
    Config config;
    // Null only for a verb that reads and finds no store yet.
    std::unique_ptr<Store> store;
    // Of the store, and like it.
    std::unique_ptr<SpaceKeeper> space;
    std::unique_ptr<WriteBudget> writes;
    Backlog backlog;
    // Likewise; null when its files are damaged, and then why.
    std::unique_ptr<TrustKeeper> trust;
    std::string trust_trouble;
    std::optional<LiveStatus> live;  // in the daemon
};

enum class StoreUse : std::uint8_t {
    record,  // the store, its key and its journal are made when missing
    read,    // a store that is missing stays missing: null
};

inline constexpr std::uint64_t kStoreWaitMs = 30'000;

// How to wait while another process has the store.
struct StoreWait {
    std::uint64_t ms = kStoreWaitMs;
    // Asked at each try; true: the holder has done what we wanted the store for.
    std::function<bool()> holder_did_it;
    // A holder that will not let go soon: answers conflict at once.
    std::string not_for = {};
};

// Opens the store, waiting while another process has it; then conflict, naming the holder, or
// cancelled when the holder did it. `holder` is what others will read about us.
Result<Node> open_node(const World& world, Config config, StoreUse use, const std::string& holder,
                       Console& console, const StoreWait& wait = {});

// Puts key, pins and what belongs to them aside, so that the next open_node() to record begins a
// new journal with a new key. The store must not be open.
Status put_identity_aside(Files& files, const Config& config);

// Whether an error says that another process has the store.
bool is_store_in_use(const Error& error);

}  // namespace tributary::agent
