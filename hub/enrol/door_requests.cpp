#include "hub/enrol/door_requests.h"

#include <algorithm>
#include <utility>

namespace tributary::hub {
namespace {

Result<Json> json_of(ByteView body) {
    if (body.size() > kDoorBodyBytesMax)
        return fail(Errc::invalid, "the request has " + std::to_string(body.size()) +
                                       " bytes, and may have " + std::to_string(kDoorBodyBytesMax));
    return parse_json(as_text(body));
}

Result<Bytes> hex_of(const Json& body, std::string_view name, std::size_t bytes_max) {
    TRIBUTARY_ASSIGN(const std::string digits, body.text_at(name));
    Bytes bytes(std::min(digits.size() / 2, bytes_max));
    if (!from_hex(digits, bytes))
        return fail(Errc::invalid, "'" + std::string(name) + "' is not at most " +
                                       std::to_string(bytes_max) + " bytes in hexadecimal");
    return bytes;
}

// A CSR in PEM, as DER.
Result<Bytes> csr_of(const Json& body) {
    TRIBUTARY_ASSIGN(const std::string pem, body.text_at("csr"));
    if (pem.size() > limits::kCsrBytesMax)
        return fail(Errc::invalid, "'csr' has " + std::to_string(pem.size()) +
                                       " bytes, and may have " +
                                       std::to_string(limits::kCsrBytesMax));
    return trust::from_pem(trust::kCsrLabel, pem);
}

}  // namespace

Result<std::string> text_or_empty(const Json& body, std::string_view name) {
    const Json* member = body.find(name);
    if (!member || member->is_null()) return std::string();
    TRIBUTARY_ASSIGN(std::string text, body.text_at(name));
    if (text.size() > limits::kTextBytesMax)
        return fail(Errc::invalid, "'" + std::string(name) + "' is longer than " +
                                       std::to_string(limits::kTextBytesMax) + " bytes");
    return text;
}

Result<EnrolRequest> parse_enrol_request(ByteView body, std::string peer) {
    TRIBUTARY_ASSIGN(const Json form, json_of(body));
    EnrolRequest asked;
    TRIBUTARY_ASSIGN(const std::string journal, form.text_at("incarnation"));
    TRIBUTARY_ASSIGN(asked.journal, Incarnation::parse(journal));
    TRIBUTARY_ASSIGN(asked.csr, csr_of(form));
    TRIBUTARY_ASSIGN(asked.name, text_or_empty(form, "name"));
    TRIBUTARY_ASSIGN(asked.signature, hex_of(form, "signature", kDoorSignatureBytesMax));
    TRIBUTARY_ASSIGN(asked.group, text_or_empty(form, "group"));
    if (const Json* token = form.find("token"); token && !token->is_null()) {
        TRIBUTARY_ASSIGN(asked.secret, hex_of(form, "token", trust::kTokenSecretBytes));
    }
    asked.peer = std::move(peer);
    return asked;
}

Result<RenewRequest> parse_renew_request(ByteView body) {
    TRIBUTARY_ASSIGN(const Json form, json_of(body));
    RenewRequest asked;
    TRIBUTARY_ASSIGN(asked.device, text_or_empty(form, "device"));
    TRIBUTARY_ASSIGN(const std::string journal, form.text_at("incarnation"));
    TRIBUTARY_ASSIGN(asked.journal, Incarnation::parse(journal));
    TRIBUTARY_ASSIGN(asked.csr, csr_of(form));
    TRIBUTARY_ASSIGN(asked.signature, hex_of(form, "signature", kDoorSignatureBytesMax));
    return asked;
}

}  // namespace tributary::hub
