// tributary-bench sync: how fast a board's versions reach the hub's log over a real broker, beside
// raw messages over the same broker in the same run; what a cut link costs in bytes sent again; and
// what a version for many devices costs the hub (sync_cast.cpp).
//
// Goodput: bytes of incompressible versions, verified by the hub's intake and receipted, in the
// time from the board's connection to the receipt in its log. The machine is shared, so each is
// measured kRounds times in turn and the medians are told.
#include "tests/bench/sync.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>

#include "tests/bench/bench.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

constexpr int kRounds = 5;
constexpr std::uint64_t kVersions = 16;
constexpr std::uint64_t kVersionBytes = 4 * limits::MiB;
constexpr std::uint64_t kBytes = kVersions * kVersionBytes;
constexpr std::uint64_t kCuts = 6;
constexpr test::milliseconds kEndTimeout(20'000);

// For both stores, a file to record, and the indexes.
constexpr std::uint64_t kRamBytes = 4 * kBytes;

// Stores in RAM, so that not the disk is measured; true when they are.
bool use_ram() {
    const std::string ram = "/dev/shm";
    const auto free = system_files().free_bytes(ram);
    if (!free || *free < kRamBytes || ::access(ram.c_str(), W_OK) != 0) return false;
    return ::setenv("TMPDIR", ram.c_str(), 1) == 0;
}

test::Process start_end(const SyncEnd& end) {
    return test::Process({"/proc/self/exe", "sync", "--end", end.name, "--broker", end.broker_url,
                          "--state-dir", end.state_dir, "--bytes", std::to_string(end.bytes)});
}

Status await(test::Process& process, const std::string& name, std::string_view words) {
    if (process.wait_for_output(std::string(words), kEndTimeout)) return {};
    return fail(Errc::unavailable, "the " + name + " did not get as far as '" + std::string(words) +
                                       "':\n" + process.err());
}

Result<Json> answer_of(test::Process& process, const std::string& name) {
    const auto ending = process.wait(kEndTimeout);
    if (!ending || ending->exit_code != 0)
        return fail(Errc::unavailable, "the " + name + " did not finish:\n" + process.err());
    return parse_json(process.out());
}

Result<double> measure_broker(const std::string& broker_url) {
    auto subscriber = start_end({"subscriber", broker_url, "", 0});
    TRIBUTARY_TRY(await(subscriber, "subscriber", kReadyWord));
    auto publisher = start_end({"publisher", broker_url, "", kBytes});
    TRIBUTARY_TRY(answer_of(publisher, "publisher"));
    TRIBUTARY_ASSIGN(const Json answer, answer_of(subscriber, "subscriber"));
    TRIBUTARY_ASSIGN(const double seconds, answer.double_at("seconds"));
    TRIBUTARY_ASSIGN(const std::uint64_t bytes, answer.u64_at("bytes"));
    return Rate{bytes, seconds}.mb_s();
}

// One transfer between fresh stores, the broker killed and started again `cuts` times in its
// course.
Result<Json> transfer(test::Mosquitto& broker, std::uint64_t seed, std::uint64_t cuts) {
    const test::TempDir home;
    TRIBUTARY_ASSIGN(const BoardIdentity identity,
                     prepare_board(home / "board", kVersions, kVersionBytes, seed));
    TRIBUTARY_ASSIGN(const agent::Pins pins, prepare_hub(home / "hub", identity));
    TRIBUTARY_TRY(agent::save_pins(system_files(), pins_path(home / "board"), pins));

    auto hub = start_end({"hub", broker.url(), home / "hub", 0});
    TRIBUTARY_TRY(await(hub, "hub", kReadyWord));
    auto board = start_end({"board", broker.url(), home / "board", 0});
    const std::uint64_t steps = kBytes / kProgressBytes;
    for (std::uint64_t cut = 1; cut <= cuts; ++cut) {
        const std::uint64_t place = steps * cut / (cuts + 1);
        TRIBUTARY_TRY(await(board, "board", std::string(kSentWord) + std::to_string(place) + ";"));
        broker.kill();
        broker.start();
    }
    return answer_of(board, "board");
}

Result<double> measure_goodput(test::Mosquitto& broker, std::uint64_t seed) {
    TRIBUTARY_ASSIGN(const Json answer, transfer(broker, seed, 0));
    TRIBUTARY_ASSIGN(const double seconds, answer.double_at("seconds"));
    return Rate{kBytes, seconds}.mb_s();
}

Result<std::uint64_t> measure_cuts(test::Mosquitto& broker, std::uint64_t seed) {
    TRIBUTARY_ASSIGN(const Json answer, transfer(broker, seed, kCuts));
    TRIBUTARY_ASSIGN(const std::uint64_t sent, answer.u64_at("stream_bytes"));
    TRIBUTARY_ASSIGN(const std::uint64_t needed, answer.u64_at("needed_bytes"));
    if (sent < needed) return fail(Errc::corrupt, "the board sent less than the hub needs");
    return (sent - needed) / kCuts;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

}  // namespace

void say(const std::string& words) { std::cerr << words << std::endl; }

MqttOptions link_options(const SyncEnd& end, std::string client_id,
                         std::vector<std::string> subscriptions) {
    MqttOptions options;
    options.url = end.broker_url;
    options.client_id = std::move(client_id);
    options.subscriptions = std::move(subscriptions);
    options.backoff_base_ms = 20;
    options.backoff_max_ms = 100;
    return options;
}

Result<Json> run_sync_end(const SyncEnd& end) {
    if (end.name == "board") return run_board(end);
    if (end.name == "hub") return run_hub(end);
    if (end.name == "publisher") return run_publisher(end);
    if (end.name == "subscriber") return run_subscriber(end);
    return fail(Errc::invalid, "--end is board, hub, publisher or subscriber");
}

Result<Json> run_sync() {
    const bool in_ram = use_ram();
    // The raw publisher is not slowed by what its subscriber has taken, as the protocol is: the
    // broker must keep, not drop, what waits.
    test::Mosquitto broker("allow_anonymous true\nmax_queued_messages 0\nset_tcp_nodelay true\n");
    std::vector<double> broker_rates;
    std::vector<double> goodput_rates;
    for (int round = 0; round < kRounds; ++round) {
        TRIBUTARY_ASSIGN(const double raw, measure_broker(broker.url()));
        broker_rates.push_back(raw);
        TRIBUTARY_ASSIGN(const double goodput,
                         measure_goodput(broker, static_cast<std::uint64_t>(round) + 1));
        goodput_rates.push_back(goodput);
    }
    TRIBUTARY_ASSIGN(const std::uint64_t resent, measure_cuts(broker, kRounds + 1));

    TRIBUTARY_ASSIGN(const double clean, measure_broadcast(false));
    TRIBUTARY_ASSIGN(const double lossy, measure_broadcast(true));

    const double goodput = median(goodput_rates);
    const double raw = median(broker_rates);
    return Json::object({{"goodput_mb_s", rounded(goodput, 10)},
                         {"broker_mb_s", rounded(raw, 10)},
                         {"goodput_share", rounded(raw > 0 ? goodput / raw : 0, 1000)},
                         {"broadcast_egress_ratio", rounded(clean, 1000)},
                         {"broadcast_egress_ratio_lossy", rounded(lossy, 1000)},
                         {"resent_bytes_per_cut", resent},
                         {"cuts", kCuts},
                         {"stores_in_ram", in_ram}});
}

}  // namespace tributary::bench
