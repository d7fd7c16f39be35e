#include "hub/api/enrolment_routes.h"

#include <algorithm>

#include "common/text/log.h"
#include "hub/api/forms.h"
#include "hub/api/requests.h"
#include "hub/app/hub.h"
#include "hub/enrol/door_requests.h"

namespace tributary::hub {
namespace {

Json or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

std::string_view state_of(const Token& token, WallTime now) {
    if (token.state == Token::State::used) return "used";
    if (token.state == Token::State::revoked) return "revoked";
    return token.expires <= now ? "expired" : "open";
}

Json form_of(const Token& token, WallTime now) {
    return Json::object({{"id", token.id.text()},
                         {"state", state_of(token, now)},
                         {"group", or_null(token.group)},
                         {"replaces", or_null(token.device)},
                         {"expires", to_text(token.expires)},
                         {"issued", to_text(WallTime{token.issued.wall_ms})},
                         {"actor", token.actor},
                         {"used_by", or_null(token.used_by)}});
}

Json form_of(const WaitingBoard& board) {
    return Json::object({{"fingerprint", board.key.text()},
                         {"name", board.name},
                         {"group", or_null(board.group)},
                         {"device", or_null(board.device)},
                         {"journal", board.journal.text()},
                         {"address", board.peer},
                         {"since", to_text(board.since)},
                         {"last", to_text(board.last)},
                         {"asked", board.asked}});
}

Json form_of(const Admission& admission) {
    return Json::object({{"fingerprint", admission.key.text()},
                         {"accepted", admission.accepted},
                         {"device", or_null(admission.device)},
                         {"group", or_null(admission.group)},
                         {"actor", admission.actor},
                         {"time", to_text(WallTime{admission.time.wall_ms})}});
}

Result<Json> issue_token(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TokenOrder order;
    TRIBUTARY_ASSIGN(order.group, text_or_empty(body, "group"));
    TRIBUTARY_ASSIGN(order.replaces, text_or_empty(body, "device"));
    TRIBUTARY_ASSIGN(order.actor, actor_of(body));
    if (const Json* given = body.find("expires_seconds"); given && !given->is_null()) {
        TRIBUTARY_ASSIGN(const std::uint64_t seconds, body.u64_at("expires_seconds"));
        order.expires_ms = std::min(seconds, Enrolment::kTokenMsMax) * 1000;
    }
    TRIBUTARY_ASSIGN(const NewToken issued, hub.enrolment()->issue_token(order));
    return Json::object(
        {{"token", issued.text}, {"id", issued.id.text()}, {"expires", to_text(issued.expires)}});
}

Result<Json> list_tokens(Hub& hub, const HttpRequest&) {
    std::vector<const Token*> tokens;
    for (const auto& [id, token] : hub.ledger().catalog().members().tokens())
        tokens.push_back(&token);
    std::ranges::stable_sort(tokens, std::ranges::greater(), &Token::issued);
    Json list = Json::array();
    for (const Token* token : tokens) list.push(form_of(*token, hub.enrolment()->now()));
    return Json::object({{"tokens", std::move(list)}});
}

Result<Json> revoke_token(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string text, body.text_at("id"));
    TRIBUTARY_ASSIGN(const std::string actor, actor_of(body));
    TRIBUTARY_ASSIGN(const Digest id, hub.enrolment()->find_token(text));
    TRIBUTARY_TRY(hub.enrolment()->revoke_token(id, actor));
    return form_of(*hub.ledger().catalog().members().token(id), hub.enrolment()->now());
}

Result<Json> list_enrolments(Hub& hub, const HttpRequest&) {
    const WaitingList& waiting = hub.enrolment()->waiting();
    Json boards = Json::array();
    for (const WaitingBoard& board : waiting.boards()) boards.push(form_of(board));
    Json decided = Json::array();
    for (const auto& [key, admission] : hub.ledger().catalog().members().admissions())
        decided.push(form_of(admission));
    return Json::object({{"waiting", std::move(boards)},
                         {"dropped", waiting.dropped()},
                         {"decided", std::move(decided)}});
}

Result<Json> decide(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    Decision decision;
    TRIBUTARY_ASSIGN(decision.key, hub.enrolment()->find_key(request.params.at("fingerprint")));
    TRIBUTARY_ASSIGN(decision.accepted, body.bool_at("accepted"));
    TRIBUTARY_ASSIGN(decision.device, text_or_empty(body, "device"));
    TRIBUTARY_ASSIGN(decision.group, text_or_empty(body, "group"));
    TRIBUTARY_ASSIGN(decision.actor, actor_of(body));
    const Json* replaces = body.find("replaces");
    decision.replaces = replaces && replaces->as_bool().value_or(false);
    // What the board says of its group stands, unless the operator says another one.
    if (decision.group.empty())
        for (const WaitingBoard& board : hub.enrolment()->waiting().boards())
            if (board.key == decision.key) decision.group = board.group;
    TRIBUTARY_TRY(hub.enrolment()->decide(decision));
    return form_of(*hub.ledger().catalog().members().admission(decision.key));
}

Result<Json> revoke_device(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    const std::string& device = request.params.at("device");
    TRIBUTARY_ASSIGN(const std::string actor, actor_of(body));
    TRIBUTARY_ASSIGN(const std::string reason, text_or_empty(body, "reason"));
    const Json* retire = body.find("retire");
    TRIBUTARY_TRY(hub.enrolment()->revoke(device, actor, reason,
                                          retire && retire->as_bool().value_or(false)));
    return form_of(*hub.ledger().catalog().device(device), hub.ledger().catalog());
}

using Endpoint = Result<Json> (*)(Hub&, const HttpRequest&);

}  // namespace

void add_enrolment_routes(HttpRoutes& routes, Hub& hub) {
    const auto add = [&](std::string_view method, std::string_view path, Endpoint endpoint) {
        routes.add(method, path, [&hub, endpoint](const HttpRequest& request) {
            Result<Json> done = fail(Errc::unsupported,
                                     "this hub is not secured: its boards are trusted at first "
                                     "contact, and there is nothing to enrol or revoke");
            if (hub.enrolment()) done = endpoint(hub, request);
            if (!done && request.method == "POST")
                log_failure(LogLevel::warn, "refused at " + request.target, done.error());
            return answer_or_error(std::move(done));
        });
    };
    add("POST", "/api/v1/tokens", issue_token);
    add("GET", "/api/v1/tokens", list_tokens);
    add("POST", "/api/v1/tokens/revoke", revoke_token);
    add("GET", "/api/v1/enrolments", list_enrolments);
    add("POST", "/api/v1/enrolments/{fingerprint}", decide);
    add("POST", "/api/v1/devices/{device}/revoke", revoke_device);
}

}  // namespace tributary::hub
