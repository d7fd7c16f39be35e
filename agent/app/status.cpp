#include "agent/app/verbs.h"
#include "agent/sync/sync_state.h"
#include "agent/sync/uplink.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

struct Standing {
    StoreCounters counters;
    JournalHead head;
    std::uint64_t pending_versions = 0;
    std::optional<Receipt> receipt;
    std::uint64_t sent_bytes = 0;
    std::vector<std::string> repositories;
};

Result<Standing> read_standing(Node& node) {
    Standing standing;
    standing.sent_bytes =
        node.live ? node.live->sent_bytes
                  : load_sync_state(node.world.files, node.config.sync_path()).sent_bytes;
    if (!node.store) return standing;
    standing.counters = node.store->counters();
    standing.head = node.store->head();
    // Only a receipt lets a version count as delivered. Earlier journals of this store count too.
    TRIBUTARY_ASSIGN(standing.receipt, last_receipt(*node.store));
    TRIBUTARY_ASSIGN(const std::vector<JournalHead> journals, node.store->heads());
    for (const JournalHead& journal : journals) {
        const bool receipted =
            standing.receipt && standing.receipt->incarnation == journal.incarnation;
        TRIBUTARY_ASSIGN(const std::uint64_t pending,
                         node.store->count_versions_after(
                             journal.incarnation, receipted ? standing.receipt->sequence : 0));
        standing.pending_versions += pending;
    }
    TRIBUTARY_ASSIGN(standing.repositories, node.store->repositories());
    return standing;
}

Json to_json(const std::optional<Receipt>& receipt) {
    if (!receipt) return {};
    return Json::object({{"sequence", receipt->sequence},
                         {"epoch", receipt->epoch},
                         {"hub", receipt->hub.text()},
                         {"hub_sequence", receipt->hub_sequence}});
}

Json to_json(const std::optional<LiveStatus>& live) {
    if (!live) return {};
    return Json::object(
        {{"broker_connected", live->broker_connected},
         {"hub_connected", live->hub_connected},
         {"hub_heard_seconds", live->hub_heard_ms ? Json(*live->hub_heard_ms / 1000) : Json()},
         {"device", live->device.empty() ? Json() : Json(live->device)},
         {"hub", live->hub.empty() ? Json() : Json(live->hub)},
         {"bytes_left", live->bytes_left},
         {"trouble", live->trouble.empty() ? Json() : Json(live->trouble)}});
}

Json to_json(const Node& node, const Standing& standing) {
    Json repositories = Json::array();
    for (const std::string& repo : standing.repositories) repositories.push(repo);
    return Json::object(
        {{"state_dir", node.config.state_dir},
         {"incarnation",
          standing.head.incarnation.is_none() ? Json() : Json(standing.head.incarnation.text())},
         {"sequence", standing.head.sequence},
         {"recorded_bytes", standing.counters.recorded_bytes},
         {"stored_bytes", standing.counters.stored_bytes},
         {"written_bytes", standing.counters.written_bytes},
         {"sent_bytes", standing.sent_bytes},
         {"pending_versions", standing.pending_versions},
         {"last_receipt", to_json(standing.receipt)},
         {"records", standing.counters.records},
         {"segments", standing.counters.segments},
         {"repositories", std::move(repositories)},
         {"daemon", to_json(node.live)}});
}

std::string connection_of(const LiveStatus& live) {
    const std::string heard =
        live.hub_heard_ms ? "heard " + human_span(*live.hub_heard_ms) + " ago" : "not heard yet";
    if (live.hub_connected) return "connected to " + live.hub + " as " + live.device + ", " + heard;
    if (live.device.empty()) return "waits for its first contact with the hub";
    if (!live.broker_connected) return "waits for the broker, as " + live.device;
    return "waits for the hub, as " + live.device + ", " + heard;
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
        "written   " + human_bytes(counters.written_bytes) + " to flash since the store was made\n";
    out += "pending   " + counted(standing.pending_versions, "version") + " without a receipt";
    out += node.config.hub.url.empty() ? " (no hub is configured)\n" : "\n";
    if (standing.receipt)
        out += "receipt   up to entry " + std::to_string(standing.receipt->sequence) + " of " +
               std::to_string(standing.head.sequence) + "\n";
    if (standing.sent_bytes != 0) out += "sent      " + human_bytes(standing.sent_bytes) + "\n";
    if (node.live) {
        if (!node.config.hub.url.empty()) out += "sync      " + connection_of(*node.live) + "\n";
        if (node.live->bytes_left != 0)
            out += "sending   " + human_bytes(node.live->bytes_left) + " left\n";
        if (!node.live->trouble.empty()) out += "trouble   " + node.live->trouble + "\n";
    } else if (!node.config.hub.url.empty()) {
        out += "sync      the daemon is not running; 'tributary-agent run' syncs\n";
    }
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
