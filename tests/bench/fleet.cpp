// tributary-bench fleet: so many boards, each with a connection of its own, on a real mosquitto and
// a real tributary-hub.
//
// One process drives all boards (FleetBoard: the agent's engine; FleetLinks: their connections).
// The boards are bound in the hub's ledger before it starts, as a first contact over HTTP would do
// it. Then
//   1. all connect at once; a board counts when its session is open and its journal's first entry
//      is receipted;
//   2. each commits its next version when its last was receipted: as much as the hub takes;
//   3. kOfferedPerS versions a second are committed, board after board, whatever the hub does: what
//      the receipts' latency is told of;
//      with larger pieces, instead of 2 and 3: all boards commit at once, as after an outage, and
//      it is waited until all is receipted;
//   4. the hub is stopped, and its ledger must hold every version of which a receipt speaks, and
//      none that no board has made.
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

#include "common/sync/topics.h"
#include "hub/deploy/mosquitto_conf.h"
#include "hub/store/ledger.h"
#include "tests/bench/bench.h"
#include "tests/bench/fleet_board.h"
#include "tests/bench/fleet_links.h"
#include "tests/support/mosquitto.h"
#include "tests/support/process.h"
#include "tests/support/temp_dir.h"

namespace tributary::bench {
namespace {

constexpr double kOfferedPerS = 2'000;
constexpr double kOpenTimeoutS = 40;
constexpr double kOpenTimeoutSPerBoard = 0.01;  // a hub has them come one in 5 ms
constexpr double kUploadTimeoutS = 900;
constexpr double kSettleTimeoutS = 15;  // for the receipts of what was committed last
constexpr double kTickS = 0.05;         // between two looks at all boards' timers
constexpr rlim_t kOtherFiles = 256;

// One for each connection here and at the broker, which inherits the limit.
Status allow_files(std::size_t devices) {
    const rlim_t needed = devices + kOtherFiles;
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur >= needed) return {};
    limit.rlim_cur = needed;
    limit.rlim_max = std::max(limit.rlim_max, needed);
    if (::setrlimit(RLIMIT_NOFILE, &limit) == 0) return {};
    return fail(Errc::exhausted, "for " + std::to_string(devices) +
                                     " devices a process must open " + std::to_string(needed) +
                                     " files, and this user's limit is lower (ulimit -Hn); raise "
                                     "it, or give fewer --devices");
}

struct Usage {
    double hub = 0, driver = 0;  // CPU seconds
};

// User and system time of a process, from /proc/PID/stat.
double cpu_seconds(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 1)));
    std::string skipped;
    for (int field = 3; field < 14; ++field) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

// VmHWM: the most that was resident since it started.
std::uint64_t peak_rss_bytes(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) * 1024;
    return 0;
}

// User and system time of the child processes that have ended.
double ended_cpu_seconds() {
    rusage used{};
    ::getrusage(RUSAGE_CHILDREN, &used);
    const auto seconds = [](const timeval& time) {
        return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
    };
    return seconds(used.ru_utime) + seconds(used.ru_stime);
}

std::uint16_t port_of(const std::string& url) {
    return static_cast<std::uint16_t>(std::stoul(url.substr(url.rfind(':') + 1)));
}

double percentile(std::vector<double> values, double share) {
    if (values.empty()) return 0;
    std::sort(values.begin(), values.end());
    return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

class Fleet {
public:
    Fleet(std::size_t devices, std::size_t piece_bytes) {
        for (std::size_t i = 0; i < devices; ++i) {
            FleetBoard::Events events;
            events.publish = [this, i](ByteView payload) { links_->publish(i, payload); };
            events.opened = [] {};
            events.receipted = [this, i](double made_s) {
                to_commit_.push_back(i);
                if (made_s >= load_began_s_)
                    latencies_ms_.push_back((clock_.seconds() - made_s) * 1000);
            };
            events.trouble = [this, i](const Error& error) {
                ++troubles_;
                last_trouble_ = boards_[i]->device() + ": " + error.what;
            };
            boards_.push_back(std::make_unique<FleetBoard>(
                "fleet-" + std::to_string(i), i + 1, piece_bytes,
                [this] { return clock_.seconds(); }, std::move(events)));
        }
    }

    // Makes the hub's ledger, which knows all boards, and the boards pin the hub.
    Status bind(const std::string& state_dir) {
        TRIBUTARY_ASSIGN(const auto ledger, hub::Ledger::open(system_files(), system_clock(),
                                                              system_entropy(), state_dir, {}));
        std::vector<EntryBody> bodies;
        for (const auto& board : boards_)
            bodies.push_back(
                DeviceBoundBody{board->device(), board->incarnation(), board->public_key()});
        TRIBUTARY_TRY(ledger->append(bodies));
        agent::Pins pins;
        pins.hub = ledger->store().head().incarnation;
        pins.hub_name = "bench-hub";
        pins.hub_keys = {ledger->signer().public_key()};
        for (const auto& board : boards_) board->pin(pins);
        return {};
    }

    // The seconds until all sessions are open and what the journals began with is receipted.
    Result<double> open(std::uint16_t broker_port) {
        std::vector<FleetClient> clients;
        for (const auto& board : boards_)
            clients.push_back(
                {board->device(), sync::topic_of(board->device(), sync::Direction::up),
                 sync::topic_of(board->device(), sync::Direction::down), sync::device_gone()});
        FleetLinks::Events events;
        events.connected = [this](std::size_t i) { boards_[i]->connect(); };
        events.received = [this](std::size_t i, Bytes payload) {
            boards_[i]->on_payload(std::move(payload));
        };
        const Stopwatch stopwatch;
        links_ = std::make_unique<FleetLinks>(broker_port, std::move(clients), std::move(events));
        const double timeout_s =
            kOpenTimeoutS + kOpenTimeoutSPerBoard * static_cast<double>(boards_.size());
        TRIBUTARY_TRY(settle(timeout_s));
        const auto open = std::ranges::count_if(boards_, settled);
        if (open < static_cast<std::ptrdiff_t>(boards_.size()))
            return fail(Errc::unavailable, "only " + std::to_string(open) + " of " +
                                               std::to_string(boards_.size()) +
                                               " boards have open sessions after " +
                                               std::to_string(static_cast<int>(timeout_s)) +
                                               " s; last trouble: " + last_trouble_);
        return stopwatch.seconds();
    }

    struct Load {
        std::uint64_t committed = 0;
        std::uint64_t receipted = 0;  // while it lasted
        double seconds = 0;
        // Of all that was committed; of what has no receipt in the end, how long it has waited.
        std::vector<double> latencies_ms;
    };

    // Each board commits when its last version was receipted.
    Result<Load> in_turn(double seconds) {
        to_commit_.clear();
        for (std::size_t i = 0; i < boards_.size(); ++i) to_commit_.push_back(i);
        return load(seconds, [this](double) {
            std::uint64_t count = 0;
            for (const std::size_t i : std::exchange(to_commit_, {})) {
                boards_[i]->commit();
                ++count;
            }
            return count;
        });
    }

    // At a fixed rate over all boards, one after the other.
    Result<Load> paced(double seconds) {
        return load(seconds, [this, made = std::uint64_t{0}](double passed) mutable {
            const auto due = static_cast<std::uint64_t>(passed * kOfferedPerS);
            const std::uint64_t count = due - made;
            for (; made < due; ++made) boards_[made % boards_.size()]->commit();
            return count;
        });
    }

    // Every board commits now; the seconds until all of that is receipted.
    Result<double> at_once() {
        const Stopwatch stopwatch;
        for (const auto& board : boards_) board->commit();
        TRIBUTARY_TRY(settle(kUploadTimeoutS));
        const auto settled_boards = std::ranges::count_if(boards_, settled);
        if (settled_boards < static_cast<std::ptrdiff_t>(boards_.size()))
            return fail(Errc::unavailable,
                        "only " + std::to_string(settled_boards) + " of " +
                            std::to_string(boards_.size()) +
                            " boards have their receipt; last trouble: " + last_trouble_);
        return stopwatch.seconds();
    }

    Status check_receipts() const {
        for (const auto& board : boards_) TRIBUTARY_TRY(board->check_receipts());
        return {};
    }
    void disconnect() { links_.reset(); }
    const std::vector<std::unique_ptr<FleetBoard>>& boards() const { return boards_; }
    std::uint64_t troubles() const { return troubles_; }

private:
    template <class Commit>
    Result<Load> load(double seconds, Commit commit_due) {
        Load load;
        latencies_ms_.clear();
        const Stopwatch stopwatch;
        load_began_s_ = clock_.seconds();
        while (stopwatch.seconds() < seconds) {
            load.committed += commit_due(stopwatch.seconds());
            TRIBUTARY_TRY(turn());
        }
        load.seconds = stopwatch.seconds();
        load.receipted = latencies_ms_.size();
        TRIBUTARY_TRY(settle(kSettleTimeoutS));
        load.latencies_ms = std::exchange(latencies_ms_, {});
        for (const auto& board : boards_)
            for (const double made_s : board->waiting_since_s())
                if (made_s >= load_began_s_)
                    load.latencies_ms.push_back((clock_.seconds() - made_s) * 1000);
        return load;
    }

    static bool settled(const std::unique_ptr<FleetBoard>& board) {
        return board->is_open() && board->all_receipted();
    }

    // Until all are, or the time is over.
    Status settle(double timeout_s) {
        const Stopwatch stopwatch;
        while (stopwatch.seconds() < timeout_s && !std::ranges::all_of(boards_, settled))
            for (int i = 0; i < 16; ++i) TRIBUTARY_TRY(turn());
        return {};
    }

    Status turn() {
        TRIBUTARY_TRY(links_->turn(1));
        const double now = clock_.seconds();
        if (now - ticked_s_ < kTickS) return {};
        ticked_s_ = now;
        for (const auto& board : boards_) board->tick();
        links_->keep_alive(now);
        return {};
    }

    Stopwatch clock_;
    double ticked_s_ = 0;
    std::vector<std::unique_ptr<FleetBoard>> boards_;
    double load_began_s_ = 0;
    std::vector<double> latencies_ms_;
    std::vector<std::size_t> to_commit_;  // boards whose last version was receipted
    std::uint64_t troubles_ = 0;
    std::string last_trouble_ = "none";
    std::unique_ptr<FleetLinks> links_;
};

struct Verdict {
    std::uint64_t receipted = 0;
    std::uint64_t unreceipted = 0;  // committed, and not known to be held: no promise was made
    std::uint64_t lost = 0;
    std::uint64_t invented = 0;
};

// What the ledger holds of what the receipts say, read back from its log by a new process' eyes.
Result<Verdict> check_ledger(const std::string& state_dir, const Fleet& fleet) {
    TRIBUTARY_ASSIGN(const auto ledger, hub::Ledger::open(system_files(), system_clock(),
                                                          system_entropy(), state_dir, {}));
    Verdict verdict;
    for (const auto& board : fleet.boards()) {
        verdict.unreceipted += board->committed() - board->receipted().size();
        for (const ReceiptedVersion& version : board->receipted()) {
            ++verdict.receipted;
            const bool held = ledger->catalog().version(version.version) &&
                              ledger->store().read_plain({RecordKind::piece, version.piece});
            if (!held) ++verdict.lost;
        }
        std::uint64_t entries = 0;
        TRIBUTARY_TRY(ledger->store().read_entries(board->incarnation(), 1, [&](ByteView) {
            ++entries;
            return true;
        }));
        if (entries > board->committed() + 1) verdict.invented += entries - board->committed() - 1;
    }
    return verdict;
}

tl::unexpected<Error> bad_ledger(const Verdict& verdict) {
    return fail(Errc::corrupt, std::to_string(verdict.lost) + " receipted versions are lost, " +
                                   std::to_string(verdict.invented) + " entries invented");
}

std::string hub_config(const std::string& state_dir, const std::string& broker_url) {
    return "state_dir = \"" + state_dir + "\"\n[broker]\nurl = \"" + broker_url +
           "\"\n[api]\nlisten = \"127.0.0.1:0\"\n";
}

// All boards send a version at once.
Result<Json> upload_all(Fleet& fleet, test::Process& hub, const test::Mosquitto& broker,
                        const std::string& state_dir, double open_s, std::size_t piece_bytes) {
    TRIBUTARY_ASSIGN(const double upload_s, fleet.at_once());
    const std::uint64_t hub_rss = peak_rss_bytes(hub.pid());
    const std::uint64_t broker_rss = peak_rss_bytes(broker.pid());
    fleet.disconnect();
    if (hub.stop() != test::Ending{0, 0})
        return fail(Errc::unavailable, "the hub did not end well:\n" + hub.err());
    TRIBUTARY_TRY(fleet.check_receipts());
    TRIBUTARY_ASSIGN(const Verdict verdict, check_ledger(state_dir, fleet));
    if (verdict.lost != 0 || verdict.invented != 0) return bad_ledger(verdict);
    const auto devices = static_cast<double>(fleet.boards().size());
    const double content = devices * static_cast<double>(piece_bytes);
    double sent = 0;
    for (const auto& board : fleet.boards()) sent += static_cast<double>(board->sent_bytes());
    return Json::object({{"devices", fleet.boards().size()},
                         {"connects_per_s", rounded(devices / open_s, 10)},
                         {"piece_bytes", piece_bytes},
                         {"upload_s", rounded(upload_s, 10)},
                         {"upload_mb_s", rounded(content / upload_s / 1e6, 10)},
                         {"sent_ratio", rounded(sent / content, 1000)},
                         {"hub_rss_bytes", hub_rss},
                         {"broker_rss_bytes", broker_rss},
                         {"receipted_versions", verdict.receipted},
                         {"lost", verdict.lost},
                         {"invented", verdict.invented},
                         {"refusals", fleet.troubles()}});
}

}  // namespace

Result<Json> run_fleet(std::size_t devices, std::uint32_t seconds, std::size_t piece_bytes) {
    TRIBUTARY_TRY(allow_files(devices));
    const test::TempDir home;
    Fleet fleet(devices, piece_bytes);
    TRIBUTARY_TRY(fleet.bind(home / "hub"));
    // With the limits that `tributary-hub init` writes.
    test::Mosquitto broker("allow_anonymous true\nset_tcp_nodelay true\n" +
                           hub::mosquitto_limits());
    TRIBUTARY_TRY(replace_file(system_files(), home / "hub.toml",
                               as_bytes(hub_config(home / "hub", broker.url()))));
    test::Process hub({test::program("tributary-hub"), "--config", home / "hub.toml", "run"});
    if (!hub.wait_for_output("connected to the broker", test::milliseconds(20'000)))
        return fail(Errc::unavailable, "the hub did not connect:\n" + hub.err());

    TRIBUTARY_ASSIGN(const double open_s, fleet.open(port_of(broker.url())));
    if (piece_bytes > kFleetPieceBytes)
        return upload_all(fleet, hub, broker, home / "hub", open_s, piece_bytes);

    const auto usage = [&] { return Usage{cpu_seconds(hub.pid()), cpu_seconds(::getpid())}; };
    const Usage before = usage();
    const Stopwatch loads;
    TRIBUTARY_ASSIGN(const Fleet::Load most, fleet.in_turn(seconds));
    TRIBUTARY_ASSIGN(const Fleet::Load paced, fleet.paced(seconds));
    const double loads_s = loads.seconds();
    const Usage after = usage();
    const std::uint64_t hub_rss = peak_rss_bytes(hub.pid());

    fleet.disconnect();
    if (hub.stop() != test::Ending{0, 0})
        return fail(Errc::unavailable, "the hub did not end well:\n" + hub.err());
    const double without_broker_s = ended_cpu_seconds();
    broker.kill();
    const double broker_s = ended_cpu_seconds() - without_broker_s;
    TRIBUTARY_TRY(fleet.check_receipts());
    TRIBUTARY_ASSIGN(const Verdict verdict, check_ledger(home / "hub", fleet));
    if (verdict.lost != 0 || verdict.invented != 0) return bad_ledger(verdict);

    const auto versions = static_cast<double>(most.committed + paced.committed);
    const auto per_s = [](const Fleet::Load& load) {
        return rounded(static_cast<double>(load.receipted) / load.seconds, 10);
    };
    return Json::object(
        {{"devices", devices},
         {"connects_per_s", rounded(static_cast<double>(devices) / open_s, 10)},
         {"versions_per_s", per_s(most)},
         {"receipt_p50_ms", rounded(percentile(paced.latencies_ms, 0.50), 10)},
         {"receipt_p99_ms", rounded(percentile(paced.latencies_ms, 0.99), 10)},
         {"hub_rss_bytes", hub_rss},
         {"offered_per_s", rounded(static_cast<double>(paced.committed) / paced.seconds, 10)},
         {"offered_receipted_per_s", per_s(paced)},
         {"in_turn_p50_ms", rounded(percentile(most.latencies_ms, 0.50), 10)},
         {"in_turn_p99_ms", rounded(percentile(most.latencies_ms, 0.99), 10)},
         {"hub_cpu_ms_per_version", rounded((after.hub - before.hub) * 1000 / versions, 1000)},
         {"hub_cpu_share", rounded((after.hub - before.hub) / loads_s, 100)},
         {"broker_cpu_ms_per_version", rounded(broker_s * 1000 / versions, 1000)},
         {"driver_cpu_share", rounded((after.driver - before.driver) / loads_s, 100)},
         {"receipted_versions", verdict.receipted},
         {"unreceipted_versions", verdict.unreceipted},
         {"lost", verdict.lost},
         {"invented", verdict.invented},
         {"refusals", fleet.troubles()}});
}

}  // namespace tributary::bench
