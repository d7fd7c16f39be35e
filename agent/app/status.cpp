#include <cstdio>
#include <map>

#include "agent/app/progress.h"
#include "agent/app/verbs.h"
#include "agent/sync/new_journal.h"
#include "agent/sync/sync_state.h"
#include "agent/sync/uplink.h"
#include "agent/update/slot.h"
#include "agent/update/state.h"
#include "common/base/words.h"
#include "common/store/state_file.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

// Of one model: what runs, and what is being installed.
struct ModelStanding {
    std::string name;
    std::string slot;                  // that runs; empty: none
    std::optional<VersionId> runs;     // in it, if this agent put it there
    std::optional<VersionId> coming;   // not yet kept, or not yet reported
    std::string state;                 // of that one
    std::optional<InstallBody> ended;  // the last install, when it did not come to run
    std::string trouble;               // why it is not known
};

struct Standing {
    StoreCounters counters;
    JournalHead head;
    std::uint64_t pending_versions = 0;
    Backlog::Size pending;  // of them
    std::optional<Receipt> receipt;
    std::uint64_t sent_bytes = 0;
    std::vector<std::string> repositories;
    // Asked only when the store is so large that some would go, and its journals are not long.
    std::optional<Retention> retention;
    std::string refusal;  // why nothing is recorded; empty: it is
    std::optional<double> life_years;
    std::uint64_t written_today = 0;  // when that is limited
    std::vector<ModelStanding> models;
    std::uint64_t journal_ahead_ms = 0;  // of the clock, which is synchronised
};

// Beyond what a clock is corrected by now and then.
constexpr std::uint64_t kJournalAheadMs = 10 * 60'000;

// Of less than that the first pages of files say more than what was recorded.
constexpr std::uint64_t kWrittenSayFromBytes = 1'000'000;

constexpr double kDayMs = 86'400'000;
// What a controller writes for each byte that it is handed, erasing in blocks and moving data.
constexpr double kControllerFactor = 4;

// When the first journal of this store began; nullopt when its clock was not synchronised.
Result<std::optional<WallTime>> made_at(Store& store) {
    TRIBUTARY_ASSIGN(const auto journals, own_journals(store));
    std::optional<HybridTime> began;
    TRIBUTARY_TRY(store.read_entries(journals.front().incarnation, 1, [&](ByteView plain) {
        if (const auto entry = parse_entry(plain)) began = entry->header.time;
        return false;
    }));
    if (!began || began->quality != ClockQuality::synced) return std::nullopt;
    return WallTime{began->wall_ms};
}

// How long the flash lasts when it goes on as since the store was made; nullopt when that is not
// known. Only synchronised clocks are believed.
Result<std::optional<double>> life_years(Node& node, const Standing& standing) {
    const auto& config = node.config.store;
    const double endurance = static_cast<double>(config.flash_bytes) * config.flash_cycles;
    if (endurance == 0 || node.world.clock.quality() != ClockQuality::synced) return std::nullopt;
    TRIBUTARY_ASSIGN(const std::optional<WallTime> made, made_at(*node.store));
    const WallTime now = node.world.clock.wall();
    if (!made || now <= *made) return std::nullopt;
    const double days = static_cast<double>(now.ms - made->ms) / kDayMs;
    const double written = static_cast<double>(standing.counters.written_bytes);
    if (days < 1 || written == 0) return std::nullopt;
    return endurance / kControllerFactor / (written / days) / 365.25;
}

// Records of the backlog that are looked at each time, while commits and sync wait.
constexpr std::size_t kPendingRecords = 1024;

// Entries of the journal among which the last install is looked for.
constexpr std::uint64_t kJournalTail = 1024;

// How the last install of each model ended, by name.
std::map<std::string, InstallBody> last_installs(Store& store) {
    std::map<std::string, InstallBody> last;
    const JournalHead head = store.head();
    const std::uint64_t from = head.sequence > kJournalTail ? head.sequence - kJournalTail : 1;
    const Status read = store.read_entries(head.incarnation, from, [&](ByteView plain) {
        const auto entry = parse_entry(plain);
        if (!entry || entry->header.kind != EntryKind::install) return true;
        const auto body = parse_body(entry->header.kind, entry->body);
        if (const auto* install = body ? std::get_if<InstallBody>(&*body) : nullptr)
            last.insert_or_assign(install->model, *install);
        return true;
    });
    if (!read) last.clear();  // 'log' says what cannot be read
    return last;
}

std::vector<ModelStanding> read_models(Node& node) {
    std::vector<ModelStanding> models;
    if (node.config.models.empty()) return models;
    Files& files = node.world.files;
    InstallerState state;
    std::string trouble;
    if (const auto file = StateFile::open(files, node.config.install_path()); !file) {
        trouble = file.error().what;
    } else if (file->value()) {
        auto parsed = parse_installer_state(*file->value());
        if (parsed)
            state = *std::move(parsed);
        else
            trouble = parsed.error().what;
    }
    const auto last = last_installs(*node.store);
    for (const ModelConfig& config : node.config.models) {
        ModelStanding model;
        model.name = config.name;
        model.trouble = trouble;
        if (auto slot = running_slot(files, node.config.model_dir(config)))
            model.slot = *std::move(slot);
        else
            model.trouble = slot.error().what;
        if (const SlotMark* mark = state.mark(model.name, model.slot)) model.runs = mark->version;
        for (const rollout::Install& install : state.installs)
            if (install.model == model.name && !model.coming) {
                model.coming = install.version;
                model.state = rollout::name_of(install.state);
            }
        const auto ended = last.find(model.name);
        if (ended != last.end() && ended->second.running != ended->second.version)
            model.ended = ended->second;
        models.push_back(std::move(model));
    }
    return models;
}

bool has_hub(const Node& node) {
    return !node.config.hub.url.empty() || (node.trust && node.trust->enrolled());
}

Result<Standing> read_standing(Node& node) {
    Standing standing;
    if (node.store) standing.models = read_models(node);
    const SyncState sync = load_sync_state(node.world.files, node.config.sync_path());
    standing.sent_bytes = node.live ? node.live->sent_bytes : sync.sent_bytes;
    if (!node.store) return standing;
    standing.counters = node.store->counters();
    standing.head = node.store->head();
    const std::uint64_t now_ms = node.world.clock.wall().ms;
    if (node.world.clock.quality() == ClockQuality::synced &&
        standing.head.time.wall_ms > now_ms + kJournalAheadMs)
        standing.journal_ahead_ms = standing.head.time.wall_ms - now_ms;
    // Only a receipt lets a version count as delivered. What an earlier journal of this store said
    // without one was said again in the present one.
    TRIBUTARY_ASSIGN(standing.receipt, last_receipt(*node.store, standing.head.incarnation));
    const std::uint64_t receipted = receipted_entries(*node.store, sync);
    TRIBUTARY_ASSIGN(standing.pending_versions,
                     node.store->count_versions_after(standing.head.incarnation, receipted));
    // A receipt that came since the daemon was asked covers what had passed.
    const std::uint64_t last = standing.receipt ? standing.receipt->sequence : 0;
    if (node.live && last != node.live->receipted) node.live->bytes_passed = 0;
    if (has_hub(node))
        standing.pending = node.backlog.size(*node.store, receipted, kPendingRecords);
    TRIBUTARY_ASSIGN(standing.repositories, node.store->repositories());
    TRIBUTARY_ASSIGN(standing.life_years, life_years(node, standing));
    standing.written_today = node.writes->used_bytes();
    standing.refusal = node.writes->refusal();
    SpaceKeeper& space = *node.space;
    if (space.is_past(space.limits().goal_bytes())) {
        auto retention = space.brief_survey();
        if (standing.refusal.empty()) standing.refusal = space.refusal(retention);
        if (retention) standing.retention = *std::move(retention);
    }
    if (const Status room = node.store->admits(Store::kBatchBytes);
        !room && room.error().code == Errc::exhausted && standing.refusal.empty())
        standing.refusal = room.error().what;
    return standing;
}

Json to_json(const std::optional<Receipt>& receipt) {
    if (!receipt) return {};
    return Json::object({{"sequence", receipt->sequence},
                         {"epoch", receipt->epoch},
                         {"hub", receipt->hub.text()},
                         {"hub_sequence", receipt->hub_sequence}});
}

Json to_json(const std::optional<LiveStatus::Broadcast>& broadcast) {
    if (!broadcast) return {};
    return Json::object({{"version", broadcast->version.text()},
                         {"received_bytes", broadcast->received_bytes},
                         {"parts_held", broadcast->held},
                         {"parts", broadcast->parts ? Json(*broadcast->parts) : Json()}});
}

std::string to_plain(const LiveStatus::Broadcast& broadcast) {
    std::string text = std::to_string(broadcast.held);
    if (broadcast.parts) text += " of " + std::to_string(*broadcast.parts);
    return "receiving " + broadcast.version.text() + " by broadcast, " + text + " parts, " +
           human_bytes(broadcast.received_bytes) + " so far\n";
}

Json to_json(const std::optional<InstallBody>& ended) {
    if (!ended) return {};
    return Json::object({{"version", ended->version.text()},
                         {"state", ended->state},
                         {"reason", ended->detail.empty() ? Json() : Json(ended->detail)}});
}

Json to_json(const ModelStanding& model) {
    return Json::object({{"name", model.name},
                         {"slot", model.slot.empty() ? Json() : Json(model.slot)},
                         {"running", model.runs ? Json(model.runs->text()) : Json()},
                         {"installing", model.coming ? Json(model.coming->text()) : Json()},
                         {"state", model.state.empty() ? Json() : Json(model.state)},
                         {"last_install", to_json(model.ended)},
                         {"trouble", model.trouble.empty() ? Json() : Json(model.trouble)}});
}

std::string to_plain(const ModelStanding& model) {
    std::string line = "model     " + model.name;
    if (!model.trouble.empty()) return line + ": " + model.trouble + "\n";
    if (model.runs)
        line += " runs " + model.runs->text();
    else
        line += model.slot.empty() ? " runs nothing yet" : " runs what this agent did not install";
    if (model.coming && model.coming == model.runs)
        line += ", in state " + model.state;
    else if (model.coming)
        line += "; " + model.coming->text() + " is in state " + model.state;
    else if (const auto& ended = model.ended)
        line += "; the last install, of " + ended->version.text() + ", ended as " + ended->state +
                (ended->detail.empty() ? "" : ": " + ended->detail);
    return line + "\n";
}

Json to_json(const std::optional<LiveStatus>& live, const Standing& standing, bool limited_by_day) {
    if (!live) return {};
    return Json::object(
        {{"broker_connected", live->broker_connected},
         {"hub_connected", live->hub_connected},
         {"hub_heard_seconds", live->hub_heard_ms ? Json(*live->hub_heard_ms / 1000) : Json()},
         {"device", live->device.empty() ? Json() : Json(live->device)},
         {"hub", live->hub.empty() ? Json() : Json(live->hub)},
         {"bytes_left", bytes_left(standing.pending, *live)},
         {"bytes_per_second", live->bytes_per_second ? Json(*live->bytes_per_second) : Json()},
         {"bytes_to_come", live->bytes_to_come},
         {"push_bytes_per_second",
          live->push_bytes_per_second ? Json(*live->push_bytes_per_second) : Json()},
         {"passed_last_day_bytes", limited_by_day ? Json(live->passed_last_day_bytes) : Json()},
         {"link_closed", live->link_closed.empty() ? Json() : Json(live->link_closed)},
         {"link_rests_seconds",
          live->link_rests_ms != 0 ? Json(live->link_rests_ms / 1000) : Json()},
         {"broadcast", to_json(live->broadcast)},
         {"denied", live->denied},
         {"trouble", live->trouble.empty() ? Json() : Json(live->trouble)}});
}

double write_amplification(const StoreCounters& counters) {
    return static_cast<double>(counters.written_bytes) /
           static_cast<double>(counters.recorded_bytes);
}

std::string rounded(double number, int digits) {
    char text[32] = {};
    std::snprintf(text, sizeof text, "%.*f", digits, number);
    return text;
}

// What of it a person should know: when nothing new can be installed, and for how long all is well.
std::string trust_lines(const Node& node) {
    if (!node.trust_trouble.empty()) return "trust     " + node.trust_trouble + "\n";
    if (!node.trust || !node.trust->enrolled()) return {};
    const TrustKeeper& trust = *node.trust;
    std::string out = "root      version " + std::to_string(trust.root()->root.version);
    if (const WallTime due = trust.state().renew_after; due.ms != 0)
        out += "; the certificate is renewed after " + to_text(due);
    out += "\n";
    const Status installs = trust.admits_installs();
    if (!installs && installs.error().code == Errc::denied)
        out += "installs  " + installs.error().what + "\n";
    return out;
}

Json trust_json(const Node& node) {
    if (!node.trust_trouble.empty()) return Json::object({{"trouble", node.trust_trouble}});
    if (!node.trust || !node.trust->enrolled()) return {};
    const TrustKeeper& trust = *node.trust;
    const Status installs = trust.admits_installs();
    const bool stopped = !installs && installs.error().code == Errc::denied;
    return Json::object({{"root_version", trust.root()->root.version},
                         {"root", trust.root()->digest.text()},
                         {"ratchet", to_text(trust.ratchet())},
                         {"renew_after", to_text(trust.state().renew_after)},
                         {"installs_refused", stopped ? Json(installs.error().what) : Json()}});
}

// "kept", or "ignored" while the clock is not synchronised; null without any.
Json hours_json(const Node& node) {
    const LinkPolicy policy = link_policy(node.config);
    if (policy.hours.empty()) return {};
    return policy.keeps_hours(node.world.clock.quality()) ? "kept" : "ignored";
}

Json to_json(const Node& node, const Standing& standing) {
    const std::uint64_t quota = node.space ? node.space->limits().quota_bytes : 0;
    const std::uint64_t limit = node.config.store.written_per_day;
    const bool wrote = standing.counters.recorded_bytes != 0;
    const auto& life = standing.life_years;
    const auto& retention = standing.retention;
    Json repositories = Json::array();
    Json models = Json::array();
    for (const ModelStanding& model : standing.models) models.push(to_json(model));
    for (const std::string& repo : standing.repositories) repositories.push(repo);
    return Json::object(
        {{"state_dir", node.config.state_dir},
         {"incarnation",
          standing.head.incarnation.is_none() ? Json() : Json(standing.head.incarnation.text())},
         {"sequence", standing.head.sequence},
         {"recorded_bytes", standing.counters.recorded_bytes},
         {"stored_bytes", standing.counters.stored_bytes},
         {"written_bytes", standing.counters.written_bytes},
         {"write_amplification", wrote ? Json(write_amplification(standing.counters)) : Json()},
         {"written_last_day_bytes", limit != 0 ? Json(standing.written_today) : Json()},
         {"written_per_day_bytes", limit != 0 ? Json(limit) : Json()},
         {"estimated_life_years", life ? Json(*life) : Json()},
         {"quota_bytes", quota != 0 ? Json(quota) : Json()},
         {"versions_that_may_go", retention ? Json(retention->may_go) : Json()},
         {"recording_refused", standing.refusal.empty() ? Json() : Json(standing.refusal)},
         {"sent_bytes", standing.sent_bytes},
         {"pending_versions", standing.pending_versions},
         {"pending_bytes", standing.pending.bytes},
         {"pending_counted", standing.pending.all},
         {"last_receipt", to_json(standing.receipt)},
         {"records", standing.counters.records},
         {"segments", standing.counters.segments},
         {"repositories", std::move(repositories)},
         {"models", std::move(models)},
         {"journal_ahead_seconds",
          standing.journal_ahead_ms != 0 ? Json(standing.journal_ahead_ms / 1000) : Json()},
         {"link_hours", hours_json(node)},
         {"trust", trust_json(node)},
         {"daemon", to_json(node.live, standing, node.config.link.bytes_per_day != 0)}});
}

std::string connection_of(const LiveStatus& live) {
    const std::string heard =
        live.hub_heard_ms ? "heard " + human_span(*live.hub_heard_ms) + " ago" : "not heard yet";
    if (live.hub_connected) return "connected to " + live.hub + " as " + live.device + ", " + heard;
    if (live.device.empty())
        return live.secured ? "not enrolled" : "waits for its first contact with the hub";
    if (!live.broker_connected) return "waits for the broker, as " + live.device;
    return "waits for the hub, as " + live.device + ", " + heard;
}

std::string quota_line(const Node& node, const Standing& standing) {
    const SpaceLimits& limits = node.space->limits();
    if (limits.quota_bytes == 0) return "quota     none\n";
    const bool share = node.config.store.quota.percent != 0;
    const std::uint64_t percent = standing.counters.stored_bytes / (limits.quota_bytes / 100);
    std::string line = "quota     ";
    line += share ? size_text(node.config.store.quota) + " of the disk"
                  : human_bytes(limits.quota_bytes);
    line += ", " + std::to_string(percent) + " % used";
    if (standing.retention)
        line += "; " + counted(standing.retention->may_go, "version") + " may be given up";
    else if (node.space->is_past(limits.goal_bytes()))
        line += "; 'gc --dry-run' says what may be given up";
    return line + "\n";
}

std::string journal_ahead_text(const HybridTime& head, std::uint64_t ms) {
    return "the journal's time is " + human_span(ms) +
           " ahead of the clock: what is recorded before " + to_text(WallTime{head.wall_ms}) +
           " shows that time";
}

std::string to_plain(const Node& node, const Standing& standing) {
    const StoreCounters& counters = standing.counters;
    std::string out = "state     " + node.config.state_dir;
    out += node.store ? "\n" : " (no store yet; the first commit makes it)\n";
    out += "recorded  " + human_bytes(counters.recorded_bytes) + "\n";
    out += "stored    " + human_bytes(counters.stored_bytes) + " in " +
           counted(counters.records, "record") + ", " + counted(counters.segments, "segment") +
           "\n";
    out +=
        "written   " + human_bytes(counters.written_bytes) + " to flash since the store was made";
    if (counters.recorded_bytes >= kWrittenSayFromBytes)
        out += ", " + rounded(write_amplification(counters), 2) + " B for each byte recorded";
    out += "\n";
    if (const std::uint64_t limit = node.config.store.written_per_day; limit != 0)
        out += "today     " + human_bytes(standing.written_today) + " of " + human_bytes(limit) +
               " written in 24 hours\n";
    if (standing.life_years)
        out += "life      about " + rounded(*standing.life_years, 1) +
               " years of the flash at this rate\n";
    if (node.space) out += quota_line(node, standing);
    if (!standing.refusal.empty()) out += "refused   recording: " + standing.refusal + "\n";
    out += "pending   " + counted(standing.pending_versions, "version") + " without a receipt";
    if (!has_hub(node))
        out += " (no hub is configured)";
    else if (standing.pending.bytes != 0)
        out += ", " + pending_amount(standing.pending);
    out += "\n";
    if (standing.receipt)
        out += "receipt   up to entry " + std::to_string(standing.receipt->sequence) + " of " +
               std::to_string(standing.head.sequence) + "\n";
    if (standing.sent_bytes != 0)
        out += "sent      about " + human_bytes(standing.sent_bytes) + "\n";
    if (node.live) {
        if (has_hub(node)) out += "sync      " + connection_of(*node.live) + "\n";
        if (const std::uint64_t limit = node.config.link.bytes_per_day; limit != 0)
            out += "link      " + human_bytes(node.live->passed_last_day_bytes) + " of " +
                   human_bytes(limit) + " used in 24 hours\n";
        if (const std::string what =
                link_policy(node.config).hours_trouble(node.world.clock.quality());
            !what.empty())
            out += "hours     " + what + "\n";
        if (!node.live->link_closed.empty()) out += "rests     " + node.live->link_closed + "\n";
        if (const std::string text = sending(standing.pending, *node.live); !text.empty())
            out += "sending   " + text + "\n";
        if (const std::string text = receiving(*node.live); !text.empty())
            out += "receiving " + text + "\n";
        if (node.live->broadcast) out += to_plain(*node.live->broadcast);
        if (!node.live->trouble.empty()) out += "trouble   " + node.live->trouble + "\n";
    } else if (has_hub(node)) {
        out += "sync      the daemon is not running; 'tributary-agent run' syncs\n";
    }
    out += trust_lines(node);
    if (standing.journal_ahead_ms != 0)
        out +=
            "clock     " + journal_ahead_text(standing.head.time, standing.journal_ahead_ms) + "\n";
    for (const ModelStanding& model : standing.models) out += to_plain(model);
    for (const std::string& repo : standing.repositories) out += "repo      " + repo + "\n";
    return out;
}

}  // namespace

ExitCode run_status(Node& node, const StatusArgs&, OutputStyle style, Console& console) {
    const Result<Standing> standing = read_standing(node);
    if (!standing) return report(standing.error(), style, console);
    console.out(style.json ? to_json(node, *standing).text() + "\n" : to_plain(node, *standing));
    return ExitCode::ok;
}

}  // namespace tributary::agent
