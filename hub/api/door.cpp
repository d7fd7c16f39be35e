#include "hub/api/door.h"

#include <span>

#include "common/text/log.h"
#include "common/trust/fetch.h"
#include "hub/api/forms.h"
#include "hub/api/objects.h"
#include "hub/api/requests.h"
#include "hub/app/hub.h"
#include "hub/enrol/door_requests.h"
#include "hub/enrol/fetch_scope.h"

namespace tributary::hub {
namespace {

// Each board needs one for moments; boards behind one router are one client.
constexpr std::size_t kConnectionsMax = 512;
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

// To enrol or to renew.
struct Try {
    bool spent = false;    // its address has had those that it has
    MayAnswer may_answer;  // asked as soon as it is known of whom; sets what follows
    std::string board;     // that was let in, or waits for it already; empty: in vain
    bool again = false;    // and has had its answers
};

Result<HttpResponse> enrol(Hub& hub, const HttpRequest& request, Try& tried) {
    TRIBUTARY_ASSIGN(EnrolRequest asked,
                     counted(hub, parse_enrol_request(request.body, request.peer)));
    asked.may_wait = !tried.spent;
    asked.may_answer = tried.may_answer;
    TRIBUTARY_ASSIGN(const EnrolAnswer outcome, hub.enrolment()->enrol(asked));
    const auto* waiting = std::get_if<Waiting>(&outcome);
    if (!waiting) {
        const Credentials& given = std::get<Credentials>(outcome);
        if (tried.board.empty()) tried.may_answer(given.device);
        return answer(form_of(hub, given));
    }
    if (waiting->again) tried.may_answer(waiting->key.text());
    return answer(Json::object({{"waiting", true},
                                {"fingerprint", waiting->key.text()},
                                {"retry_seconds", kRetrySeconds}}),
                  202);
}

Result<HttpResponse> renew(Hub& hub, const HttpRequest& request, Try& tried) {
    TRIBUTARY_ASSIGN(RenewRequest asked, counted(hub, parse_renew_request(request.body)));
    asked.may_answer = tried.may_answer;
    TRIBUTARY_ASSIGN(const Credentials given, hub.enrolment()->renew(asked));
    return answer(
        Json::object({{"certificate", trust::to_pem(trust::kCertificateLabel, given.certificate)},
                      {"renew_after", to_text(given.renew_after)}}));
}

HttpResponse too_often(Hub& hub, std::string what, std::string device = {}) {
    const auto refused = hub.enrolment()->refuse(Refusal::too_often, Errc::unavailable,
                                                 std::move(what), std::move(device));
    HttpResponse response = answer(refused.value());
    response.status = 429;
    response.headers.push_back({"Retry-After", std::to_string(kRetrySeconds)});
    return response;
}

Result<HttpResponse> list_roots(Hub& hub, DoorLimits& limits, const HttpRequest& request) {
    std::uint64_t after = 0;
    if (const auto text = request.argument("after"); text && *text != "0") {
        TRIBUTARY_ASSIGN(after, number_of(*text, "after", UINT64_MAX));
    }
    const std::span<const Bytes> newer = hub.roots()->after(after);
    if (!newer.empty() && !limits.admit_roots(client_of(request.peer), hub.now()))
        return too_often(hub, "more than " + std::to_string(DoorLimits::kRootAnswersAMinute) +
                                  " requests for root documents within a minute from this "
                                  "address; try again in a minute");
    Json documents = Json::array();
    for (const Bytes& document : newer) documents.push(to_hex(document));
    return answer(Json::object({{"documents", std::move(documents)}}));
}

// Also in the journal, sparingly.
void note_refused(Hub& hub, const std::string& peer) {
    auto refused = hub.enrolment()->take_refused();
    if (!refused) return;
    hub.note_refused({"door_" + std::string(name_of(refused->why)), std::move(refused->device),
                      std::move(refused->what), peer});
}

// Notes what was refused meanwhile.
HttpResponse shown(Hub& hub, DoorLimits& limits, const HttpRequest& request,
                   Result<HttpResponse> response) {
    note_refused(hub, request.peer);
    if (response) return *std::move(response);
    if (const auto unlogged = limits.may_log(hub.now()))
        log_warn("refused at the boards' door", {{"what", response.error().what},
                                                 {"from", request.peer},
                                                 {"target", request.target},
                                                 {"unlogged", *unlogged}});
    return answer(response.error());
}

using Knock = Result<HttpResponse> (*)(Hub&, const HttpRequest&, Try&);

HttpResponse too_many_in_vain(Hub& hub, std::uint32_t tries) {
    return too_often(hub, "more than " + std::to_string(tries) +
                              " attempts within a minute from this address by boards that nobody "
                              "let in; try again in a minute");
}

// Who proves that he was let in is not counted, whoever knocks beside him, as long as it can be
// looked at who does.
HttpResponse take_try(Hub& hub, DoorLimits& limits, const HttpRequest& request, Knock knock) {
    const std::string client = client_of(request.peer);
    const MonoTime now = hub.now();
    if (limits.is_unheard(client, now))
        return shown(hub, limits, request, too_many_in_vain(hub, DoorLimits::kLooksAMinute));
    Try tried{limits.is_spent(client, now), {}, {}};
    tried.may_answer = [&](const std::string& board) {
        tried.board = board;
        tried.again = !limits.admit_answer(board, now);
        return !tried.again;
    };
    auto response = knock(hub, request, tried);
    if (tried.board.empty() || tried.again) limits.admit(client, now);
    if (tried.again)
        return shown(hub, limits, request,
                     too_often(hub, "this board asks again and again; try again in a minute",
                               std::move(tried.board)));
    if (!tried.board.empty() || !tried.spent)
        return shown(hub, limits, request, std::move(response));
    return shown(hub, limits, request, too_many_in_vain(hub, DoorLimits::kTriesAMinute));
}

// ---- objects ----

struct Fetch {
    ProvenBoard by;
    VersionId version;
    RecordKey object;
};

Result<Fetch> proven_fetch(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const FetchProof proof, counted(hub, parse_fetch_proof(request)));
    Fetch fetch;
    TRIBUTARY_ASSIGN(fetch.by, hub.enrolment()->check_fetch(proof, request.target));
    TRIBUTARY_ASSIGN(fetch.object, object_of(request));
    TRIBUTARY_ASSIGN(const std::string named, required(request, "version"));
    TRIBUTARY_ASSIGN(const Digest version, Digest::parse(named));
    fetch.version = {version};
    return fetch;
}

Result<HttpResponse> fetched(Hub& hub, const Fetch& fetch, const HttpRequest& request,
                             const FetchScope::Verdict& verdict) {
    // While it waited, it may have been revoked, or another board may have its name.
    TRIBUTARY_TRY(hub.enrolment()->check_believed(fetch.by));
    const std::string& device = fetch.by.device;
    if (verdict.may) return show_object(hub, request);
    const Error& why = verdict.may.error();
    if (why.code == Errc::unavailable) return too_often(hub, why.what, device);
    if (verdict.theirs) return hub.enrolment()->refuse(Refusal::object, why.code, why.what, device);
    return tl::make_unexpected(why);
}

void fetch_object(Hub& hub, DoorLimits& limits, FetchScope& scope, const HttpRequest& request,
                  const HttpReply& reply) {
    const std::string client = client_of(request.peer);
    if (limits.is_unheard(client, hub.now()))
        return reply(shown(hub, limits, request, too_many_in_vain(hub, DoorLimits::kLooksAMinute)));
    // Whether it is that device or not: no proof is looked at.
    if (limits.has_fetched_enough(std::string(request.header(trust::kFetchDeviceHeader)),
                                  hub.now()))
        return reply(
            shown(hub, limits, request,
                  too_often(hub, "more than " + std::to_string(DoorLimits::kFetchesAMinute) +
                                     " objects within a minute; try again in a minute")));
    const auto fetch = proven_fetch(hub, request);
    if (!fetch) {
        limits.admit(client, hub.now());
        return reply(shown(hub, limits, request, tl::make_unexpected(fetch.error())));
    }
    limits.count_fetch(fetch->by.device, hub.now());
    scope.check(
        fetch->by.device, fetch->version, fetch->object,
        [&hub, &limits, fetch = *fetch, request, reply](const FetchScope::Verdict& verdict) {
            reply(shown(hub, limits, request, fetched(hub, fetch, request, verdict)));
        });
}

}  // namespace

HttpRoutes door_routes(Hub& hub, DoorLimits& limits) {
    HttpRoutes routes;
    routes.add("POST", "/api/v1/enrol", [&hub, &limits](const HttpRequest& request) {
        return take_try(hub, limits, request, enrol);
    });
    routes.add("POST", "/api/v1/renew", [&hub, &limits](const HttpRequest& request) {
        return take_try(hub, limits, request, renew);
    });
    routes.add("GET", "/api/v1/root", [&hub, &limits](const HttpRequest& request) {
        return shown(hub, limits, request, list_roots(hub, limits, request));
    });
    const auto scope = std::make_shared<FetchScope>(hub.loop(), hub.ledger());
    routes.add_async("GET", "/api/v1/object",
                     [&hub, &limits, scope](const HttpRequest& request, const HttpReply& reply) {
                         fetch_object(hub, limits, *scope, request, reply);
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
    options.connections_max = kConnectionsMax;
    options.idle_give_way = true;
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
