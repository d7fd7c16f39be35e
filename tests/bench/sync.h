// The ends of the measured links. Each is a process of its own, which `tributary-bench sync` starts
// as `tributary-bench sync --end NAME ...`: two in one process would share its thread, and measure
// each other.
#pragma once

#include <cstdint>
#include <string>

#include "agent/sync/pins.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/net/mqtt.h"
#include "common/text/json.h"

namespace tributary::bench {

inline constexpr std::string_view kBoard = "bench-board";

// Where an end runs and what it works on.
struct SyncEnd {
    std::string name;         // board, hub, publisher, subscriber
    std::string broker_url;   // of the running broker
    std::string keys_dir;     // what it connects with, for mqtts://: ca.pem, end.pem
    std::string state_dir;    // board and hub: what prepare_board() and prepare_hub() made
    std::uint64_t bytes = 0;  // publisher: how much it sends, in whole frames
};

// What an end says on stderr, for the one who waits: it is connected and subscribed; so many
// times kProgressBytes of the stream were sent.
inline constexpr std::string_view kReadyWord = "end is ready";
inline constexpr std::string_view kSentWord = "end has sent ";
inline constexpr std::uint64_t kProgressBytes = 4 * limits::MiB;
void say(const std::string& words);

// How every end connects: as the daemons do, but at once again when the link was cut.
MqttOptions link_options(const SyncEnd& end, std::string client_id,
                         std::vector<std::string> subscriptions);

// Records versions of random bytes into a fresh store. What the hub must know of the board comes
// back.
struct BoardIdentity {
    Incarnation incarnation;
    Bytes public_key;
};
Result<BoardIdentity> prepare_board(const std::string& state_dir, std::uint64_t versions,
                                    std::uint64_t version_bytes, std::uint64_t seed);
// Makes a fresh ledger that knows the board, as a first contact would, and says what the board
// pins.
Result<agent::Pins> prepare_hub(const std::string& state_dir, const BoardIdentity& board);
std::string pins_path(const std::string& board_dir);

// Bytes that the hub hands to its transport for a version of 36 MiB to a hundred devices with one
// base, as a multiple of the records that one of them lacks. Lossy: each drops 2 % of what it is
// sent on its own, and ten join when a quarter is out.
struct Egress {
    double all = 0;
    double first = 0;    // of it: each part once
    double repairs = 0;  // what mends it while it is under way
    double again = 0;    // further passes, for those who missed it
    double own = 0;      // on the devices' own topics: Hellos, assignments, pushes
};
Result<Egress> measure_broadcast(bool lossy);

Result<Json> run_sync_end(const SyncEnd& end);
// Each runs until its work is done (the hub: until SIGTERM) and answers what it measured.
// seconds: from the first connection until the receipt for the last entry is in the board's log.
// stream_bytes: of Data handed to the transport; needed_bytes: of the frames that had to be sent.
Result<Json> run_board(const SyncEnd& end);
Result<Json> run_hub(const SyncEnd& end);
Result<Json> run_publisher(const SyncEnd& end);
// bytes and seconds after the first message until the end.
Result<Json> run_subscriber(const SyncEnd& end);

}  // namespace tributary::bench
