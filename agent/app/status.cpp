#include "agent/app/verbs.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

struct Standing {
    StoreCounters counters;
    JournalHead head;
    std::uint64_t pending_versions = 0;
    std::vector<std::string> repositories;
};

Result<Standing> read_standing(Node& node) {
    Standing standing;
    if (!node.store) return standing;
    standing.counters = node.store->counters();
    standing.head = node.store->head();
    // Only a receipt lets a version count as delivered. Earlier journals of this store count too.
    TRIBUTARY_ASSIGN(const std::vector<JournalHead> journals, node.store->heads());
    for (const JournalHead& journal : journals) {
        TRIBUTARY_ASSIGN(const std::uint64_t pending,
                         node.store->count_versions_after(journal.incarnation, 0));
        standing.pending_versions += pending;
    }
    TRIBUTARY_ASSIGN(standing.repositories, node.store->repositories());
    return standing;
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
         {"sent_bytes", 0},
         {"pending_versions", standing.pending_versions},
         {"last_receipt", Json()},
         {"records", standing.counters.records},
         {"segments", standing.counters.segments},
         {"repositories", std::move(repositories)}});
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
