#include "hub/api/api.h"

#include <algorithm>

#include "common/env/files.h"
#include "common/record/recipe.h"
#include "common/text/log.h"
#include "common/trust/trust.h"
#include "hub/api/enrolment_routes.h"
#include "hub/api/metrics.h"
#include "hub/api/objects.h"
#include "hub/api/requests.h"
#include "hub/app/hub.h"
#include "hub/lineage/query.h"
#include "hub/lineage/settle.h"

namespace tributary::hub {
namespace {

Result<const KnownVersion*> known_version(Hub& hub, const HttpRequest& request,
                                          std::string_view argument) {
    TRIBUTARY_ASSIGN(const std::string reference, required(request, argument));
    TRIBUTARY_ASSIGN(const VersionId id, hub.registry().resolve(reference));
    const KnownVersion* known = hub.ledger().catalog().version(id);
    if (!known) return fail(Errc::not_found, "version " + id.text() + " is not held here");
    return known;
}

// ---- reading ----

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

// One direction: of a push all of it, of the uplink the page under way.
Json transfer_form(std::uint64_t bytes_left, const sync::LinkRate& rate) {
    const auto bytes_per_second = rate.bytes_per_second();
    return Json::object(
        {{"bytes_left", bytes_left},
         {"bytes_per_second", bytes_per_second ? Json(*bytes_per_second) : Json()}});
}

Json push_form(const DeviceLink& link, MonoTime now) {
    Json form = transfer_form(link.bytes_left(), link.push_rate());
    form.set("waits_for", text_or_null(link.push_waits_for(now)));
    return form;
}

Json broadcast_form(Hub& hub, const std::string& device) {
    const auto progress = hub.casts().progress(device);
    if (!progress) return {};
    return Json::object({{"version", progress->version.text()},
                         {"parts_held", progress->held},
                         {"parts", progress->parts ? Json(*progress->parts) : Json()}});
}

Json history_form(const LinkStatus& status) {
    return text_or_null(status.other_history.empty() ? status.lost_history : status.other_history);
}

std::string trouble_of(const Hub& hub, const std::string& device, const LinkStatus& status) {
    if (std::string text = hub.broker_refuses(device); !text.empty()) return text;
    if (!status.no_session.empty()) return status.no_session;
    return status.last_trouble.empty() ? status.copied_card : status.last_trouble;
}

// By the wall clock where an earlier life of the hub heard of it last.
std::uint64_t silent_ms(Hub& hub, const DeviceLink& link) {
    if (const auto heard = link.last_heard()) return hub.now().ms - heard->ms;
    const WallTime now = hub.clock().wall();
    return now.ms - std::min(now, link.status().last_message).ms;
}

Json link_form(Hub& hub, const std::string& device) {
    const DeviceLink* link = hub.link(device);
    if (!link || link->status().last_message.ms == 0)
        return {};  // not heard of, as far as is known
    const LinkStatus& status = link->status();
    return Json::object(
        {{"connected", hub.broker_connected() && link->connected(hub.now())},
         {"heard_seconds", silent_ms(hub, *link) / 1000},
         {"last_message", to_text(status.last_message)},
         {"received_bytes", status.received_bytes},
         {"sent_bytes", status.sent_bytes},
         {"refused", status.refused},
         {"revoked", status.revoked},
         {"unproven", status.unproven},
         {"stray", status.stray},
         {"last_receipt",
          status.last_receipt.ms == 0 ? Json() : Json(to_text(status.last_receipt))},
         {"uplink", transfer_form(link->bytes_to_come(), link->uplink_rate())},
         {"push", push_form(*link, hub.now())},
         {"push_rests_seconds", hub.now() < status.rests_until
                                    ? Json((status.rests_until.ms - hub.now().ms) / 1000)
                                    : Json()},
         {"broadcast", broadcast_form(hub, device)},
         {"other_history", history_form(status)},
         {"trouble", text_or_null(trouble_of(hub, device, status))}});
}

Json device_form(Hub& hub, const Device& device) {
    Json form = form_of(device, hub.ledger().catalog());
    form.set("journals", journals_of(device, hub.ledger()));
    form.set("link", link_form(hub, device.id));
    form.set("denied_unexplained", hub.denied_without_reason().contains(device.id));
    return form;
}

// Null: no board waits.
Json room_form(const Hub& hub) {
    const auto& waiting = hub.room().waiting();
    if (waiting.empty()) return {};
    Json devices = Json::array();
    std::uint64_t bytes = 0;
    for (const Room::Waiting& board : waiting) {
        devices.push(board.device);
        bytes += board.bytes;
    }
    return Json::object({{"devices", std::move(devices)},
                         {"bytes", bytes},
                         {"kept_free_bytes", Room::kReserveBytes},
                         {"state_dir", hub.config().state_dir}});
}

Result<Json> list_devices(Hub& hub, const HttpRequest&) {
    Json devices = Json::array();
    for (const auto& [id, device] : hub.ledger().catalog().devices())
        devices.push(device_form(hub, device));
    const auto next = hub.next_broker_attempt();
    return Json::object(
        {{"broker_connected", hub.broker_connected()},
         {"broker_trouble", text_or_null(hub.broker_trouble())},
         {"broker_retry_seconds",
          next ? Json((std::max(*next, hub.now()).ms - hub.now().ms) / 1000) : Json()},
         {"broker_refuses", text_or_null(hub.broker_refuses())},
         {"waiting_for_room", room_form(hub)},
         {"devices", std::move(devices)}});
}

Result<Json> show_device(Hub& hub, const HttpRequest& request) {
    const std::string& id = request.params.at("device");
    const Device* device = hub.ledger().catalog().device(id);
    if (!device)
        return fail(Errc::not_found,
                    "no device is called '" + id + "'; `tributary device list` names them");
    Json form = device_form(hub, *device);
    form.set("not_whole_versions", not_whole_of(*device, hub.ledger().catalog()));
    return form;
}

Result<Json> list_repos(Hub& hub, const HttpRequest&) {
    Json repos = Json::array();
    for (const std::string& repo : hub.ledger().catalog().repositories()) {
        Json refs = Json::array();
        for (const NamedRef& ref : hub.ledger().catalog().refs(repo))
            refs.push(form_of(ref, hub.ledger()));
        repos.push(Json::object({{"name", repo}, {"refs", std::move(refs)}}));
    }
    return Json::object({{"repos", std::move(repos)}});
}

Result<Json> show_log(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const std::size_t limit, limit_of(request));
    TRIBUTARY_ASSIGN(const KnownVersion* head, known_version(hub, request, "ref"));
    Json versions = Json::array();
    for (const KnownVersion* known : hub.ledger().catalog().history(head->id, limit))
        versions.push(form_of(*known, hub.ledger()));
    return Json::object({{"versions", std::move(versions)}});
}

Result<Json> show_version(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const KnownVersion* known, known_version(hub, request, "ref"));
    Json form = form_of(*known, hub.ledger());
    Json files = Json::array();
    Json empty_folders = Json::array();
    ListBudget budget;
    const auto list = [&](const std::string& path, const TreeItem& item) -> Status {
        TRIBUTARY_TRY(budget.take(path));
        if (item.is_tree())
            empty_folders.push(path_form(path));
        else
            files.push(form_of(item, path));
        return {};
    };
    TRIBUTARY_TRY(walk_tree(known->version.tree, tree_loader(hub.ledger().store()), list));
    form.set("files", std::move(files));
    form.set("empty_folders", std::move(empty_folders));
    TRIBUTARY_ASSIGN(const auto open, open_conflicts(hub.ledger().store(), known->version));
    TRIBUTARY_ASSIGN(Json conflicts, conflicts_form(open, hub.ledger().catalog()));
    form.set("open_conflicts", std::move(conflicts));
    form.set("approvals", hub.registry().approvals_of(known->id));
    return form;
}

Result<Json> show_diff(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const KnownVersion* from, known_version(hub, request, "from"));
    TRIBUTARY_ASSIGN(const KnownVersion* to, known_version(hub, request, "to"));
    return diff_form(hub.ledger(), *from, *to);
}

Result<Json> show_lineage(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const std::string reference, required(request, "ref"));
    TRIBUTARY_ASSIGN(const VersionId id, hub.registry().resolve(reference));
    return lineage_form(hub.ledger(), id, request.argument("direction").value_or("both"),
                        request.argument("depth").value_or("64"),
                        request.argument("dot").value_or("false") == "true");
}

Result<Json> show_audit(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const std::size_t limit, limit_of(request));
    std::uint64_t before = UINT64_MAX;
    if (const auto text = request.argument("before")) {
        TRIBUTARY_ASSIGN(before, number_of(*text, "before", UINT64_MAX));
    }
    ApproverNames names;
    if (const RootShelf* roots = hub.roots())
        for (const Root::NamedKey& approver : roots->newest().approvers)
            names.emplace(trust::key_id(approver.key), approver.name);
    return audit_form(hub.ledger(), limit, before, names);
}

// A file's bytes, piece by piece; each piece is checked against its name, the whole by whoever
// fetches it.
Result<HttpResponse> stream_file(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const KnownVersion* known, known_version(hub, request, "ref"));
    TRIBUTARY_ASSIGN(const std::string path, required(request, "path"));
    Store& store = hub.ledger().store();
    TRIBUTARY_ASSIGN(const std::optional<TreeItem> found,
                     find_file(known->version.tree, path, tree_loader(store)));
    if (!found)
        return fail(Errc::not_found, "version " + known->id.text() + " has no file '" + path + "'");

    HttpResponse response;
    response.content_type = "application/octet-stream";
    response.headers.push_back({"X-Tributary-Blob", found->target.text()});
    response.stream_bytes = found->size;
    TRIBUTARY_ASSIGN(Recipe recipe, read_recipe(store, {found->target}, found->size));
    response.stream = [&store, pieces = std::move(recipe.pieces), next = std::size_t{0},
                       piece = Bytes(),
                       at = std::size_t{0}](ByteSpan out) mutable -> Result<std::size_t> {
        if (at == piece.size()) {
            if (next == pieces.size()) return std::size_t{0};
            TRIBUTARY_ASSIGN(piece,
                             store.read_plain({RecordKind::piece, pieces[next++].id.digest}));
            at = 0;
        }
        const std::size_t count = std::min(out.size(), piece.size() - at);
        std::copy_n(piece.begin() + static_cast<std::ptrdiff_t>(at), count, out.begin());
        at += count;
        return count;
    };
    return response;
}

// ---- writing ----

Result<Json> make_contact(Hub& hub, const HttpRequest& request) {
    if (hub.enrolment())
        return fail(Errc::denied,
                    "this hub is secured, and takes no board at first contact: let it enrol, by "
                    "`tributary-agent enroll` with a token of `tributary device token`");
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    return hub.contact().answer(body);
}

Result<Json> merge_now(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string repo, body.text_at("repo"));
    TRIBUTARY_TRY(check_repo_name(repo));
    TRIBUTARY_ASSIGN(const auto folded, hub.merger().fold(repo));
    Json form = Json::object({{"version", folded ? Json(folded->version.text()) : Json()},
                              {"heads", folded ? folded->heads : 0},
                              {"conflicts", 0}});
    const std::string branch = policy_for(hub.config(), repo).branch;
    const auto head = hub.ledger().catalog().ref(repo, branch);
    if (const KnownVersion* known = head ? hub.ledger().catalog().version(*head) : nullptr)
        TRIBUTARY_TRY(add_conflicts(form, *known, hub.ledger()));
    return form;
}

// A version, or a board: then its newest on that branch.
Result<VersionId> side_of(Hub& hub, const std::string& repo, const std::string& branch,
                          const std::string& reference) {
    const Catalog& catalog = hub.ledger().catalog();
    if (!catalog.device(reference)) return hub.registry().resolve(reference);
    if (const auto head = catalog.ref(repo, "device/" + reference + "/" + branch)) return *head;
    return fail(Errc::not_found,
                "board " + reference + " has recorded nothing in " + repo + "/" + branch);
}

Result<Json> settle_conflicts(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string repo, body.text_at("repo"));
    TRIBUTARY_TRY(check_repo_name(repo));
    TRIBUTARY_ASSIGN(const Json::Array* choices, body.array_at("choices"));
    const std::string branch = policy_for(hub.config(), repo).branch;
    Settlement settlement;
    TRIBUTARY_ASSIGN(settlement.actor, actor_of(body));
    for (const Json& choice : *choices) {
        TRIBUTARY_ASSIGN(const std::string reference, choice.text_at("ref"));
        TRIBUTARY_ASSIGN(const VersionId side, side_of(hub, repo, branch, reference));
        const Json* path = choice.find("path");
        const std::string* of_one = path ? path->as_text() : nullptr;
        const bool twice = of_one ? !settlement.by_path.emplace(*of_one, side).second
                                  : settlement.rest.has_value();
        if (twice)
            return fail(Errc::invalid, "two versions are named for " +
                                           (of_one ? "'" + *of_one + "'" : "all paths") +
                                           "; say PATH=REF for single ones");
        if (!of_one) settlement.rest = side;
    }
    TRIBUTARY_ASSIGN(const VersionId settled,
                     settle(hub.ledger(), hub.clock(), repo, branch, settlement));
    return Json::object({{"repo", repo}, {"branch", branch}, {"version", settled.text()}});
}

Result<Json> move_ref(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string repo, body.text_at("repo"));
    TRIBUTARY_ASSIGN(const std::string name, body.text_at("name"));
    TRIBUTARY_ASSIGN(const std::string actor, actor_of(body));
    if (const Json* gone = body.find("to"); gone && gone->is_null()) {
        TRIBUTARY_TRY(hub.registry().remove_ref(repo, name, actor));
        return Json::object({{"repo", repo}, {"name", name}, {"version", Json()}});
    }
    TRIBUTARY_ASSIGN(const std::string to_text, body.text_at("to"));
    TRIBUTARY_ASSIGN(const VersionId to, hub.registry().resolve(to_text));
    std::optional<VersionId> expected;
    if (const Json* given = body.find("expected"); given && given->as_text()) {
        TRIBUTARY_ASSIGN(expected, hub.registry().resolve(*given->as_text()));
    }
    TRIBUTARY_TRY(hub.registry().move_ref(repo, name, to, expected, "cli", actor));
    return Json::object({{"repo", repo}, {"name", name}, {"version", to.text()}});
}

Result<Json> retire_device(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const bool retired, body.bool_at("retired"));
    TRIBUTARY_ASSIGN(const std::string actor, actor_of(body));
    const std::string& device = request.params.at("device");
    TRIBUTARY_TRY(hub.registry().set_retired(device, retired, actor));
    if (retired) hub.forget_refusals(device);
    return show_device(hub, request);
}

Result<Json> release_device(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string actor, actor_of(body));
    TRIBUTARY_TRY(hub.release(request.params.at("device"), actor));
    return show_device(hub, request);
}

Result<Json> approve(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string hex, body.text_at("document"));
    Bytes document(hex.size() / 2);
    if (!from_hex(hex, document)) return fail(Errc::invalid, "'document' is not hexadecimal");
    TRIBUTARY_ASSIGN(const VersionId version, hub.registry().approve(document));
    return Json::object(
        {{"version", version.text()}, {"approvals", hub.registry().approvals_of(version)}});
}

Result<Json> assign(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const Json body, body_of(request));
    TRIBUTARY_ASSIGN(const std::string reference, body.text_at("ref"));
    TRIBUTARY_ASSIGN(const std::string model, body.text_at("model"));
    TRIBUTARY_ASSIGN(const Json::Array* wanted, body.array_at("devices"));
    std::vector<std::string> devices;
    for (const Json& device : *wanted)
        if (const std::string* id = device.as_text()) devices.push_back(*id);
    const Json* force = body.find("force");
    const bool meant = force && force->as_bool().value_or(false);
    TRIBUTARY_ASSIGN(const VersionId version, hub.registry().resolve(reference));
    TRIBUTARY_ASSIGN(const auto numbers,
                     hub.registry().assign(model, version, std::move(devices), meant));
    Json assigned = Json::array();
    for (const auto& [device, number] : numbers) {
        assigned.push(Json::object({{"device", device}, {"assignment", number}}));
        hub.push_to(device);
    }
    return Json::object(
        {{"version", version.text()}, {"model", model}, {"assigned", std::move(assigned)}});
}

Result<Json> check_store(Hub& hub, const HttpRequest& request) {
    TRIBUTARY_ASSIGN(const std::vector<std::string> findings,
                     hub.ledger().store().check(request.argument("data") == "true"));
    Json list = Json::array();
    for (const std::string& finding : findings) list.push(finding);
    return Json::object({{"sound", findings.empty()}, {"findings", std::move(list)}});
}

using Endpoint = Result<Json> (*)(Hub&, const HttpRequest&);

}  // namespace

HttpRoutes api_routes(Hub& hub) {
    HttpRoutes routes;
    const auto add = [&](std::string_view method, std::string_view path, Endpoint endpoint) {
        routes.add(method, path, [&hub, endpoint](const HttpRequest& request) {
            Result<Json> done = endpoint(hub, request);
            // What is decided is in the journal; what is refused, here.
            if (!done && request.method == "POST")
                log_failure(LogLevel::warn, "refused at " + request.target, done.error());
            return answer_or_error(std::move(done));
        });
    };
    add("GET", "/api/v1/devices", list_devices);
    add("GET", "/api/v1/devices/{device}", show_device);
    add("POST", "/api/v1/devices/{device}/retire", retire_device);
    add("POST", "/api/v1/devices/{device}/release", release_device);
    add_enrolment_routes(routes, hub);
    add("GET", "/api/v1/repos", list_repos);
    add("GET", "/api/v1/log", show_log);
    add("GET", "/api/v1/version", show_version);
    add("GET", "/api/v1/diff", show_diff);
    add("GET", "/api/v1/lineage", show_lineage);
    add("GET", "/api/v1/audit", show_audit);
    add("POST", "/api/v1/contact", make_contact);
    add("POST", "/api/v1/merge", merge_now);
    add("POST", "/api/v1/settle", settle_conflicts);
    add("POST", "/api/v1/refs", move_ref);
    add("POST", "/api/v1/approvals", approve);
    add("POST", "/api/v1/assignments", assign);
    add("POST", "/api/v1/fsck", check_store);
    routes.add("GET", "/api/v1/file", [&hub](const HttpRequest& request) {
        auto response = stream_file(hub, request);
        return response ? *std::move(response) : answer(response.error());
    });
    routes.add("GET", "/api/v1/object", [&hub](const HttpRequest& request) {
        auto response = show_object(hub, request);
        return response ? *std::move(response) : answer(response.error());
    });
    routes.add("GET", "/healthz", [&hub](const HttpRequest&) {
        const Digest key = trust::key_id(hub.ledger().signer().public_key());
        return answer(Json::object({{"ok", hub.broker_connected()},
                                    {"broker_connected", hub.broker_connected()},
                                    {"hub", hub.config().name},
                                    {"key", key.text()}}),
                      hub.broker_connected() ? 200 : 503);
    });
    routes.add("GET", "/metrics", [&hub](const HttpRequest&) {
        HttpResponse response;
        response.content_type = "text/plain; version=0.0.4";
        response.body = metrics_text(hub);
        return response;
    });
    return routes;
}

namespace {

constexpr std::uint64_t kPemBytesMax = 256 * 1024;

// What the hub proves itself with at its door; none: plain HTTP.
Result<std::optional<TlsIdentity>> identity_of(const Hub& hub) {
    const HubConfig& config = hub.config();
    if (config.api_certificate.empty())
        return hub.secured() ? std::optional(hub.secured()->identity) : std::nullopt;
    TlsIdentity identity;
    const auto certificate = read_file(system_files(), config.api_certificate, kPemBytesMax);
    if (!certificate) return with_context("[api] cert", certificate.error());
    identity.certificate = as_text(*certificate);
    identity.key = identity.certificate;
    if (config.api_key.empty()) return identity;
    const auto key = read_file(system_files(), config.api_key, kPemBytesMax);
    if (!key) return with_context("[api] key", key.error());
    identity.key = as_text(*key);
    return identity;
}

}  // namespace

Result<std::unique_ptr<HttpServer>> serve_api(Hub& hub, NetLoop& loop) {
    HttpServerOptions options;
    options.listen = hub.config().api_listen;
    TRIBUTARY_ASSIGN(options.tls, identity_of(hub));
    options.on_strangers = [](const Error& last, std::uint64_t count) {
        log_warn("who came to [api] did not agree on TLS", {{"times", count}, {"last", last.what}});
    };
    options.error_page = [](unsigned status, const Error& error) {
        HttpResponse response = answer(error);
        response.status = status;
        return response;
    };
    auto server = make_http_server(loop, std::move(options), api_routes(hub));
    if (!server) return with_context("[api] in the configuration", server.error());
    return server;
}

}  // namespace tributary::hub
