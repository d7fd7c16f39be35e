#include "hub/enrol/door_requests.h"

#include <algorithm>
#include <utility>
#include <variant>

#include "common/record/message.h"
#include "common/trust/fetch.h"

namespace tributary::hub {
namespace {

Result<Json> json_of(ByteView body) {
    if (body.size() > kDoorBodyBytesMax)
        return fail(Errc::invalid, "the request has " + std::to_string(body.size()) +
                                       " bytes, and may have " + std::to_string(kDoorBodyBytesMax));
    return parse_json(as_text(body));
}

Result<Bytes> bytes_of(std::string_view name, std::string_view digits, std::size_t bytes_max) {
    Bytes bytes(std::min(digits.size() / 2, bytes_max));
    if (!from_hex(digits, bytes))
        return fail(Errc::invalid, "'" + std::string(name) + "' is not at most " +
                                       std::to_string(bytes_max) + " bytes in hexadecimal");
    return bytes;
}

Result<Bytes> hex_of(const Json& body, std::string_view name, std::size_t bytes_max) {
    TRIBUTARY_ASSIGN(const std::string digits, body.text_at(name));
    return bytes_of(name, digits, bytes_max);
}

Status add_key_change(std::vector<KeyChangedBody>& changes, std::string_view digits) {
    if (changes.size() == sync::kHelloKeyChangesMax)
        return fail(Errc::invalid, "more than " + std::to_string(sync::kHelloKeyChangesMax) +
                                       " changes of key; let the board enrol anew");
    TRIBUTARY_ASSIGN(const Bytes plain,
                     bytes_of("a change of key", digits, sync::kHelloKeyChangeBytesMax));
    const auto body = parse_body(EntryKind::key_changed, plain);
    if (!body) return fail(Errc::invalid, "a change of key: " + body.error().what);
    changes.push_back(std::get<KeyChangedBody>(*body));
    return {};
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
    const Json* changes = form.find("key_changes");
    if (!changes || changes->is_null()) return asked;
    TRIBUTARY_ASSIGN(const Json::Array* items, form.array_at("key_changes"));
    for (const Json& item : *items) {
        const std::string* digits = item.as_text();
        TRIBUTARY_TRY(add_key_change(asked.key_changes, digits ? *digits : ""));
    }
    return asked;
}

Result<FetchProof> parse_fetch_proof(const HttpRequest& request) {
    FetchProof proof;
    proof.device = request.header(trust::kFetchDeviceHeader);
    TRIBUTARY_ASSIGN(proof.signature,
                     bytes_of(trust::kFetchProofHeader, request.header(trust::kFetchProofHeader),
                              kDoorSignatureBytesMax));
    std::string_view changes = request.header(trust::kFetchKeyChangesHeader);
    while (!changes.empty()) {
        const std::size_t end = std::min(changes.find(','), changes.size());
        TRIBUTARY_TRY(add_key_change(proof.key_changes, changes.substr(0, end)));
        changes.remove_prefix(std::min(end + 1, changes.size()));
    }
    return proof;
}

}  // namespace tributary::hub
