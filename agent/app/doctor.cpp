// Looks at everything the agent needs and says, line by line, what is well and what to do.
#include <algorithm>

#include "agent/app/reach.h"
#include "agent/app/verbs.h"
#include "agent/sync/new_journal.h"
#include "agent/trust/enrolment.h"
#include "agent/trust/identity.h"
#include "agent/trust/key_succession.h"
#include "agent/update/slot.h"
#include "common/base/words.h"
#include "common/net/peer_url.h"
#include "common/text/json.h"
#include "common/trust/trust.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kJournalAheadMs = 10 * 60'000;  // beyond what clocks are corrected by
constexpr std::uint64_t kFreeBytesLow = 64ull << 20;    // a few checkpoints of a small model

enum class Verdict : std::uint8_t { ok, warn, fail };

std::string_view name_of(Verdict verdict) {
    switch (verdict) {
        case Verdict::ok: return "ok";
        case Verdict::warn: return "warn";
        case Verdict::fail: break;
    }
    return "fail";
}

class Findings {
public:
    void add(Verdict verdict, std::string_view about, std::string what) {
        findings_.push_back({verdict, std::string(about), std::move(what)});
    }
    bool any(Verdict verdict) const {
        return std::any_of(findings_.begin(), findings_.end(),
                           [&](const Finding& finding) { return finding.verdict == verdict; });
    }
    std::string plain() const {
        std::string out;
        for (const Finding& finding : findings_) {
            std::string line(agent::name_of(finding.verdict));
            line.resize(6, ' ');
            line += finding.about;
            line.resize(std::max<std::size_t>(line.size() + 1, 16), ' ');
            out += line + finding.what + "\n";
        }
        return out;
    }
    Json json() const {
        Json list = Json::array();
        for (const Finding& finding : findings_) {
            list.push(Json::object({{"verdict", agent::name_of(finding.verdict)},
                                    {"about", finding.about},
                                    {"what", finding.what}}));
        }
        return Json::object({{"well", !any(Verdict::fail)}, {"findings", std::move(list)}});
    }

private:
    struct Finding {
        Verdict verdict;
        std::string about;
        std::string what;
    };
    std::vector<Finding> findings_;
};

// Permissions are tried, not guessed.
Status try_writing(Files& files, const std::string& directory) {
    const std::string path = join_path(directory, ".doctor");
    if (files.stat(path)) TRIBUTARY_TRY(files.remove(path));  // of a run that was killed
    TRIBUTARY_TRY(files.create(path));
    return files.remove(path);
}

// The nearest folder at or above `path` that is there: in it the rest would be made.
std::string nearest_there(Files& files, std::string path) {
    while (!files.stat_target(path) && path != "/" && path != ".")
        path = std::string(parent_path(path));
    return path;
}

// False when there is no state directory yet, so that nothing in it can be looked at.
bool look_at_state_dir(const World& world, const Config& config, Findings& findings) {
    const Result<FileStatus> status = world.files.stat_target(config.state_dir);
    if (!status && status.error().code == Errc::not_found) {
        const std::string above = nearest_there(world.files, config.state_dir);
        if (const Status tried = try_writing(world.files, above); !tried)
            findings.add(
                Verdict::fail, "state_dir",
                config.state_dir + " is not there and cannot be made: " + tried.error().what);
        else
            findings.add(Verdict::ok, "state_dir",
                         config.state_dir + " is not there yet; the first commit makes it");
        return false;
    }
    if (!status) {
        findings.add(Verdict::fail, "state_dir", status.error().what);
        return false;
    }
    if (const Status tried = try_writing(world.files, config.state_dir); !tried) {
        findings.add(Verdict::fail, "state_dir", tried.error().what);
    } else {
        findings.add(Verdict::ok, "state_dir", config.state_dir + " can be written");
    }
    return true;
}

void look_at_space(const World& world, const Config& config, Findings& findings) {
    const Result<std::uint64_t> free = world.files.free_bytes(config.state_dir);
    if (!free) {
        findings.add(Verdict::fail, "space", free.error().what);
    } else if (*free < kFreeBytesLow) {
        findings.add(Verdict::warn, "space",
                     "only " + human_bytes(*free) + " are free; recording stops with an error " +
                         "when the disk is full, so make room: 'tributary-agent gc --all' gives up "
                         "all that may go");
    } else {
        findings.add(Verdict::ok, "space", human_bytes(*free) + " are free");
    }
}

void look_at_clock(const World& world, Findings& findings) {
    const std::string now = to_text(WallTime{world.clock.wall().ms / 1000 * 1000});
    if (world.clock.quality() == ClockQuality::synced) {
        findings.add(Verdict::ok, "clock", "synchronised, " + now);
    } else {
        findings.add(Verdict::warn, "clock",
                     "not synchronised, shows " + now + "; order within this board is kept, but " +
                         "times may mislead: set up chrony or systemd-timesyncd");
    }
}

void look_at_hours(const World& world, const Config& config, Findings& findings) {
    if (const auto what = link_policy(config).hours_trouble(world.clock.quality()); !what.empty())
        findings.add(Verdict::warn, "link", what);
}

// Of a board that was enrolled: its certificate, and whom it believes.
void look_at_certificate(const Node& node, const Identity& identity, Findings& findings) {
    if (!node.trust) return findings.add(Verdict::fail, "trust", node.trust_trouble);
    if (node.trust->was_damaged())
        findings.add(Verdict::warn, "trust",
                     "one of " + node.config.trust_path() +
                         ".0 and .1 was damaged; the one before it holds, and the hub brings it up "
                         "to date");
    if (!node.trust->enrolled()) return;
    if (!identity.says)
        return findings.add(Verdict::fail, "identity",
                            "this board was enrolled, but its certificate is gone or another "
                            "machine's; enrol it again with 'tributary-agent enroll'");
    const WallTime now = node.trust->now();
    findings.add(identity.says->is_valid_at(now) ? Verdict::ok : Verdict::warn, "identity",
                 "'" + identity.says->subject + "', certificate good until " +
                     to_text(identity.says->validity.not_after));
    const Root& root = node.trust->root()->root;
    const bool expired = trust::is_expired(root, now);
    findings.add(expired ? Verdict::warn : Verdict::ok, "trust",
                 "root document " + std::to_string(root.version) +
                     (expired ? " has expired: nothing new is installed until its keepers sign "
                                "another one"
                              : ""));
}

// The key must be the one in force in the journal: no seal by another one will be believed.
void look_at_key(Node& node, Findings& findings) {
    Files& files = node.world.files;
    const std::string& path = node.config.key_path();
    const auto passphrase = IdentityPassphrase::load(files, node.config);
    if (!passphrase) return findings.add(Verdict::fail, "key", passphrase.error().what);
    const Result<Identity> key = load_identity(files, path, passphrase->get());
    const bool missing = !key && key.error().code == Errc::not_found;
    if (!key && !missing) {
        findings.add(Verdict::fail, "key",
                     key.error().what + "; without its key the hub will not believe this store");
        return;
    }
    if (node.store->head().sequence == 0) return;  // not begun
    const Result<StartBody> start = start_of_journal(*node.store);
    if (!start) {
        findings.add(Verdict::fail, "journal", start.error().what);
        return;
    }
    if (!start->continues.is_none())
        findings.add(Verdict::ok, "journal",
                     "goes on from entry " + std::to_string(start->continues_sequence) +
                         " of journal " + start->continues.text() +
                         ": after damage, on another machine, or beside another history");
    KeySuccession keys(files, *node.store, node.config, node.trust.get(), passphrase->get());
    if (missing || !keys.is_in_force(key->key->public_key()).value_or(true))
        findings.add(Verdict::fail, "key",
                     path + (missing ? " is gone" : " is not the key that is in force here") +
                         "; unless it is put back, the store becomes a device of its own at its "
                         "next start");
    else
        findings.add(Verdict::ok, "key", path);
    if (key) look_at_certificate(node, *key, findings);
}

void look_at_hardware(const World& world, const Config& config, Findings& findings) {
    const auto known = load_hardware(world.files, config.hardware_path());
    if (known && world.hardware && is_another(*known, world.hardware()))
        findings.add(Verdict::warn, "hardware",
                     "this store was on another machine; at its next start it becomes a device of "
                     "its own");
}

// After a clock that was far ahead once.
std::string journal_ahead(std::uint64_t ms) {
    return "its time is " + human_span(ms) +
           " ahead of the clock: what is recorded until the clock comes there shows one time";
}

// Whether a daemon has it.
bool look_at_store(const World& world, const Config& config, Console& console, Findings& findings) {
    Result<Node> node = open_node(world, config, StoreUse::read, "tributary-agent doctor", console,
                                  StoreWait{0, {}});
    if (!node && is_store_in_use(node.error())) {
        const std::string& what = node.error().what;
        const bool by_daemon = what.find("held by tributary-agent run") != std::string::npos;
        findings.add(Verdict::ok, "store",
                     by_daemon ? "in use by the running daemon, as it should be"
                               : "in use: " + what.substr(0, what.find("; waited")));
        if (!world.files.stat_target(config.key_path()))
            findings.add(Verdict::fail, "key",
                         config.key_path() +
                             " is gone; unless it is put back, "
                             "the store becomes a device of its own at its next start");
        return by_daemon;
    }
    if (!node) {
        findings.add(Verdict::fail, "store", node.error().what);
        return false;
    }
    if (!node->store) {
        findings.add(Verdict::ok, "store", "none yet; the first commit makes it");
        return false;
    }
    const RecoveryReport& recovery = node->store->recovery();
    for (const std::string& what : recovery.damage) {
        findings.add(Verdict::fail, "store", what + "; see 'tributary-agent fsck --data'");
    }
    if (!recovery.index_trouble.empty()) {
        findings.add(Verdict::warn, "index",
                     recovery.index_trouble + "; it is rebuilt in RAM at every start until then");
    }
    if (recovery.damage.empty()) {
        const StoreCounters counters = node->store->counters();
        findings.add(Verdict::ok, "store",
                     counted(counters.records, "record") + ", " +
                         human_bytes(counters.stored_bytes) + " stored");
        if (const std::string why = node->space->refusal(node->space->brief_survey()); !why.empty())
            findings.add(Verdict::fail, "quota", "nothing is recorded: " + why);
    }
    if (node->store->head().sequence != 0) look_at_key(*node, findings);
    const std::uint64_t now_ms = world.clock.wall().ms, head_ms = node->store->head().time.wall_ms;
    if (world.clock.quality() == ClockQuality::synced && head_ms > now_ms + kJournalAheadMs)
        findings.add(Verdict::warn, "journal", journal_ahead(head_ms - now_ms));
    return false;
}

// The agent's own folder holds the board's private key, and is never recorded.
void look_at_watch(Files& files, const Config& config, const WatchConfig& watch,
                   const FileStatus& status, Findings& findings) {
    std::string at = config.state_dir;
    bool holds = false, is = true;
    while (true) {
        const auto here = files.stat_target(at);
        holds = here && here->inode == status.inode && here->device == status.device;
        if (holds || at == "/" || at == ".") break;
        at = std::string(parent_path(at));
        is = false;
    }
    if (holds && is)
        findings.add(Verdict::fail, "watch",
                     watch.path + " is state_dir, which is never recorded: watch another folder");
    else if (holds)
        findings.add(Verdict::warn, "watch",
                     watch.path + " is recorded in " + watch.repo +
                         ", but for state_dir in it, which holds the board's private key: keep " +
                         "that elsewhere");
    else
        findings.add(Verdict::ok, "watch", watch.path + " is recorded in " + watch.repo);
}

// A folder that is not there is waited for, which is right on a board that mounts it later.
void look_at_watches(const World& world, const Config& config, Findings& findings) {
    for (const WatchConfig& watch : config.watches) {
        const auto status = world.files.stat_target(watch.path);
        if (!status && status.error().code == Errc::not_found)
            findings.add(
                Verdict::warn, "watch",
                watch.path + " is not there; it is waited for, and nothing of it recorded");
        else if (!status)
            findings.add(Verdict::fail, "watch", status.error().what);
        else if (status->kind != FileStatus::Kind::directory)
            findings.add(Verdict::fail, "watch",
                         watch.path + " is not a folder; name the folder that holds the files");
        else if (const auto names = world.files.list(watch.path); !names)
            findings.add(Verdict::fail, "watch", names.error().what);
        else
            look_at_watch(world.files, config, watch, *status, findings);
    }
}

void look_at_models(const World& world, const Config& config, Findings& findings) {
    for (const ModelConfig& model : config.models) {
        const std::string dir = config.model_dir(model);
        if (const Status tried = try_writing(world.files, nearest_there(world.files, dir)); !tried)
            findings.add(Verdict::fail, "model",
                         "nothing can be installed in " + dir + ": " + tried.error().what);
        else if (const auto slot = running_slot(world.files, dir); !slot)
            findings.add(Verdict::fail, "model", slot.error().what);
        else
            findings.add(
                Verdict::ok, "model",
                model.name + (slot->empty() ? " will be installed in " + dir + "; nothing is yet"
                                            : " runs in " + join_path(dir, *slot)));
    }
}

void look_at_broker_files(const World& world, const Config& config, Findings& findings) {
    const auto look = [&](std::string_view key, const std::string& path) {
        if (path.empty()) return;
        if (const auto file = world.files.open_read(path); !file)
            findings.add(Verdict::fail, "broker",
                         "[broker] " + std::string(key) + ": " + file.error().what);
    };
    look("ca", config.broker.ca);
    look("cert", config.broker.cert);
    look("key", config.broker.key);
}

// A daemon has the store and whatever belongs to it: it is asked.
ExitCode look_at_daemon(const Config& config, const AskDaemon& ask_daemon, Findings& findings) {
    Capture said;
    const auto code = ask_daemon(config.socket_path(), StatusArgs{}, {true}, said);
    const auto status = parse_json(said.text());
    const Json* daemon = status ? status->find("daemon") : nullptr;
    if (!code || !daemon || daemon->is_null()) {
        findings.add(Verdict::fail, "daemon", "it does not answer; 'tributary-agent run' logs why");
        return ExitCode::error;
    }
    const auto text = [](const Json& object, std::string_view name) -> const std::string* {
        const Json* member = object.find(name);
        return member ? member->as_text() : nullptr;
    };
    const auto flag = [&](std::string_view name) { return daemon->bool_at(name).value_or(false); };
    if (const auto* why = text(*status, "recording_refused"))
        findings.add(Verdict::fail, "quota", "nothing is recorded: " + *why);
    if (const auto ahead = status->u64_at("journal_ahead_seconds"))
        findings.add(Verdict::warn, "journal", journal_ahead(*ahead * 1000));
    if (const Json* trust = status->find("trust"); trust && !trust->is_null()) {
        if (const auto* trouble = text(*trust, "trouble"))
            findings.add(Verdict::fail, "trust", *trouble);
        else if (const auto* refused = text(*trust, "installs_refused"))
            findings.add(Verdict::warn, "trust", *refused);
        else
            findings.add(
                Verdict::ok, "trust",
                "root document " + std::to_string(trust->u64_at("root_version").value_or(0)));
    }
    if (const auto* why = text(*daemon, "link_closed")) findings.add(Verdict::warn, "link", *why);
    if (const auto* trouble = text(*daemon, "trouble")) {
        findings.add(Verdict::fail, "sync", *trouble);
        if (flag("denied")) return ExitCode::refused;
        return flag("broker_connected") ? ExitCode::error : ExitCode::out_of_reach;
    }
    const auto* device = text(*daemon, "device");
    if (flag("hub_connected"))
        findings.add(Verdict::ok, "sync", "connected to the hub as " + (device ? *device : "?"));
    else if (!config.hub.url.empty() || device)
        findings.add(Verdict::warn, "sync", "not connected to the hub now; 'status' shows more");
    return ExitCode::ok;
}

// Only what is configured is looked for. out_of_reach when something does not answer, error when
// another hub does.
ExitCode look_at_peers(const World& world, const Config& config, bool daemon_runs, Console& console,
                       Findings& findings) {
    ExitCode verdict = ExitCode::ok;
    const auto look = [&](std::string_view about, const std::string& url, const auto& attempt) {
        if (url.empty()) return;
        console.progress("trying " + url);
        const Status answer = attempt();
        if (answer) {
            findings.add(Verdict::ok, about, url + " answers");
        } else {
            findings.add(Verdict::fail, about, answer.error().what);
            if (verdict != ExitCode::error)
                verdict = answer.error().code == Errc::conflict ? ExitCode::error
                                                                : ExitCode::out_of_reach;
        }
    };
    const auto pins = load_pins(world.files, config.pins_path());
    if (!pins) {
        findings.add(Verdict::fail, "hub", pins.error().what);
        verdict = ExitCode::error;
    }
    const std::optional<Pins> known = pins ? *pins : std::nullopt;
    const std::string device = known && !daemon_runs ? known->device : "";
    if (known && !known->hub_url.empty()) {
        const Config enrolled = as_enrolled(config, *known);
        look("hub", enrolled.hub.url, [&] { return try_door(enrolled); });
        if (daemon_runs) return verdict;  // its own connection would be dropped
        const auto passphrase = IdentityPassphrase::load(world.files, config);
        look("broker", enrolled.broker.url, [&] {
            return try_broker(enrolled, device, passphrase ? passphrase->get() : nullptr,
                              world.entropy);
        });
        return verdict;
    }
    if (config.hub.url.empty() && config.broker.url.empty()) {
        findings.add(Verdict::ok, "hub",
                     "none is configured: what is recorded stays on this board");
        return verdict;
    }
    if (const auto hub = parse_hub_url(config.hub.url); hub && is_tls(*hub)) {
        findings.add(Verdict::fail, "hub",
                     "enrol first: run 'tributary-agent enroll --token TEXT' with a token of "
                     "'tributary device token'");
        return ExitCode::error;
    }
    if (config.hub.url.empty() || config.broker.url.empty()) {
        findings.add(Verdict::fail, config.hub.url.empty() ? "hub" : "broker",
                     "[hub] url and [broker] url go together; give both or none");
        verdict = ExitCode::error;
    }
    look("hub", config.hub.url, [&] { return try_hub(config, known); });
    look("broker", config.broker.url,
         [&] { return try_broker(config, device, nullptr, world.entropy); });
    return verdict;
}

}  // namespace

ExitCode run_doctor(const World& world, const std::string& config_path, OutputStyle style,
                    Console& console, const AskDaemon& ask_daemon) {
    Findings findings;
    bool daemon_runs = false;
    const Result<Config> config = load_config(world.files, config_path);
    if (!config) {
        findings.add(Verdict::fail, "config", config.error().what);
    } else {
        findings.add(Verdict::ok, "config", config_path);
        if (const auto owner = act_as_owner_of(config->state_dir); !owner)
            findings.add(Verdict::warn, "user", owner.error().what);
        if (look_at_state_dir(world, *config, findings)) {
            look_at_space(world, *config, findings);
            look_at_hardware(world, *config, findings);
            daemon_runs = look_at_store(world, *config, console, findings);
        }
        look_at_watches(world, *config, findings);
        look_at_models(world, *config, findings);
        look_at_hours(world, *config, findings);
        look_at_broker_files(world, *config, findings);
    }
    look_at_clock(world, findings);
    const bool ill = findings.any(Verdict::fail);
    ExitCode peers =
        config ? look_at_peers(world, *config, daemon_runs, console, findings) : ExitCode::ok;
    if (daemon_runs) {
        const ExitCode daemon = look_at_daemon(*config, ask_daemon, findings);
        if (peers != ExitCode::error && daemon != ExitCode::ok) peers = daemon;
    }
    console.out(style.json ? findings.json().text() + "\n" : findings.plain());
    if (!config && config.error().code == Errc::invalid) return ExitCode::usage;
    if (ill) return ExitCode::error;
    return peers;
}

}  // namespace tributary::agent
