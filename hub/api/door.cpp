#include "hub/api/door.h"

#include "common/text/log.h"
#include "common/trust/fetch.h"
#include "hub/api/fetch_scope.h"
#include "hub/api/forms.h"
#include "hub/api/objects.h"
#include "hub/api/requests.h"
#include "hub/app/hub.h"
#include "hub/enrol/door_requests.h"

namespace tributary::hub {
namespace {

// Boards behind one router are one client: each needs a connection for moments.
constexpr std::size_t kConnectionsOfOneMax = 32;
constexpr std::uint64_t kRetrySeconds = 60;  // for a board that nobody decided about yet

Json form_of(Hub& hub, const Credentials& given) {
    Ledger& ledger = hub.ledger();
    return Json::object(
        {{"device", given.device},
         {"certificate", trust::to_pem(trust::kCertificateLabel, given.certificate)},
         {"root", to_hex(hub.roots()->document())},
         {"hub", Json::object({{"name", hub.config().name},
                               {"incarnation", ledger.store().head().incarnation.text()},
                               {"public_key", trust::public_key_pem(ledger.signer().public_key())},
                               {"epoch", ledger.epoch()}})},
         {"broker", hub.config().devices_broker_url},
         {"renew_after", to_text(given.renew_after)}});
}

// What was not even a request is counted as well.
template <class T>
Result<T> counted(Hub& hub, Result<T> parsed) {
    if (parsed) return parsed;
    return hub.enrolment()->refuse(Refusal::form, Errc::invalid, parsed.error().what);
}

Result<HttpResponse> enrol(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const EnrolRequest asked,
                     counted(hub, parse_enrol_request(request.body, request.peer)));
    TRIBUTARY_ASSIGN(const EnrolAnswer outcome, hub.enrolment()->enrol(asked));
    if (const auto* given = std::get_if<Credentials>(&outcome)) return answer(form_of(hub, *given));
    return answer(Json::object({{"waiting", true},
                                {"fingerprint", std::get<Waiting>(outcome).key.text()},
                                {"retry_seconds", kRetrySeconds}}),
                  202);
}

Result<HttpResponse> renew(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const RenewRequest asked, counted(hub, parse_renew_request(request.body)));
    TRIBUTARY_ASSIGN(const Credentials given, hub.enrolment()->renew(asked));
    return answer(
        Json::object({{"certificate", trust::to_pem(trust::kCertificateLabel, given.certificate)},
                      {"renew_after", to_text(given.renew_after)}}));
}

Result<HttpResponse> list_roots(Hub& hub, const HttpRequest& request) {
    std::uint64_t after = 0;
    if (const auto text = request.argument("after"); text && *text != "0") {
        TRIBUTARY_ASSIGN(after, number_of(*text, "after", UINT64_MAX));
    }
    Json documents = Json::array();
    for (const Bytes& document : hub.roots()->after(after)) documents.push(to_hex(document));
    return answer(Json::object({{"documents", std::move(documents)}}));
}

Result<HttpResponse> fetch_object(Hub& hub, FetchScope& scope, const HttpRequest& request) {
    const std::string_view digits = request.header(trust::kFetchProofHeader);
    Bytes proof(std::min(digits.size() / 2, kDoorSignatureBytesMax));
    if (!from_hex(digits, proof))
        return hub.enrolment()->refuse(
            Refusal::form, Errc::invalid,
            std::string(trust::kFetchProofHeader) + " is not a signature in hexadecimal");
    const std::string device(request.header(trust::kFetchDeviceHeader));
    TRIBUTARY_TRY(hub.enrolment()->check_fetch(device, request.target, proof));
    TRIBUTARY_ASSIGN(const RecordKey object, object_of(request));
    TRIBUTARY_ASSIGN(const std::string named, required(request, "version"));
    TRIBUTARY_ASSIGN(const Digest version, Digest::parse(named));
    bool theirs = false;
    const Status may = scope.check(hub.ledger(), device, {version}, object, theirs);
    if (!may && theirs)
        return hub.enrolment()->refuse(Refusal::object, may.error().code, may.error().what, device);
    TRIBUTARY_TRY(may);
    return show_object(hub, request);
}

HttpResponse too_often(Hub& hub) {
    const auto refused = hub.enrolment()->refuse(
        Refusal::too_often, Errc::unavailable,
        "more than " + std::to_string(DoorLimits::kTriesAMinute) +
            " attempts within a minute from this address; try again in a minute");
    HttpResponse response = answer(refused.value());
    response.status = 429;
    response.headers.push_back({"Retry-After", "60"});
    return response;
}

// Also in the journal, sparingly.
void note_refused(Hub& hub, const std::string& peer) {
    auto refused = hub.enrolment()->take_refused();
    if (!refused) return;
    hub.note_refused({"door_" + std::string(name_of(refused->why)), std::move(refused->device),
                      std::move(refused->what), peer});
}

using Knock = std::function<Result<HttpResponse>(Hub&, const HttpRequest&)>;

}  // namespace

HttpRoutes door_routes(Hub& hub, DoorLimits& limits) {
    HttpRoutes routes;
    const auto add = [&](std::string_view method, std::string_view path, Knock knock,
                         bool limited = false) {
        routes.add(method, path, [&hub, &limits, knock, limited](const HttpRequest& request) {
            if (limited && !limits.admit(client_of(request.peer), hub.now())) {
                HttpResponse refusal = too_often(hub);
                note_refused(hub, request.peer);
                return refusal;
            }
            auto response = knock(hub, request);
            note_refused(hub, request.peer);
            if (response) return *std::move(response);
            if (const auto unlogged = limits.may_log(hub.now()))
                log_warn("refused at the boards' door", {{"what", response.error().what},
                                                         {"from", request.peer},
                                                         {"target", request.target},
                                                         {"unlogged", *unlogged}});
            return answer(response.error());
        });
    };
    add("POST", "/api/v1/enrol", enrol, true);
    add("POST", "/api/v1/renew", renew, true);
    add("GET", "/api/v1/root", list_roots);
    add("GET", "/api/v1/object",
        [scope = std::make_shared<FetchScope>()](Hub& at, const HttpRequest& request) {
            return fetch_object(at, *scope, request);
        });
    return routes;
}

Result<std::unique_ptr<Door>> Door::open(Hub& hub, NetLoop& loop) {
    if (!hub.secured() || hub.config().devices_listen.empty()) return nullptr;
    auto door = std::make_unique<Door>();
    HttpServerOptions options;
    options.listen = hub.config().devices_listen;
    options.tls = hub.secured()->identity;
    options.body_bytes_max = kDoorBodyBytesMax;
    options.connections_of_one_max = kConnectionsOfOneMax;
    options.error_page = [](unsigned status, const Error& error) {
        HttpResponse response = answer(error);
        response.status = status;
        return response;
    };
    options.on_strangers = [](const Error& last, std::uint64_t count) {
        log_info("strangers at the boards' door", {{"last", last.what}, {"count", count}});
    };
    auto server = make_http_server(loop, std::move(options), door_routes(hub, door->limits_));
    if (!server) return with_context("[devices] listen in the configuration", server.error());
    door->server_ = *std::move(server);
    return door;
}

}  // namespace tributary::hub
