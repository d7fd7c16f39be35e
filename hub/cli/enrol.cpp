// Tokens, boards that wait, and boards that are believed no more.
#include "common/text/toml.h"
#include "hub/cli/print.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {
namespace {

std::string count_of(std::size_t count, const std::string& one, const std::string& many) {
    return std::to_string(count) + " " + (count == 1 ? one : many);
}

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::string decision_path(const std::string& fingerprint) {
    return "/api/v1/enrolments/" + url_escape(fingerprint);
}

}  // namespace

Status issue_token(const Client& hub, const Output& out, const TokenRequest& wanted) {
    const auto expires_ms = parse_duration_ms(wanted.expires);
    if (!expires_ms)
        return fail(Errc::invalid,
                    "--expires '" + wanted.expires + "' is no duration such as 24h or 7d");
    TRIBUTARY_ASSIGN(
        const Json answer,
        hub.post("/api/v1/tokens", Json::object({{"group", text_or_null(wanted.group)},
                                                 {"device", text_or_null(wanted.replaces)},
                                                 {"expires_seconds", *expires_ms / 1000},
                                                 {"actor", user_name()}})));
    out.print(answer, text_of(answer, "token") + "\n");
    return {};
}

Status list_tokens(const Client& hub, const Output& out) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/tokens"));
    std::vector<std::vector<std::string>> rows;
    for (const Json& token : items(answer, "tokens"))
        rows.push_back({short_id(token.find("id")), text_of(token, "state"),
                        text_of(token, "group"), text_of(token, "replaces"),
                        text_of(token, "used_by"), text_of(token, "expires"),
                        text_of(token, "actor")});
    out.print(
        answer,
        rows.empty()
            ? "No token was issued yet; `tributary device token` makes one.\n"
            : table({"TOKEN", "STATE", "GROUP", "REPLACES", "USED BY", "EXPIRES", "BY"}, rows));
    return {};
}

Status revoke_token(const Client& hub, const Output& out, const std::string& token) {
    TRIBUTARY_ASSIGN(
        const Json answer,
        hub.post("/api/v1/tokens/revoke", Json::object({{"id", token}, {"actor", user_name()}})));
    out.print(answer, "token " + short_id(answer.find("id")) + " lets nobody in any more\n");
    return {};
}

Status list_waiting(const Client& hub, const Output& out) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/enrolments"));
    std::vector<std::vector<std::string>> rows;
    for (const Json& board : items(answer, "waiting"))
        rows.push_back({short_id(board.find("fingerprint")), text_of(board, "name"),
                        text_of(board, "group"), text_of(board, "device"),
                        text_of(board, "address"), text_of(board, "since")});
    std::string text =
        rows.empty()
            ? "No board waits.\n"
            : table({"FINGERPRINT", "NAME", "GROUP", "KNOWN AS", "ADDRESS", "SINCE"}, rows) +
                  "Compare the fingerprint with what `tributary-agent enroll` shows on the board, "
                  "then `tributary device accept` or `reject` it\n";
    rows.clear();
    for (const Json& key : items(answer, "decided"))
        rows.push_back({short_id(key.find("fingerprint")),
                        key.bool_at("accepted").value_or(false) ? "accepted" : "rejected",
                        text_of(key, "device"), text_of(key, "group"), text_of(key, "actor"),
                        text_of(key, "time")});
    if (!rows.empty())
        text += "\nDecided, and not seen since:\n" +
                table({"FINGERPRINT", "DECISION", "DEVICE", "GROUP", "BY", "AT"}, rows);
    if (const std::uint64_t dropped = answer.u64_at("dropped").value_or(0); dropped != 0)
        text += count_of(static_cast<std::size_t>(dropped), "board was", "boards were") +
                " dropped from the list for want of room; they come back when they ask again\n";
    out.print(answer, text);
    return {};
}

Status decide_board(const Client& hub, const Output& out, const BoardDecision& decision) {
    const std::string& device = decision.replaces.empty() ? decision.name : decision.replaces;
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post(decision_path(decision.fingerprint),
                              Json::object({{"accepted", decision.accepted},
                                            {"device", text_or_null(device)},
                                            {"replaces", !decision.replaces.empty()},
                                            {"group", text_or_null(decision.group)},
                                            {"actor", user_name()}})));
    const std::string key = short_id(answer.find("fingerprint"));
    out.print(answer, decision.accepted
                          ? "board " + key + " is let in when it asks next, within a minute\n"
                          : "board " + key + " is turned away\n");
    return {};
}

Status revoke_device(const Client& hub, const Output& out, const std::string& device,
                     const std::string& reason, bool retire) {
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/devices/" + url_escape(device) + "/revoke",
                              Json::object({{"actor", user_name()},
                                            {"reason", text_or_null(reason)},
                                            {"retire", retire}})));
    out.print(answer,
              "device " + device +
                  (retire ? " is decommissioned: believed no more, and not counted on; what it "
                            "recorded stays\n"
                          : " is believed no more; what it recorded stays. `tributary device token "
                            "--replaces " +
                                device + "` lets another board take its place\n"));
    return {};
}

}  // namespace tributary::cli
