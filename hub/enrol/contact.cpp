#include "hub/enrol/contact.h"

#include "common/text/log.h"
#include "common/trust/contact.h"
#include "hub/enrol/device_name.h"

namespace tributary::hub {

Result<Json> Contact::answer(const Json& request) {
    TRIBUTARY_ASSIGN(const std::string incarnation_text, request.text_at("incarnation"));
    TRIBUTARY_ASSIGN(const Incarnation incarnation, Incarnation::parse(incarnation_text));
    TRIBUTARY_ASSIGN(const std::string pem, request.text_at("public_key"));
    TRIBUTARY_ASSIGN(const Bytes public_key, trust::parse_public_key_pem(pem));
    TRIBUTARY_ASSIGN(const std::string name, request.text_at("name"));
    TRIBUTARY_ASSIGN(const std::string signature_hex, request.text_at("signature"));
    Bytes signature(signature_hex.size() / 2);
    if (!from_hex(signature_hex, signature))
        return fail(Errc::invalid, "'signature' is not hexadecimal");
    TRIBUTARY_TRY(trust::bulk_verifier().verify(public_key, trust::kContactPurpose,
                                                trust::contact_digest(incarnation, public_key),
                                                signature));

    TRIBUTARY_ASSIGN(const std::string device, device_for(incarnation, public_key, name));
    Json approvers = Json::array();
    for (const Bytes& key : approver_keys_) approvers.push(trust::public_key_pem(key));
    return Json::object(
        {{"device", device},
         {"hub", Json::object({{"name", config_.name},
                               {"incarnation", ledger_.store().head().incarnation.text()},
                               {"public_key", trust::public_key_pem(ledger_.signer().public_key())},
                               {"epoch", ledger_.epoch()}})},
         {"approvers", std::move(approvers)},
         {"approvals_needed", kApprovalsNeeded}});
}

Result<std::string> Contact::device_for(const Incarnation& incarnation, const Bytes& public_key,
                                        const std::string& hint) {
    const Catalog& catalog = ledger_.catalog();
    TRIBUTARY_TRY(catalog.members().check_believed(trust::key_id(public_key), incarnation));
    if (const std::string known = catalog.device_of(incarnation); !known.empty()) {
        if (*catalog.key_of(incarnation) == public_key) return known;
        return fail(Errc::denied, "journal " + incarnation.text() + " is known under another key");
    }
    std::string device = catalog.device_with_key(public_key);
    if (device.empty()) {
        TRIBUTARY_ASSIGN(device, free_device_id(catalog, hint, incarnation));
    }
    TRIBUTARY_TRY(ledger_.append({DeviceBoundBody{device, incarnation, public_key}}));
    log_info("device bound", {{"device", device}, {"incarnation", incarnation.text()}});
    return device;
}

}  // namespace tributary::hub
