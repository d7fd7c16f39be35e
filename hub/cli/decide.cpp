#include <cstdlib>
#include <optional>

#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/trust/key_file.h"
#include "common/trust/seal.h"
#include "hub/cli/device_words.h"
#include "hub/cli/print.h"
#include "hub/cli/verbs.h"

namespace tributary::cli {

std::string user_name() {
    const char* user = std::getenv("USER");
    return user && *user ? user : "cli";
}

namespace {

// None when no file is named.
Result<std::optional<trust::Passphrase>> passphrase_in(const std::string& path) {
    std::optional<trust::Passphrase> passphrase;
    if (path.empty()) return passphrase;
    TRIBUTARY_ASSIGN(passphrase, trust::Passphrase::load(system_files(), path));
    return passphrase;
}

}  // namespace

Status merge(const Client& hub, const Output& out, const std::string& repo) {
    TRIBUTARY_ASSIGN(const Json answer, hub.post("/api/v1/merge", Json::object({{"repo", repo}})));
    const Json* version = answer.find("version");
    if (!version || version->is_null())
        out.print(answer, "Nothing to fold: the shared branch has all that the boards have.\n");
    else
        out.print(answer, "Folded " + text_of(answer, "heads") + " heads into " +
                              text_of(answer, "version") + "\n");
    return no_conflicts(answer, repo);
}

Status settle(const Client& hub, const Output& out, const std::string& repo,
              const std::vector<std::string>& choices) {
    Json list = Json::array();
    for (const std::string& choice : choices) {
        const auto equals = choice.rfind('=');  // no reference has one
        list.push(equals == choice.npos ? Json::object({{"ref", choice}})
                                        : Json::object({{"path", choice.substr(0, equals)},
                                                        {"ref", choice.substr(equals + 1)}}));
    }
    TRIBUTARY_ASSIGN(
        const Json answer,
        hub.post(
            "/api/v1/settle",
            Json::object({{"repo", repo}, {"choices", std::move(list)}, {"actor", user_name()}})));
    out.print(answer, "Settled: " + repo + "/" + text_of(answer, "branch") + " names " +
                          text_of(answer, "version") + "\n");
    return {};
}

Status move_ref(const Client& hub, const Output& out, const std::string& repo,
                const std::string& name, const std::string& to) {
    TRIBUTARY_ASSIGN(
        const Json answer,
        hub.post(
            "/api/v1/refs",
            Json::object({{"repo", repo}, {"name", name}, {"to", to}, {"actor", user_name()}})));
    out.print(answer, repo + "/" + name + " names " + text_of(answer, "version") + "\n");
    return {};
}

Status remove_ref(const Client& hub, const Output& out, const std::string& repo,
                  const std::string& name) {
    TRIBUTARY_ASSIGN(
        const Json answer,
        hub.post("/api/v1/refs",
                 Json::object(
                     {{"repo", repo}, {"name", name}, {"to", Json()}, {"actor", user_name()}})));
    out.print(answer, repo + "/" + name + " is removed\n");
    return {};
}

Status retire_device(const Client& hub, const Output& out, const std::string& device,
                     bool retired) {
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/devices/" + url_escape(device) + "/retire",
                              Json::object({{"retired", retired}, {"actor", user_name()}})));
    out.print(answer, "device " + device +
                          (retired ? " is retired; what it recorded stays\n" : " is back\n"));
    return {};
}

Status release_device(const Client& hub, const Output& out, const std::string& device) {
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/devices/" + url_escape(device) + "/release",
                              Json::object({{"actor", user_name()}})));
    out.print(answer, "device " + device + " is heard again\n");
    return {};
}

Status make_key(const Output& out, const std::string& path, const std::string& passphrase_path) {
    if (system_files().stat(path))
        return fail(Errc::conflict, path + " is there already; a key is never replaced");
    TRIBUTARY_ASSIGN(const auto passphrase, passphrase_in(passphrase_path));
    TRIBUTARY_ASSIGN(const auto signer,
                     trust::load_or_create_key(system_files(), system_entropy(), path,
                                               passphrase ? &*passphrase : nullptr));
    const std::string public_path = path + ".pub";
    // For all to read: the hub's user has to.
    TRIBUTARY_TRY(replace_file(system_files(), public_path,
                               as_bytes(trust::public_key_pem(signer->public_key())),
                               Readers::everybody));
    const std::string id = trust::key_id(signer->public_key()).text();
    out.print(
        Json::object({{"key", path}, {"public_key", public_path}, {"id", id}}),
        "Key        " + path +
            (passphrase
                 ? "  (keep it off the hub)"
                 : "  (not encrypted, as no --passphrase-file was given; keep it off the hub)") +
            "\nPublic key " + public_path +
            "  (for the root document of a secured hub, or [approval] keys)\nKey id     " + id +
            "\n");
    return {};
}

Status approve(const Client& hub, const Output& out, const std::string& reference,
               const std::string& key_path, const std::string& passphrase_path) {
    TRIBUTARY_ASSIGN(const auto passphrase, passphrase_in(passphrase_path));
    const auto signer =
        trust::load_key(system_files(), key_path, passphrase ? &*passphrase : nullptr);
    if (!signer && signer.error().code == Errc::denied && !passphrase)
        return fail(Errc::invalid, key_path + " is encrypted: say --passphrase-file FILE as well");
    if (!signer) return tl::make_unexpected(signer.error());
    TRIBUTARY_ASSIGN(const Json version, hub.get("/api/v1/version", {{"ref", reference}}));
    Approval approval;
    TRIBUTARY_ASSIGN(approval.repo, version.text_at("repo"));
    TRIBUTARY_ASSIGN(const std::string id, version.text_at("id"));
    TRIBUTARY_ASSIGN(approval.version.digest, Digest::parse(id));
    TRIBUTARY_ASSIGN(const std::string content, version.text_at("content"));
    TRIBUTARY_ASSIGN(approval.content.digest, Digest::parse(content));
    approval.approver = user_name();
    approval.time = HybridTime{}.next(system_clock().wall(), system_clock().quality());
    TRIBUTARY_ASSIGN(const Bytes payload, encode_approval(approval));
    TRIBUTARY_ASSIGN(const Bytes document,
                     trust::sign_document(**signer, trust::kApprovalPurpose, payload));
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/approvals", Json::object({{"document", to_hex(document)}})));
    out.print(answer, "Approved " + text_of(answer, "version") + "\n");
    return {};
}

Status start_rollout(const Client& hub, const Output& out, const RolloutOrder& order) {
    Json devices = Json::array();
    for (const std::string& device : order.devices) devices.push(device);
    TRIBUTARY_ASSIGN(const Json answer,
                     hub.post("/api/v1/assignments", Json::object({{"ref", order.reference},
                                                                   {"model", order.model},
                                                                   {"devices", std::move(devices)},
                                                                   {"force", order.force}})));
    const Json* assigned = answer.find("assigned");
    const std::size_t count = assigned && assigned->as_array() ? assigned->as_array()->size() : 0;
    out.print(answer, std::to_string(count) +
                          (count == 1 ? " device shall run " : " devices shall run ") +
                          short_id(answer.find("version")) + " as " + order.model +
                          "; `tributary rollout show` tells how it goes\n");
    return {};
}

Status show_rollout(const Client& hub, const Output& out) {
    TRIBUTARY_ASSIGN(const Json answer, hub.get("/api/v1/devices"));
    std::vector<std::vector<std::string>> rows;
    Json models = Json::array();
    const Json* devices = answer.find("devices");
    if (devices && devices->as_array())
        for (const Json& device : *devices->as_array())
            if (const Json* list = device.find("models"); list && list->as_array())
                for (const Json& model : *list->as_array()) {
                    Json row = model;
                    row.set("device", *device.find("id"));
                    const std::string passed = passed_over(device, model);
                    const std::string why = waits_for(device, model);
                    row.set("passed_over", passed.empty() ? Json() : Json(passed));
                    row.set("waits_for", why.empty() ? Json() : Json(why));
                    models.push(std::move(row));
                    rows.push_back({text_of(device, "id"), text_of(model, "model"),
                                    text_of(model, "state"), short_id(model.find("wanted")),
                                    short_id(model.find("running")),
                                    why.empty() ? text_of(model, "detail") : why});
                }
    out.print(Json::object({{"deployments", std::move(models)}}),
              rows.empty() ? "No device was told to run anything yet.\n"
                           : table({"DEVICE", "MODEL", "STATE", "WANTED", "RUNS", "DETAIL"}, rows));
    return {};
}

}  // namespace tributary::cli
