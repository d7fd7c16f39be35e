#include <unordered_set>

#include "agent/app/verbs.h"
#include "common/text/harmless.h"
#include "common/text/json.h"

namespace tributary::agent {
namespace {

std::string_view name_of(ClockQuality quality) {
    switch (quality) {
        case ClockQuality::synced: return "synced";
        case ClockQuality::ratchet: return "ratchet";
        case ClockQuality::unknown: break;
    }
    return "unknown";
}

// What the log shows of one version. Its notes may have been erased, its tree be held or not.
struct Shown {
    VersionRow row;
    Version version;
    Notes notes;
    bool kept = true;      // else its files were given up here
    bool thinned = false;  // and that before the hub had them
};

Result<Shown> read_shown(Store& store, const VersionRow& row) {
    Shown shown;
    shown.row = row;
    TRIBUTARY_ASSIGN(shown.version, read_version(store, row.id));
    TRIBUTARY_ASSIGN(shown.notes, read_notes(store, shown.version.notes));
    TRIBUTARY_ASSIGN(const bool evicted, store.evicted(row.id));
    shown.kept = !evicted;
    TRIBUTARY_ASSIGN(const bool thinned, store.thinned(row.id));
    shown.thinned = evicted && thinned;
    return shown;
}

Json to_json(const Shown& shown) {
    const Version& version = shown.version;
    Json parents = Json::array();
    for (const VersionId& parent : version.parents) parents.push(parent.text());
    Json inputs = Json::array();
    for (const Input& input : version.inputs) {
        inputs.push(Json::object(
            {{"id", input.id.text()}, {"role", input.role}, {"selector", input.selector}}));
    }
    Json metadata = Json::object();
    for (const auto& [key, value] : shown.notes.metadata) metadata.set(key, value);
    return Json::object({{"version", shown.row.id.text()},
                         {"repo", shown.row.repo},
                         {"branch", shown.row.branch},
                         {"tree", version.tree.text()},
                         {"parents", std::move(parents)},
                         {"inputs", std::move(inputs)},
                         {"author", version.author},
                         {"time", to_text(WallTime{version.time.wall_ms})},
                         {"clock", name_of(version.time.quality)},
                         {"message", shown.notes.message},
                         {"metadata", std::move(metadata)},
                         {"kept", shown.kept},
                         {"thinned", shown.thinned},
                         {"incarnation", shown.row.incarnation.text()},
                         {"sequence", shown.row.sequence}});
}

std::string indented(std::string_view text) {
    std::string out = "    ";
    for (const char c : text) {
        out += c;
        if (c == '\n') out += "    ";
    }
    return out;
}

std::string to_plain(const Shown& shown) {
    const Version& version = shown.version;
    std::string out = "version " + shown.row.id.text() + "\n";
    out += "on      " + harmless(shown.row.repo + "/" + shown.row.branch) + "\n";
    out += "at      " + to_text(WallTime{version.time.wall_ms});
    out += version.time.quality == ClockQuality::synced ? "\n" : " (clock not synchronised)\n";
    if (!version.author.empty()) out += "by      " + harmless(version.author) + "\n";
    for (const Input& input : version.inputs) {
        out += "from    " + harmless(input.role) + " " + input.id.text() + "\n";
    }
    if (shown.thinned)
        out += "files   dropped to make room, before the hub had them\n";
    else if (!shown.kept)
        out += "files   not kept here: given up to make room; the hub has them\n";
    for (const auto& [key, value] : shown.notes.metadata)
        out += "meta    " + harmless(key) + "=" + harmless(value) + "\n";
    if (!shown.notes.message.empty())
        out += "\n" + indented(harmless(shown.notes.message, Lines::several)) + "\n";
    return out;
}

Error nothing_there(const LogArgs& args) {
    std::string what = "no version here is";
    if (args.repo) what += " in repository " + *args.repo;
    if (args.branch) what += " on branch " + *args.branch;
    return {Errc::not_found, what + "; 'tributary-agent log' lists all there are"};
}

}  // namespace

ExitCode run_log(Node& node, const LogArgs& args, OutputStyle style, Console& console) {
    if (args.repo) {
        if (const Status named = check_repo_name(*args.repo); !named) {
            return report(named.error(), style, console);
        }
    }
    // Rows are small; of a branch, others have to be passed over.
    const std::size_t wanted = args.branch ? SIZE_MAX : args.count;
    const Result<std::vector<VersionRow>> rows = node.store->versions(args.repo, wanted);
    if (!rows) return report(rows.error(), style, console);

    std::size_t printed = 0;
    std::unordered_set<VersionId> seen;
    std::optional<Error> damage;
    if (style.json) console.out("{\"versions\":[");
    for (const VersionRow& row : *rows) {
        if (args.branch && row.branch != *args.branch) continue;
        if (printed == args.count) break;
        if (!seen.insert(row.id).second) continue;  // said again in a later journal
        const Result<Shown> shown = read_shown(*node.store, row);
        if (!shown) {
            damage = shown.error();
            continue;
        }
        if (style.json) {
            console.out((printed == 0 ? "\n" : ",\n") + to_json(*shown).text());
        } else {
            console.out((printed == 0 ? "" : "\n") + to_plain(*shown));
        }
        ++printed;
    }
    if (style.json) console.out("\n]}\n");
    if (damage) return report(*damage, style, console);
    if (printed == 0 && (args.repo || args.branch))
        return report(nothing_there(args), style, console);
    if (printed == 0) console.err("nothing is recorded here yet; 'tributary-agent commit' does\n");
    return ExitCode::ok;
}

}  // namespace tributary::agent
