#include "hub/enrol/issuer_count.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"
#include "common/text/json.h"
#include "common/text/log.h"
#include "common/trust/certificate.h"

namespace tributary::hub {
namespace {

constexpr const char* kName = "certificates.json";
constexpr std::uint64_t kBytesMax = 256 * limits::KiB;

Json form_of(const HeldCertificates::Boards& boards) {
    Json some = Json::array();
    for (const std::string& device : boards.some) some.push(device);
    return Json::object({{"count", boards.count}, {"some", std::move(some)}});
}

Json form_of(const HeldCertificates& held) {
    Json named = Json::array();
    for (const HeldCertificates::Authority& one : held.named)
        named.push(
            Json::object({{"authority", one.certificate.text()}, {"boards", form_of(one.boards)}}));
    return Json::object({{"root_version", held.root_version},
                         {"named", std::move(named)},
                         {"others", form_of(held.others)}});
}

Result<HeldCertificates::Boards> read_boards(const Json& json, std::string_view name) {
    TRIBUTARY_TRY(json.object_at(name));
    const Json& form = *json.find(name);
    HeldCertificates::Boards boards;
    TRIBUTARY_ASSIGN(boards.count, form.u64_at("count"));
    TRIBUTARY_ASSIGN(const Json::Array* some, form.array_at("some"));
    for (const Json& device : *some)
        if (const std::string* text = device.as_text()) boards.some.push_back(*text);
    return boards;
}

Result<HeldCertificates> read_form(const Json& json) {
    HeldCertificates held;
    TRIBUTARY_ASSIGN(held.root_version, json.u64_at("root_version"));
    TRIBUTARY_ASSIGN(const Json::Array* named, json.array_at("named"));
    for (const Json& item : *named) {
        HeldCertificates::Authority& one = held.named.emplace_back();
        TRIBUTARY_ASSIGN(const std::string text, item.text_at("authority"));
        TRIBUTARY_ASSIGN(one.certificate, Digest::parse(text));
        TRIBUTARY_ASSIGN(one.boards, read_boards(item, "boards"));
    }
    TRIBUTARY_ASSIGN(held.others, read_boards(json, "others"));
    return held;
}

}  // namespace

std::uint64_t HeldCertificates::to_renew() const {
    std::uint64_t boards = others.count;
    for (std::size_t i = 0; i + 1 < named.size(); ++i) boards += named[i].boards.count;
    return boards;
}

HeldCertificates count_certificates(const Catalog& catalog, const Root& root) {
    HeldCertificates held;
    held.root_version = root.version;
    std::vector<Bytes> keys;
    for (const Bytes& der : root.authorities) {
        const auto says = trust::parse_certificate(der);
        keys.push_back(says ? says->key_identifier : Bytes());
        held.named.push_back({sha256(der), {}});
    }
    for (const auto& [id, device] : catalog.devices()) {
        const Member* member = catalog.members().member(id);
        if (!member || member->certificates.empty() || device.retired ||
            device.incarnations.empty() || catalog.members().revocation_of(id))
            continue;
        const Bytes* key = catalog.key_of(device.incarnations.back());
        const IssuedCertificate* shown =
            key ? member->certificate_of(trust::key_id(*key)) : nullptr;
        const bool told = shown && !shown->issuer_key.empty();
        const auto by = told ? std::ranges::find(keys, shown->issuer_key) : keys.end();
        HeldCertificates::Boards& boards =
            by == keys.end() ? held.others
                             : held.named[static_cast<std::size_t>(by - keys.begin())].boards;
        boards.count += 1;
        if (boards.some.size() < HeldCertificates::kSomeMax) boards.some.push_back(id);
    }
    return held;
}

Result<HeldCertificates> load_certificate_count(Files& files, const std::string& state_dir) {
    const std::string path = join_path(state_dir, kName);
    TRIBUTARY_ASSIGN(const Bytes text, read_file(files, path, kBytesMax));
    TRIBUTARY_ASSIGN(const Json json, parse_json(as_text(text)));
    auto held = read_form(json);
    if (!held) return with_context(path, held.error());
    return held;
}

IssuerCount::IssuerCount(Loop& loop, Files& files, const Ledger& ledger, const Root& root,
                         const std::string& state_dir)
    : loop_(loop), files_(files), ledger_(ledger), root_(root), path_(join_path(state_dir, kName)) {
    count();
}

void IssuerCount::count() {
    HeldCertificates held = count_certificates(ledger_.catalog(), root_);
    if (held != written_) {
        const std::string text = form_of(held).text() + "\n";
        if (const Status kept = replace_file(files_, path_, as_bytes(text)); kept)
            written_ = std::move(held);
        else
            log_failure(LogLevel::warn, "whose certificates boards hold", kept.error());
    }
    timer_ = loop_.at(loop_.now() + kEveryMs, [this] { count(); });
}

}  // namespace tributary::hub
