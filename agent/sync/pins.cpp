#include "agent/sync/pins.h"

#include "agent/sync/checked_json.h"
#include "common/trust/contact.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kPinsBytesMax = 256 * 1024;
constexpr std::uint64_t kApproversMax = 64;

Result<Pins> parse_pins(const Json& json) {
    Pins pins;
    TRIBUTARY_ASSIGN(pins.device, json.text_at("device"));
    TRIBUTARY_TRY(check_device_id(pins.device));
    TRIBUTARY_TRY(json.object_at("hub"));
    const Json& hub = *json.find("hub");
    TRIBUTARY_ASSIGN(pins.hub_name, hub.text_at("name"));
    TRIBUTARY_ASSIGN(const std::string incarnation, hub.text_at("incarnation"));
    TRIBUTARY_ASSIGN(pins.hub, Incarnation::parse(incarnation));
    TRIBUTARY_ASSIGN(const std::string hub_key, hub.text_at("public_key"));
    pins.hub_keys.resize(1);
    TRIBUTARY_ASSIGN(pins.hub_keys.front(), trust::parse_public_key_pem(hub_key));
    TRIBUTARY_ASSIGN(const Json::Array* approvers, json.array_at("approvers"));
    for (const Json& item : *approvers) {
        const std::string* pem = item.as_text();
        if (!pem) return fail(Errc::invalid, "'approvers' holds something that is not a key");
        TRIBUTARY_ASSIGN(Bytes key, trust::parse_public_key_pem(*pem));
        pins.approvers.push_back(std::move(key));
    }
    TRIBUTARY_ASSIGN(const std::uint64_t needed, json.u64_at("approvals_needed"));
    if (needed == 0 || needed > kApproversMax || pins.approvers.size() > kApproversMax)
        return fail(Errc::invalid, "'approvers' or 'approvals_needed' is out of range");
    pins.approvals_needed = static_cast<std::uint32_t>(needed);
    return pins;
}

Json to_json(const Pins& pins) {
    Json approvers = Json::array();
    for (const Bytes& key : pins.approvers) approvers.push(trust::public_key_pem(key));
    return Json::object(
        {{"device", pins.device},
         {"hub", Json::object({{"name", pins.hub_name},
                               {"incarnation", pins.hub.text()},
                               {"public_key", trust::public_key_pem(pins.hub_keys.front())}})},
         {"approvers", std::move(approvers)},
         {"approvals_needed", pins.approvals_needed}});
}

}  // namespace

Result<Json> contact_request(const Incarnation& incarnation, trust::Signer& signer,
                             const std::string& host_name) {
    TRIBUTARY_ASSIGN(const Bytes signature,
                     signer.sign(trust::kContactPurpose,
                                 trust::contact_digest(incarnation, signer.public_key())));
    return Json::object({{"incarnation", incarnation.text()},
                         {"public_key", trust::public_key_pem(signer.public_key())},
                         {"name", host_name},
                         {"signature", to_hex(signature)}});
}

Result<Pins> parse_contact_answer(const Json& answer) {
    auto pins = parse_pins(answer);
    if (!pins) return fail(Errc::corrupt, "the hub's answer cannot be used: " + pins.error().what);
    return pins;
}

std::string difference(const Pins& pinned, const Pins& answer) {
    std::string what;
    const auto note = [&what](bool same, std::string_view name) {
        if (!same) what += (what.empty() ? "" : ", ") + std::string(name);
    };
    note(pinned.device == answer.device, "this device's id");
    note(pinned.hub_keys == answer.hub_keys, "the hub's key");
    note(pinned.approvers == answer.approvers, "the approvers' keys");
    note(pinned.approvals_needed == answer.approvals_needed, "the number of approvals needed");
    return what;
}

Result<std::optional<Pins>> load_pins(Files& files, const std::string& path) {
    constexpr std::string_view kRemedy = "; remove it to make first contact with the hub again";
    auto pinned = load_checked(files, path, "pinned", kPinsBytesMax);
    if (!pinned && pinned.error().code == Errc::not_found) return std::nullopt;
    if (!pinned && pinned.error().code == Errc::corrupt) pinned.error().what += kRemedy;
    if (!pinned) return tl::make_unexpected(pinned.error());
    auto pins = parse_pins(*pinned);
    if (!pins)
        return fail(Errc::corrupt,
                    path + " is damaged (" + pins.error().what + ")" + std::string(kRemedy));
    // Nothing that a hub may say at a first contact.
    const auto url_at = [&](std::string_view name) {
        const Json* url = pinned->find(name);
        return url && url->as_text() ? *url->as_text() : std::string();
    };
    pins->hub_url = url_at("hub_url");
    pins->broker_url = url_at("broker_url");
    return std::optional<Pins>(*std::move(pins));
}

Status save_pins(Files& files, const std::string& path, const Pins& pins) {
    Json json = to_json(pins);
    if (!pins.hub_url.empty()) json.set("hub_url", pins.hub_url);
    if (!pins.broker_url.empty()) json.set("broker_url", pins.broker_url);
    return save_checked(files, path, "pinned", json);
}

}  // namespace tributary::agent
