// tributary-bench sync: how fast a board's versions reach the hub's log over a real broker, beside
// raw messages over the same broker in the same run; what a cut link costs in bytes sent again; and
// what a version for many devices costs the hub (sync_cast.cpp).
//
// Goodput: bytes of incompressible versions, verified by the hub's intake and receipted, in the
// time from the board's connection to the receipt in its log. Over TLS with client certificates, as
// a hub is set up, and over plain connections. The machine is shared, so each is measured kRounds
// times in turn and the medians are told.
#include "tests/bench/sync.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>

#include "tests/bench/bench.h"
#include "tests/support/certificates.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

constexpr std::uint64_t kRounds = 5;
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

// The raw publisher is not slowed by what its subscriber has taken, as the protocol is: the broker
// must keep, not drop, what waits.
constexpr std::string_view kBrokerSettings = "max_queued_messages 0\nset_tcp_nodelay true\n";

// A broker, and how to connect to it.
class Link {
public:
    Link() : broker_("allow_anonymous true\n" + std::string(kBrokerSettings)) {}
    // Over TLS, to those who show a certificate of `authority`.
    explicit Link(const test::Authority& authority) : broker_(secured(authority), false) {
        scheme_ = "mqtts";
        test::CertificateOptions client;
        client.subject = "bench";
        client.names = {};
        client.usage = "clientAuth";
        write("end.pem", authority.issue(client));
        broker_.start();
    }

    test::Process start(const std::string& name, const std::string& state_dir,
                        std::uint64_t bytes = 0) const {
        return test::Process({"/proc/self/exe", "sync", "--end", name, "--broker",
                              broker_.url(scheme_), "--keys-dir", keys_ / "", "--state-dir",
                              state_dir, "--bytes", std::to_string(bytes)});
    }
    void cut() {
        broker_.kill();
        broker_.start();
    }

private:
    std::string secured(const test::Authority& authority) const {
        std::ofstream(keys_ / "ca.pem") << authority.pem();
        const std::string own = write("broker.pem", authority.issue());
        return "cafile " + (keys_ / "ca.pem") + "\ncertfile " + own + "\nkeyfile " + own +
               "\nrequire_certificate true\nuse_identity_as_username true\n" +
               std::string(kBrokerSettings);
    }
    // Key and certificate in one file; its path.
    std::string write(const std::string& name, const test::Certificate& certificate) const {
        std::ofstream(keys_ / name) << certificate.key << certificate.pem;
        return keys_ / name;
    }

    std::string scheme_ = "mqtt";
    test::TempDir keys_;
    test::Mosquitto broker_;
};

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

Result<double> measure_raw(const Link& link) {
    auto subscriber = link.start("subscriber", "");
    TRIBUTARY_TRY(await(subscriber, "subscriber", kReadyWord));
    auto publisher = link.start("publisher", "", kBytes);
    TRIBUTARY_TRY(answer_of(publisher, "publisher"));
    TRIBUTARY_ASSIGN(const Json answer, answer_of(subscriber, "subscriber"));
    TRIBUTARY_ASSIGN(const double seconds, answer.double_at("seconds"));
    TRIBUTARY_ASSIGN(const std::uint64_t bytes, answer.u64_at("bytes"));
    return Rate{bytes, seconds}.mb_s();
}

// One transfer between fresh stores, the broker killed and started again `cuts` times in its
// course.
Result<Json> transfer(Link& link, std::uint64_t seed, std::uint64_t cuts) {
    const test::TempDir home;
    TRIBUTARY_ASSIGN(const BoardIdentity identity,
                     prepare_board(home / "board", kVersions, kVersionBytes, seed));
    TRIBUTARY_ASSIGN(const agent::Pins pins, prepare_hub(home / "hub", identity));
    TRIBUTARY_TRY(agent::save_pins(system_files(), pins_path(home / "board"), pins));

    auto hub = link.start("hub", home / "hub");
    TRIBUTARY_TRY(await(hub, "hub", kReadyWord));
    auto board = link.start("board", home / "board");
    const std::uint64_t steps = kBytes / kProgressBytes;
    for (std::uint64_t cut = 1; cut <= cuts; ++cut) {
        const std::uint64_t place = steps * cut / (cuts + 1);
        TRIBUTARY_TRY(await(board, "board", std::string(kSentWord) + std::to_string(place) + ";"));
        link.cut();
    }
    return answer_of(board, "board");
}

Result<double> measure_goodput(Link& link, std::uint64_t seed) {
    TRIBUTARY_ASSIGN(const Json answer, transfer(link, seed, 0));
    TRIBUTARY_ASSIGN(const double seconds, answer.double_at("seconds"));
    return Rate{kBytes, seconds}.mb_s();
}

Result<std::uint64_t> measure_cuts(Link& link, std::uint64_t seed) {
    TRIBUTARY_ASSIGN(const Json answer, transfer(link, seed, kCuts));
    TRIBUTARY_ASSIGN(const std::uint64_t sent, answer.u64_at("stream_bytes"));
    TRIBUTARY_ASSIGN(const std::uint64_t needed, answer.u64_at("needed_bytes"));
    if (sent < needed) return fail(Errc::corrupt, "the board sent less than the hub needs");
    return (sent - needed) / kCuts;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values[values.size() / 2];
}

// Goodput and raw messages in turn over one link.
class Comparison {
public:
    Status measure(Link& link, std::uint64_t seed) {
        TRIBUTARY_ASSIGN(const double raw, measure_raw(link));
        raw_.push_back(raw);
        TRIBUTARY_ASSIGN(const double goodput, measure_goodput(link, seed));
        goodput_.push_back(goodput);
        return {};
    }
    double goodput() const { return median(goodput_); }
    double raw() const { return median(raw_); }
    double share() const { return raw() > 0 ? goodput() / raw() : 0; }

private:
    std::vector<double> raw_, goodput_;
};

}  // namespace

void say(const std::string& words) { std::cerr << words << std::endl; }

MqttOptions link_options(const SyncEnd& end, std::string client_id,
                         std::vector<std::string> subscriptions) {
    MqttOptions options;
    options.url = end.broker_url;
    if (end.broker_url.starts_with("mqtts:")) {
        options.ca_file = join_path(end.keys_dir, "ca.pem");
        options.certificate_file = join_path(end.keys_dir, "end.pem");
    }
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
    const test::Authority authority;
    Link secured(authority);
    Link plain;
    Comparison over_tls, over_tcp;
    for (std::uint64_t round = 1; round <= kRounds; ++round) {
        TRIBUTARY_TRY(over_tls.measure(secured, 2 * round));
        TRIBUTARY_TRY(over_tcp.measure(plain, 2 * round + 1));
    }
    TRIBUTARY_ASSIGN(const std::uint64_t resent, measure_cuts(secured, 1));

    TRIBUTARY_ASSIGN(const Egress clean, measure_broadcast(false));
    TRIBUTARY_ASSIGN(const Egress lossy, measure_broadcast(true));

    return Json::object(
        {{"goodput_mb_s", rounded(over_tls.goodput(), 10)},
         {"broker_mb_s", rounded(over_tls.raw(), 10)},
         {"goodput_share", rounded(over_tls.share(), 1000)},
         {"plain_goodput_mb_s", rounded(over_tcp.goodput(), 10)},
         {"plain_broker_mb_s", rounded(over_tcp.raw(), 10)},
         {"plain_goodput_share", rounded(over_tcp.share(), 1000)},
         {"broadcast_egress_ratio", rounded(clean.all, 1000)},
         {"broadcast_egress_ratio_lossy", rounded(lossy.all, 1000)},
         {"broadcast_lossy_shares", Json::object({{"first", rounded(lossy.first, 1000)},
                                                  {"repairs", rounded(lossy.repairs, 1000)},
                                                  {"again", rounded(lossy.again, 1000)},
                                                  {"own", rounded(lossy.own, 1000)}})},
         {"resent_bytes_per_cut", resent},
         {"cuts", kCuts},
         {"stores_in_ram", in_ram}});
}

}  // namespace tributary::bench
