#include "agent/trust/enrolment.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "common/hash/hash.h"
#include "common/net/peer_url.h"
#include "common/trust/certificate.h"
#include "common/trust/contact.h"
#include "common/trust/key_file.h"

namespace tributary::agent {
namespace {

constexpr std::uint64_t kCaFileBytesMax = 64 * 1024;
constexpr std::uint64_t kRetrySeconds = 60;  // where a hub does not say
constexpr std::uint64_t kRetrySecondsMax = 3600;

tl::unexpected<Error> refuse(const std::string& what) {
    return fail(Errc::denied, "the hub's answer is not taken: " + what);
}

struct Answer {
    Enrolled enrolled;
    Bytes hub_key;
};

Result<Bytes> from_hex_text(const std::string& digits, std::string_view name,
                            std::size_t bytes_max) {
    if (digits.size() / 2 > bytes_max)
        return fail(Errc::invalid, "'" + std::string(name) + "' is longer than it may be");
    Bytes bytes(digits.size() / 2);
    if (digits.empty() || !from_hex(digits, bytes))
        return fail(Errc::invalid, "'" + std::string(name) + "' is not hexadecimal");
    return bytes;
}

Status read_certificate(const Json& json, Bytes& certificate, WallTime& renew_after) {
    TRIBUTARY_ASSIGN(const std::string pem, json.text_at("certificate"));
    TRIBUTARY_ASSIGN(certificate, trust::from_pem(trust::kCertificateLabel, pem));
    TRIBUTARY_ASSIGN(const std::string text, json.text_at("renew_after"));
    const auto time = parse_wall_time(text);
    if (!time) return fail(Errc::invalid, "'renew_after' is not a time");
    renew_after = *time;
    return {};
}

Result<Answer> read_fields(const Json& json) {
    Answer answer;
    Pins& pins = answer.enrolled.pins;
    TRIBUTARY_ASSIGN(pins.device, json.text_at("device"));
    TRIBUTARY_TRY(check_device_id(pins.device));
    TRIBUTARY_TRY(json.object_at("hub"));
    const Json& hub = *json.find("hub");
    TRIBUTARY_ASSIGN(pins.hub_name, hub.text_at("name"));
    TRIBUTARY_ASSIGN(const std::string incarnation, hub.text_at("incarnation"));
    TRIBUTARY_ASSIGN(pins.hub, Incarnation::parse(incarnation));
    TRIBUTARY_ASSIGN(const std::string hub_key, hub.text_at("public_key"));
    TRIBUTARY_ASSIGN(answer.hub_key, trust::parse_public_key_pem(hub_key));
    TRIBUTARY_ASSIGN(pins.broker_url, json.text_at("broker"));
    const auto broker = parse_broker_url(pins.broker_url);
    if (!broker || !is_tls(*broker))
        return fail(Errc::invalid, "its broker '" + pins.broker_url + "' is not reached by TLS");
    TRIBUTARY_ASSIGN(const std::string root, json.text_at("root"));
    TRIBUTARY_ASSIGN(answer.enrolled.root, from_hex_text(root, "root", limits::kRootBytesMax));
    TRIBUTARY_TRY(read_certificate(json, answer.enrolled.certificate, answer.enrolled.renew_after));
    return answer;
}

bool is_pinned_authority(const EnrolmentTarget& target, const Bytes& der) {
    return target.token ? sha256(der) == target.token->authority : der == target.authority;
}

Status check_certificate(ByteView certificate, const std::string& device,
                         std::span<const Bytes> authorities, ByteView key) {
    const auto says =
        trust::verify_certificate(certificate, authorities, trust::CertificateUse::client);
    if (!says)
        return refuse("its certificate was not issued by an authority that this board believes (" +
                      says.error().what + ")");
    if (!std::equal(says->public_key.begin(), says->public_key.end(), key.begin(), key.end()))
        return refuse("its certificate is for another key than this board's");
    if (says->subject != device)
        return refuse("its certificate is for '" + says->subject + "', and this board is '" +
                      device + "'");
    return {};
}

}  // namespace

Error error_of_answer(std::string_view what, unsigned status, std::string_view body) {
    const auto json = parse_json(body);
    const Json* error = json ? json->find("error") : nullptr;
    const auto said = error ? error->text_at("message") : Result<std::string>("no reason given");
    Errc code = status / 100 == 4 ? Errc::denied : Errc::unavailable;
    if (status == 429) code = Errc::unavailable;
    return {code, "the hub refused " + std::string(what) + " (HTTP " + std::to_string(status) +
                      "): " + said.value_or("no reason given")};
}

// ---- before ----

Result<EnrolmentTarget> target_of_token(std::string_view text, std::optional<WallTime> now) {
    EnrolmentTarget target;
    TRIBUTARY_ASSIGN(target.token, trust::parse_token(text));
    const trust::EnrolmentToken& token = *target.token;
    const auto url = parse_hub_url(token.url);
    if (!url || !is_tls(*url))
        return fail(Errc::invalid, "the token names '" + token.url +
                                       "', which is not an https:// address; ask for another one");
    if (now && *now > token.expires)
        return fail(Errc::denied, "the token was good until " + to_text(token.expires) +
                                      "; ask for another one ('tributary device token')");
    target.url = token.url;
    target.trust.ca_pin = token.authority;
    target.trust.role = trust::kDoorRole;
    target.root = token.root;
    return target;
}

Result<EnrolmentTarget> target_of_file(Files& files, const std::string& url,
                                       const std::string& ca_file) {
    const auto parsed = parse_hub_url(url);
    if (!parsed || !is_tls(*parsed))
        return fail(Errc::invalid, "--hub '" + url + "' must be https://HOST:PORT");
    EnrolmentTarget target;
    target.url = url;
    while (target.url.ends_with('/')) target.url.pop_back();
    auto pem = read_file(files, ca_file, kCaFileBytesMax);
    if (!pem) return with_context("--ca", std::move(pem).error());
    auto der = trust::from_pem(trust::kCertificateLabel, as_text(*pem));
    if (!der) return with_context("--ca " + ca_file, std::move(der).error());
    target.authority = *std::move(der);
    target.trust.ca = trust::to_pem(trust::kCertificateLabel, target.authority);
    target.trust.role = trust::kDoorRole;
    return target;
}

Result<Json> enrolment_request(const EnrolmentTarget& target, const Incarnation& incarnation,
                               trust::Signer& key, const std::string& name,
                               const std::string& group) {
    TRIBUTARY_ASSIGN(const Bytes csr, trust::make_csr(key));
    TRIBUTARY_ASSIGN(
        const Bytes signature,
        key.sign(trust::kContactPurpose, trust::contact_digest(incarnation, key.public_key())));
    Json request = Json::object({{"incarnation", incarnation.text()},
                                 {"csr", trust::to_pem(trust::kCsrLabel, csr)},
                                 {"name", name},
                                 {"signature", to_hex(signature)}});
    if (target.token) request.set("token", to_hex(target.token->secret));
    if (!group.empty()) request.set("group", group);
    return request;
}

// ---- after ----

Result<std::variant<Enrolled, Waiting>> read_enrolment_answer(const EnrolmentTarget& target,
                                                              trust::Verifier& verifier,
                                                              ByteView key, unsigned status,
                                                              std::string_view body) {
    if (status != 200 && status != 202)
        return tl::make_unexpected(error_of_answer("to enrol this board", status, body));
    const auto json = parse_json(body);
    if (!json)
        return fail(Errc::corrupt, "the hub's answer is not JSON; is " + target.url + " a hub?");
    if (status == 202) {
        Waiting waiting;
        TRIBUTARY_ASSIGN(waiting.fingerprint, json->text_at("fingerprint"));
        const std::uint64_t seconds = json->u64_at("retry_seconds").value_or(kRetrySeconds);
        waiting.retry_seconds = std::clamp<std::uint64_t>(seconds, 1, kRetrySecondsMax);
        return waiting;
    }
    auto answer = read_fields(*json);
    if (!answer)
        return fail(Errc::corrupt, "the hub's answer cannot be used: " + answer.error().what);
    Enrolled& enrolled = answer->enrolled;

    TRIBUTARY_ASSIGN(const MultiSignedDocument document,
                     parse_multi_signed_document(enrolled.root));
    enrolled.root_digest = trust::root_digest(document.payload);
    if (target.root && enrolled.root_digest != *target.root)
        return refuse("its root document is not the one that the token names; ask for a new token");
    auto root = trust::verify_first_root(verifier, enrolled.root_digest, enrolled.root);
    if (!root) return refuse(root.error().what);
    const auto& authorities = root->root.authorities;
    if (std::ranges::none_of(authorities,
                             [&](const Bytes& der) { return is_pinned_authority(target, der); }))
        return refuse("its root document does not name the authority that was pinned");
    const auto& hub_keys = root->root.hub_keys;
    if (std::find(hub_keys.begin(), hub_keys.end(), answer->hub_key) == hub_keys.end())
        return refuse("the hub's key is not one that its root document names");
    // While one authority takes over from another it is the other one that issues.
    TRIBUTARY_TRY(check_certificate(enrolled.certificate, enrolled.pins.device, authorities, key));

    enrolled.pins.hub_url = target.url;
    follow_root(enrolled.pins, root->root);
    return std::move(enrolled);
}

std::uint64_t retry_seconds_of(std::string_view retry_after) {
    std::uint64_t seconds = 0;
    const char* const end = retry_after.data() + retry_after.size();
    const auto [after, error] = std::from_chars(retry_after.data(), end, seconds);
    if (error != std::errc() || after != end) return kRetrySeconds;
    return std::clamp<std::uint64_t>(seconds, 1, kRetrySecondsMax);
}

Config as_enrolled(Config config, const Pins& pins) {
    const auto fill = [](std::string& key, const std::string& value) {
        if (key.empty()) key = value;
    };
    fill(config.hub.url, pins.hub_url);
    // Whoever names another authority by hand says by it who the hub is.
    if (config.hub.ca.empty()) config.hub.role = trust::kDoorRole;
    fill(config.hub.ca, config.ca_path());
    fill(config.broker.url, pins.broker_url);
    fill(config.broker.ca, config.ca_path());
    config.broker.cert = config.key_path();
    config.broker.key.clear();
    return config;
}

Result<Renewed> read_renewal_answer(const std::string& device, const Root& root, ByteView key,
                                    unsigned status, std::string_view body) {
    if (status != 200)
        return tl::make_unexpected(error_of_answer("a new certificate", status, body));
    const auto read = [&]() -> Result<Renewed> {
        TRIBUTARY_ASSIGN(const Json json, parse_json(body));
        Renewed renewed;
        TRIBUTARY_TRY(read_certificate(json, renewed.certificate, renewed.renew_after));
        return renewed;
    };
    auto renewed = read();
    if (!renewed)
        return fail(Errc::corrupt, "the hub's answer cannot be used: " + renewed.error().what);
    TRIBUTARY_TRY(check_certificate(renewed->certificate, device, root.authorities, key));
    return renewed;
}

Result<std::vector<Bytes>> read_root_answer(std::string_view body) {
    const auto read = [&]() -> Result<std::vector<Bytes>> {
        TRIBUTARY_ASSIGN(const Json json, parse_json(body));
        TRIBUTARY_ASSIGN(const Json::Array* items, json.array_at("documents"));
        if (items->size() > limits::kRootStepsMax)
            return fail(Errc::exhausted, "more root documents than may be taken at once");
        std::vector<Bytes> documents;
        for (const Json& item : *items) {
            const std::string* digits = item.as_text();
            if (!digits) return fail(Errc::invalid, "'documents' holds something else than text");
            TRIBUTARY_ASSIGN(Bytes document,
                             from_hex_text(*digits, "documents", limits::kRootBytesMax));
            documents.push_back(std::move(document));
        }
        return documents;
    };
    auto documents = read();
    if (!documents)
        return fail(Errc::corrupt, "the hub's answer cannot be used: " + documents.error().what);
    return documents;
}

Status keep_enrolment(Files& files, const Config& config, TrustKeeper& trust,
                      const Enrolled& enrolled) {
    TRIBUTARY_TRY(trust.begin(enrolled.root, enrolled.root_digest, enrolled.renew_after));
    TRIBUTARY_TRY(keep_authorities(files, config.ca_path(), trust.root()->root));
    TRIBUTARY_TRY(save_pins(files, config.pins_path(), enrolled.pins));
    return trust::put_certificate(files, config.key_path(), enrolled.certificate);
}

}  // namespace tributary::agent
