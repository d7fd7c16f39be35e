#include <algorithm>
#include <iostream>

#include "common/base/words.h"
#include "common/env/clock.h"
#include "hub/cli/device_words.h"
#include "hub/cli/print.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

// A hub that starts anew, as for another root document, knows nothing of before.
constexpr const char* kSinceStart = " since the hub's start";

// With a mark when `device show` says more.
std::string connection_in_list(const Json& device) {
    const Json* link = device.find("link");
    const bool troubled = link && !link->is_null() && text_of(*link, "trouble") != "-";
    return connection(device) + (troubled ? ", trouble" : "");
}

// Why no device is connected, and when that is tried again.
std::string no_broker(const Json& answer) {
    const Json* connected = answer.find("broker_connected");
    if (!connected || connected->as_bool().value_or(true)) return "";
    const std::string why = text_of(answer, "broker_trouble");
    const auto seconds = answer.u64_at("broker_retry_seconds");
    return "The hub has no broker, and no device can reach it until that is back" +
           (why == "-" ? "" : ": " + why) +
           (seconds ? "; next attempt in " + std::to_string(*seconds + 1) + " s" : "") + "\n";
}

// "digits=0123456789ab (89abcdef0123 taken back: health)": what runs, and what came of the order.
std::string model_text(const Json& model) {
    const std::string state = text_of(model, "state");
    const std::string running = short_id(model.find("running"));
    const std::string wanted = short_id(model.find("wanted"));
    const std::string detail = text_of(model, "detail");
    const std::string why = detail == "-" ? "" : ": " + detail;
    std::string remark;
    if (state == "assigned")
        remark = wanted + " to come";
    else if (state == "rolled_back")
        remark = wanted + " taken back" + why;
    else if (state != "committed")
        remark = wanted + " " + state + why;
    else if (detail != "-")
        remark = detail;
    return text_of(model, "model") + "=" + running + (remark.empty() ? "" : " (" + remark + ")");
}

// A model that the board's configuration does not name is no model of its.
bool is_of_board(const Json& model) {
    const Json* running = model.find("running");
    return (running && !running->is_null()) || text_of(model, "state") != "rejected" ||
           text_of(model, "detail") != "model";
}

// Of boards that may not send what they recorded.
std::string no_room(const Json& answer) {
    const Json* waiting = answer.find("waiting_for_room");
    if (!waiting || waiting->is_null()) return "";
    const std::size_t boards = items(*waiting, "devices").size();
    const std::uint64_t bytes = waiting->u64_at("bytes").value_or(0);
    const std::uint64_t kept_free = waiting->u64_at("kept_free_bytes").value_or(0);
    return "ALARM: the hub's disk is full; boards that wait: " + std::to_string(boards) +
           ". What they recorded comes by itself when the disk of " +
           text_of(*waiting, "state_dir") + " has " + human_bytes(bytes + kept_free) + " free\n";
}

std::string running(const Json& device) {
    std::string text;
    for (const Json& model : items(device, "models"))
        if (is_of_board(model)) text += (text.empty() ? "" : ", ") + model_text(model);
    return text.empty() ? "-" : text;
}

std::string rests(const Json& link) {
    const std::string why = rest_of(link);
    return why.empty() ? "" : "rests      " + why + "\n";
}

std::string quarantine(const Json& device) {
    const Json* why = device.find("quarantine");
    if (!why || !why->as_text()) return "";
    return "quarantine " + harmless(*why->as_text()) +
           "; once it is mended, `tributary device release` has it heard again\n";
}

std::string dropped(const Json& link) {
    const std::uint64_t refused = link.u64_at("refused").value_or(0);
    const std::uint64_t stray = link.u64_at("stray").value_or(0);
    if (refused + stray == 0) return "";
    return "dropped    " + std::to_string(refused) + " messages that were refused, " +
           std::to_string(stray) + " of sessions that are over" + std::string(kSinceStart) + "\n";
}

std::string security_event(const Json& event) {
    const Json* last = event.find("last");
    return "refused    " + text_of(event, "event") + ", " +
           counted(event.u64_at("count").value_or(0), "time") + ", by the " + text_of(event, "by") +
           ", last " + (last ? text_of(*last, "time") : "-") + ": " + text_of(event, "detail") +
           "\n";
}

bool is_retired(const Json& device) {
    const Json* retired = device.find("retired");
    return retired && retired->as_bool().value_or(false);
}

// What shows that the hub's own history is not the one that the board saw; empty: nothing.
std::string other_history(const Json& device) {
    const Json* link = device.find("link");
    const std::string text = link ? text_of(*link, "other_history") : "-";
    if (text != "-") return text;
    const Json* denied = device.find("denied_unexplained");
    if (!denied || !denied->as_bool().value_or(false)) return "";
    return "the broker denies it, and this hub's store does not know why: it was put back from a "
           "backup, or the acl was changed. If it was revoked: `tributary device revoke " +
           text_of(device, "id") +
           "`. If not: let its board enrol again, with `tributary device token --replaces " +
           text_of(device, "id") + "`";
}

// Lines about a device of a secured hub.
std::string standing(const Json& device) {
    std::string text;
    if (text_of(device, "group") != "-") text += "group      " + text_of(device, "group") + "\n";
    if (text_of(device, "certified_until") != "-")
        text += "certified  until " + text_of(device, "certified_until") + ", key " +
                short_id(device.find("key")) + "\n";
    if (is_revoked(device)) {
        const Json& revoked = *device.find("revoked");
        text += "revoked    " + text_of(revoked, "time") + " by " + text_of(revoked, "actor") +
                ": " + text_of(revoked, "reason") + "\n";
    }
    if (const std::string what = other_history(device); !what.empty())
        text += "ALARM      " + what + "\n";
    return text;
}

bool is_in_doubt(const Json& version) { return text_of(version, "clock") != "synced"; }

std::string remark(const std::string& text) { return text.empty() ? "" : "  (" + text + ")"; }

// What stands in the column FROM of a log.
std::string origin(const Json& version) {
    if (items(version, "parents").size() > 1) return "(merge)";
    const std::string device = text_of(version, "device");
    return device == "-" ? text_of(version, "author") : device;
}

// What one side of a conflict shows.
std::string side_text(const Json& side) {
    const Json* shows = side.find("shows");
    const std::string what = !shows || shows->is_null() ? "nothing"
                             : text_of(*shows, "kind") == "folder"
                                 ? "a folder of " + human_bytes(shows->u64_at("bytes").value_or(0))
                                 : human_bytes(shows->u64_at("bytes").value_or(0)) + ", " +
                                       short_id(shows->find("blob"));
    const std::string device = text_of(side, "device");
    return (device == "-" ? short_id(side.find("version")) : device) + " (" + what + ")";
}

std::string held(const Json& model) {
    const bool runs = model.find("running") && !model.find("running")->is_null();
    return !runs || model.bool_at("running_held").value_or(true) ? "" : " (not held here)";
}

std::string journal_text(const Json& journal) {
    std::string text = "journal    " + text_of(journal, "incarnation");
    const Json* from = journal.find("continues");
    if (!from || from->is_null()) return text;
    text += "\n           goes on from entry " + std::to_string(from->u64_at("entry").value_or(0)) +
            " of journal " + text_of(*from, "incarnation") + " of device " +
            text_of(*from, "device");
    if (from->bool_at("forked").value_or(false))
        text +=
            "\n           which went on, too: a cloned card, or an image that was put back; both "
            "are kept";
    return text;
}

// Of several lines, perhaps: set in, so that none looks like a line of ours.
std::string message_text(const Json& version) {
    std::string text;
    for (const char c : text_of(version, "message", Lines::several)) {
        text += c;
        if (c == '\n') text += "           ";
    }
    return text;
}

// A line, while the device shares a broadcast.
std::string broadcast_text(const Json& link) {
    const Json* broadcast = link.find("broadcast");
    if (!broadcast || broadcast->is_null()) return {};
    std::string text = "broadcast  " + short_id(broadcast->find("version")) + ", " +
                       std::to_string(broadcast->u64_at("parts_held").value_or(0));
    if (const auto parts = broadcast->u64_at("parts")) text += " of " + std::to_string(*parts);
    return text + " parts\n";
}

std::string head(Output::Repeat repeat) {
    switch (repeat) {
        case Output::Repeat::in_place: return "\033[H\033[J";
        case Output::Repeat::below:
            return "--- " + to_text(WallTime{system_clock().wall().ms / 1000 * 1000}) + "\n";
        case Output::Repeat::no: break;
    }
    return {};
}

}  // namespace

void Output::print(const Json& whole, const std::string& for_people) const {
    const auto terminal = repeat == Repeat::in_place ? stdout_size() : std::nullopt;
    if (json)
        std::cout << whole.text() << "\n";
    else
        std::cout << head(repeat) << (terminal ? fitting(for_people, *terminal) : for_people);
    std::cout.flush();
}

Status list_devices(const Client& hub, const Output& out, bool retired_too) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/devices"));
    std::vector<std::vector<std::string>> rows;
    std::size_t left_out = 0;
    std::string alarms;
    for (const Json& device : items(answer, "devices")) {
        if (const std::string what = other_history(device); !what.empty())
            alarms += "ALARM, by " + text_of(device, "id") + ": " + what + "\n";
        if (is_retired(device) && !retired_too) {
            ++left_out;
            continue;
        }
        rows.push_back({text_of(device, "id"),
                        is_retired(device) ? "retired" : connection_in_list(device),
                        std::to_string(items(device, "refs").size()),
                        std::to_string(items(device, "journals").size()),
                        std::to_string(device.u64_at("not_whole").value_or(0)), running(device)});
    }
    std::string text =
        rows.empty() && left_out == 0
            ? "No device has enrolled or made its first contact yet.\n"
            : table({"DEVICE", "LINK", "BRANCHES", "JOURNALS", "NOT WHOLE", "RUNS"}, rows);
    if (left_out > 0) text += "And " + std::to_string(left_out) + " retired; --all shows them\n";
    text += no_broker(answer);
    if (const std::string refuses = text_of(answer, "broker_refuses"); refuses != "-")
        text += refuses + "\n";
    text += no_room(answer) + alarms;
    out.print(answer, text);
    return {};
}

Status show_device(const Client& hub, const Output& out, const std::string& device) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/devices/" + url_escape(device)));
    std::string text = "device     " + text_of(answer, "id") +
                       (is_retired(answer) ? " (retired)" : "") + "\nlink       " +
                       connection(answer) + "\n" + standing(answer);
    if (const Json* link = answer.find("link"); link && !link->is_null())
        text += "heard      " + text_of(*link, "last_message") + "\nreceipt    " +
                text_of(*link, "last_receipt") + "\nreceived   " +
                human_bytes(link->u64_at("received_bytes").value_or(0)) + kSinceStart +
                uplink_text(*link) + "\nsent       " +
                human_bytes(link->u64_at("sent_bytes").value_or(0)) + kSinceStart +
                push_text(*link) + "\n" + rests(*link) + broadcast_text(*link) + "trouble    " +
                text_of(*link, "trouble") + "\n" + dropped(*link);
    text += quarantine(answer);
    for (const Json& event : items(answer, "security_events")) text += security_event(event);
    for (const Json& journal : items(answer, "journals")) text += journal_text(journal) + "\n";
    for (const Json& ref : items(answer, "refs"))
        text += "branch     " + text_of(ref, "repo") + "/" + text_of(ref, "ref") + "  " +
                short_id(ref.find("version")) + "\n";
    for (const Json& model : items(answer, "models"))
        text += "model      " + text_of(model, "model") + "  runs " +
                short_id(model.find("running")) + held(model) + "  wanted " +
                short_id(model.find("wanted")) + "  " + text_of(model, "state") + " " +
                text_of(model, "detail") + "\n";
    for (const Json& version : items(answer, "not_whole_versions"))
        text += "not whole  " + text_of(version, "id") + "  " + text_of(version, "why") + "\n";
    out.print(answer, text);
    return {};
}

Status list_repos(const Client& hub, const Output& out) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/repos"));
    std::vector<std::vector<std::string>> rows;
    for (const Json& repo : items(answer, "repos"))
        for (const Json& ref : items(repo, "refs"))
            rows.push_back({text_of(repo, "name"), text_of(ref, "name"),
                            short_id(ref.find("version")) + remark(conflicts_text(ref))});
    out.print(answer, rows.empty() ? "No repository yet: nothing was committed and synced.\n"
                                   : table({"REPOSITORY", "REF", "VERSION"}, rows));
    return {};
}

Status show_log(const Client& hub, const Output& out, const std::string& reference,
                std::uint64_t limit) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/log", {{"ref", reference},
                                                                {"limit", std::to_string(limit)}}));
    std::vector<std::vector<std::string>> rows;
    bool in_doubt = false;
    for (const Json& version : items(answer, "versions")) {
        in_doubt |= is_in_doubt(version);
        std::string message = text_of(version, "message", Lines::several);
        if (const auto end = message.find('\n'); end != message.npos) message.resize(end);
        if (const std::string conflicts = conflicts_text(version); !conflicts.empty())
            message = conflicts;  // a merge has no message
        rows.push_back({short_id(version.find("id")),
                        text_of(version, "time") + (is_in_doubt(version) ? " ?" : ""),
                        origin(version), message});
    }
    out.print(answer, table({"VERSION", "TIME", "FROM", "MESSAGE"}, rows) +
                          (in_doubt ? "? by a clock that was not synchronised\n" : ""));
    return {};
}

Status show_version(const Client& hub, const Output& out, const std::string& reference) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/version", {{"ref", reference}}));
    std::string text =
        "version    " + text_of(answer, "id") + "\ncontent    " + text_of(answer, "content") +
        "\nrepository " + text_of(answer, "repo") + "\nfrom       " + text_of(answer, "device") +
        "\nauthor     " + text_of(answer, "author") + "\ntime       " + text_of(answer, "time") +
        " (" + (is_in_doubt(answer) ? "clock not synchronised" : "clock synchronised") +
        ")\nmessage    " + message_text(answer) + "\napprovals  " + text_of(answer, "approvals") +
        "\n";
    for (const Json& ref : items(answer, "refs"))
        text += "ref        " + (ref.as_text() ? harmless(*ref.as_text()) : "-") + "\n";
    for (const Json& parent : items(answer, "parents"))
        text += "parent     " + short_id(&parent) + "\n";
    for (const Json& input : items(answer, "inputs"))
        if (text_of(input, "role") != "conflict")  // told by path below
            text +=
                "input      " + text_of(input, "role") + " = " + short_id(input.find("id")) + "\n";
    if (const Json* metadata = answer.find("metadata"); metadata && metadata->as_object())
        for (const JsonMember& pair : *metadata->as_object())
            text += "meta       " + harmless(pair.name) + " = " +
                    (pair.value.as_text() ? harmless(*pair.value.as_text()) : "-") + "\n";
    for (const Json& conflict : items(answer, "open_conflicts")) {
        text += "conflict   " + text_of(conflict, "path") + ":";
        for (const Json& side : items(conflict, "sides")) text += " " + side_text(side);
        text += "\n";
    }
    std::vector<std::vector<std::string>> rows;
    for (const Json& file : items(answer, "files"))
        rows.push_back({text_of(file, "path"), human_bytes(file.u64_at("bytes").value_or(0)),
                        short_id(file.find("blob"))});
    out.print(answer, text + "\n" + table({"FILE", "SIZE", "SHA-256"}, rows));
    return {};
}

Status show_diff(const Client& hub, const Output& out, const std::string& from,
                 const std::string& to) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/diff", {{"from", from}, {"to", to}}));
    std::vector<std::vector<std::string>> rows;
    for (const Json& change : items(answer, "changes")) {
        const auto side = [&](std::string_view name) {
            const Json* file = change.find(name);
            return file && !file->is_null() ? human_bytes(file->u64_at("bytes").value_or(0))
                                            : std::string("-");
        };
        rows.push_back(
            {text_of(change, "kind"), text_of(change, "path"), side("before"), side("after")});
    }
    out.print(answer, rows.empty() ? "No file differs.\n"
                                   : table({"CHANGE", "FILE", "BEFORE", "AFTER"}, rows));
    return {};
}

Status show_lineage(const Client& hub, const Output& out, const LineageQuery& query) {
    const bool both = query.up == query.down;
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.get("/api/v1/lineage", {{"ref", query.reference},
                                                 {"direction", both       ? "both"
                                                               : query.up ? "up"
                                                                          : "down"},
                                                 {"depth", std::to_string(query.depth)},
                                                 {"dot", query.dot ? "true" : "false"}}));
    if (query.dot && !out.json) {
        out.print(answer, text_of(answer, "dot", Lines::several));
        return {};
    }
    std::vector<std::vector<std::string>> rows;
    for (const Json& edge : items(answer, "edges"))
        rows.push_back({text_of(edge, "from_name"), text_of(edge, "kind"), text_of(edge, "role"),
                        text_of(edge, "to_name")});
    std::string text = rows.empty() ? "Nothing is connected with it.\n"
                                    : table({"WHAT", "EDGE", "ROLE", "OF"}, rows);
    if (const Json* cut = answer.find("truncated"); cut && cut->as_bool().value_or(false))
        text += "There is more beyond --depth " + std::to_string(query.depth) + "\n";
    out.print(answer, text);
    return {};
}

Status show_audit(const Client& hub, const Output& out, std::uint64_t limit, std::uint64_t before) {
    Client::Query query = {{"limit", std::to_string(limit)}};
    if (before != 0) query.push_back({"before", std::to_string(before)});
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/audit", query));
    std::vector<std::vector<std::string>> rows;
    for (const Json& entry : items(answer, "entries"))
        rows.push_back({text_of(entry, "sequence"), text_of(entry, "time"), text_of(entry, "kind"),
                        text_of(entry, "what")});
    std::string text = table({"NUMBER", "TIME", "KIND", "WHAT"}, rows);
    if (const Json* older = answer.find("older");
        !rows.empty() && older && older->as_bool().value_or(false))
        text += "Older entries: --before " + rows.back().front() + "\n";
    out.print(answer, text);
    return {};
}

Status check_store(const Client& hub, const Output& out, bool data) {
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/fsck", Json::object(), {{"data", data ? "true" : "false"}}));
    std::string text;
    for (const Json& finding : items(answer, "findings"))
        text += (finding.as_text() ? harmless(*finding.as_text()) : "-") + "\n";
    out.print(answer, text.empty() ? "The hub's store is sound.\n" : text);
    if (text.empty()) return {};
    return fail(
        Errc::corrupt,
        "the hub's store is damaged; restore what is named from a backup or from the boards");
}

}  // namespace tributary::cli
