#include "hub/intake/contact.h"

#include <algorithm>

#include "common/text/log.h"
#include "common/trust/contact.h"

namespace tributary::hub {
namespace {

// Whatever a board calls itself, as a device id: lower case, '-' for the rest, at most 48
// characters.
std::string as_device_id(std::string_view name) {
    std::string id;
    for (const char c : name.substr(0, 48)) {
        const bool upper = c >= 'A' && c <= 'Z';
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (upper)
            id.push_back(static_cast<char>(c - 'A' + 'a'));
        else if (plain)
            id.push_back(c);
        else if (!id.empty() && id.back() != '-')
            id.push_back('-');
    }
    while (!id.empty() && id.back() == '-') id.pop_back();
    return id.empty() ? "board" : id;
}

}  // namespace

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
    if (const std::string known = catalog.device_of(incarnation); !known.empty()) {
        if (*catalog.key_of(incarnation) == public_key) return known;
        return fail(Errc::denied, "journal " + incarnation.text() + " is known under another key");
    }
    std::string device;
    for (const auto& [id, other] : catalog.devices())
        if (other.public_key == public_key) device = id;
    if (device.empty()) {
        TRIBUTARY_ASSIGN(device, free_id(as_device_id(hint), incarnation));
    }
    TRIBUTARY_TRY(ledger_.append({DeviceBoundBody{device, incarnation, public_key}}));
    log_info("device bound", {{"device", device}, {"incarnation", incarnation.text()}});
    return device;
}

// The hint itself, or with the first digits of the journal.
Result<std::string> Contact::free_id(const std::string& hint,
                                     const Incarnation& incarnation) const {
    if (!ledger_.catalog().device(hint)) return hint;
    for (std::size_t length = 4; length <= 15; ++length) {
        std::string id = hint + "-" + incarnation.text().substr(0, length);
        if (!ledger_.catalog().device(id)) return id;
    }
    return fail(Errc::conflict, "all ids for a board that calls itself '" + hint +
                                    "' are taken; give it another name with [hub] name");
}

}  // namespace tributary::hub
