// Bodies of entries, one FlatBuffers table each. What encode_body() writes depends on the values
// alone: strings and vectors first, in the order of the fields, then the table.
#include <optional>

#include "common/record/entry.h"
#include "common/record/flat.h"
#include "entry_generated.h"

namespace tributary {
namespace {

namespace wire = flat::entry;
using flat::HashField;
using flat::IncarnationField;
using flatbuffers::FlatBufferBuilder;

using flat::put_bytes;
using flat::put_text;

Bytes encode(const StartBody& body) {
    FlatBufferBuilder builder;
    const auto public_key = put_bytes(builder, body.public_key);
    const auto software = put_text(builder, body.software);
    return flat::finish(
        builder, wire::CreateStart(builder, public_key, IncarnationField(body.continues).get(),
                                   body.continues_sequence,
                                   HashField(body.continues_hash.digest).get(), software));
}
std::optional<EntryBody> read(const wire::Start& table) {
    flat::Fields fields;
    StartBody body;
    body.public_key = fields.required_bytes(table.public_key(), flat::kKeyBytesMax);
    body.continues = fields.incarnation(table.continues());
    body.continues_sequence = table.continues_sequence();
    body.continues_hash = {fields.digest(table.continues_hash())};
    body.software = fields.text(table.software());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const CommitBody& body) {
    FlatBufferBuilder builder;
    const auto repo = put_text(builder, body.repo);
    const auto branch = put_text(builder, body.branch);
    return flat::finish(
        builder, wire::CreateCommit(builder, repo, branch, HashField(body.version.digest).get()));
}
std::optional<EntryBody> read(const wire::Commit& table) {
    flat::Fields fields;
    CommitBody body;
    body.repo = fields.required_text(table.repo());
    body.branch = fields.required_text(table.branch());
    body.version = {fields.required_digest(table.version())};
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const DeviceBoundBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto public_key = put_bytes(builder, body.public_key);
    const auto group = put_text(builder, body.group);
    return flat::finish(
        builder, wire::CreateDeviceBound(builder, device, IncarnationField(body.incarnation).get(),
                                         public_key, group));
}
std::optional<EntryBody> read(const wire::DeviceBound& table) {
    flat::Fields fields;
    DeviceBoundBody body;
    body.device = fields.required_text(table.device());
    body.incarnation = fields.required_incarnation(table.incarnation());
    body.public_key = fields.required_bytes(table.public_key(), flat::kKeyBytesMax);
    body.group = fields.text(table.group());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const RefMovedBody& body) {
    FlatBufferBuilder builder;
    const auto repo = put_text(builder, body.repo);
    const auto ref = put_text(builder, body.ref);
    const auto reason = put_text(builder, body.reason);
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder,
                        wire::CreateRefMoved(builder, repo, ref, HashField(body.from.digest).get(),
                                             HashField(body.to.digest).get(), reason, actor));
}
std::optional<EntryBody> read(const wire::RefMoved& table) {
    flat::Fields fields;
    RefMovedBody body;
    body.repo = fields.required_text(table.repo());
    body.ref = fields.required_text(table.ref());
    body.from = {fields.digest(table.from())};
    body.to = {fields.digest(table.to())};
    body.reason = fields.text(table.reason());
    body.actor = fields.text(table.actor());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const ApprovedBody& body) {
    FlatBufferBuilder builder;
    const auto repo = put_text(builder, body.repo);
    return flat::finish(builder,
                        wire::CreateApproved(builder, repo, HashField(body.version.digest).get(),
                                             HashField(body.document).get()));
}
std::optional<EntryBody> read(const wire::Approved& table) {
    flat::Fields fields;
    ApprovedBody body;
    body.repo = fields.required_text(table.repo());
    body.version = {fields.required_digest(table.version())};
    body.document = fields.required_digest(table.document());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const AssignedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto model = put_text(builder, body.model);
    const auto repo = put_text(builder, body.repo);
    return flat::finish(builder, wire::CreateAssigned(builder, device, body.number, model, repo,
                                                      HashField(body.version.digest).get(),
                                                      HashField(body.document).get()));
}
std::optional<EntryBody> read(const wire::Assigned& table) {
    flat::Fields fields;
    AssignedBody body;
    body.device = fields.required_text(table.device());
    body.number = table.number();
    body.model = fields.required_text(table.model());
    body.repo = fields.required_text(table.repo());
    body.version = {fields.required_digest(table.version())};
    body.document = fields.required_digest(table.document());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const InstallBody& body) {
    FlatBufferBuilder builder;
    const auto model = put_text(builder, body.model);
    const auto state = put_text(builder, body.state);
    const auto detail = put_text(builder, body.detail);
    return flat::finish(
        builder,
        wire::CreateInstall(builder, body.number, model, HashField(body.version.digest).get(),
                            state, HashField(body.running.digest).get(),
                            HashField(body.running_content).get(), detail));
}
std::optional<EntryBody> read(const wire::Install& table) {
    flat::Fields fields;
    InstallBody body;
    body.number = table.number();
    body.model = fields.required_text(table.model());
    body.version = {fields.required_digest(table.version())};
    body.state = fields.required_text(table.state());
    body.running = {fields.digest(table.running())};
    body.running_content = fields.digest(table.running_content());
    body.detail = fields.text(table.detail());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const RetiredBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder, wire::CreateRetired(builder, device, body.retired, actor));
}
std::optional<EntryBody> read(const wire::Retired& table) {
    flat::Fields fields;
    RetiredBody body;
    body.device = fields.required_text(table.device());
    body.retired = table.retired();
    body.actor = fields.text(table.actor());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const ThinnedBody& body) {
    FlatBufferBuilder builder;
    return flat::finish(builder,
                        wire::CreateThinned(builder, HashField(body.version.digest).get()));
}
std::optional<EntryBody> read(const wire::Thinned& table) {
    flat::Fields fields;
    const ThinnedBody body{{fields.required_digest(table.version())}};
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

// ---- keys and enrolment ----

Bytes encode(const KeyChangedBody& body) {
    FlatBufferBuilder builder;
    const auto public_key = put_bytes(builder, body.public_key);
    const auto by_old = put_bytes(builder, body.by_old);
    const auto by_new = put_bytes(builder, body.by_new);
    return flat::finish(builder, wire::CreateKeyChanged(builder, HashField(body.old_key).get(),
                                                        public_key, by_old, by_new));
}
std::optional<EntryBody> read(const wire::KeyChanged& table) {
    flat::Fields fields;
    KeyChangedBody body;
    body.old_key = fields.required_digest(table.old_key());
    body.public_key = fields.required_bytes(table.public_key(), flat::kKeyBytesMax);
    body.by_old = fields.required_bytes(table.by_old(), flat::kKeyBytesMax);
    body.by_new = fields.required_bytes(table.by_new(), flat::kKeyBytesMax);
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const TokenIssuedBody& body) {
    FlatBufferBuilder builder;
    const auto group = put_text(builder, body.group);
    const auto device = put_text(builder, body.device);
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder, wire::CreateTokenIssued(builder, HashField(body.token).get(),
                                                         group, device, body.expires.ms, actor));
}
std::optional<EntryBody> read(const wire::TokenIssued& table) {
    flat::Fields fields;
    TokenIssuedBody body;
    body.token = fields.required_digest(table.token());
    body.group = fields.text(table.group());
    body.device = fields.text(table.device());
    body.expires = {table.expires_ms()};
    body.actor = fields.text(table.actor());
    fields.require(body.expires.ms != 0);
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const TokenUsedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    return flat::finish(builder,
                        wire::CreateTokenUsed(builder, HashField(body.token).get(), device));
}
std::optional<EntryBody> read(const wire::TokenUsed& table) {
    flat::Fields fields;
    TokenUsedBody body;
    body.token = fields.required_digest(table.token());
    body.device = fields.required_text(table.device());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const TokenRevokedBody& body) {
    FlatBufferBuilder builder;
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder,
                        wire::CreateTokenRevoked(builder, HashField(body.token).get(), actor));
}
std::optional<EntryBody> read(const wire::TokenRevoked& table) {
    flat::Fields fields;
    TokenRevokedBody body;
    body.token = fields.required_digest(table.token());
    body.actor = fields.text(table.actor());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const CertifiedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto certificate = put_bytes(builder, body.certificate);
    const auto why = put_text(builder, body.why);
    return flat::finish(builder, wire::CreateCertified(builder, device, HashField(body.key).get(),
                                                       certificate, body.not_after.ms, why));
}
std::optional<EntryBody> read(const wire::Certified& table) {
    flat::Fields fields;
    CertifiedBody body;
    body.device = fields.required_text(table.device());
    body.key = fields.required_digest(table.key());
    body.certificate = fields.required_bytes(table.certificate(), limits::kCertificateBytesMax);
    body.not_after = {table.not_after_ms()};
    body.why = fields.required_text(table.why());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const RevokedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto actor = put_text(builder, body.actor);
    const auto reason = put_text(builder, body.reason);
    return flat::finish(
        builder, wire::CreateRevoked(builder, device, HashField(body.key).get(), actor, reason));
}
std::optional<EntryBody> read(const wire::Revoked& table) {
    flat::Fields fields;
    RevokedBody body;
    body.device = fields.required_text(table.device());
    body.key = fields.digest(table.key());
    body.actor = fields.text(table.actor());
    body.reason = fields.text(table.reason());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const AdmittedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto group = put_text(builder, body.group);
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder, wire::CreateAdmitted(builder, HashField(body.key).get(), device,
                                                      group, body.accepted, actor));
}
std::optional<EntryBody> read(const wire::Admitted& table) {
    flat::Fields fields;
    AdmittedBody body;
    body.key = fields.required_digest(table.key());
    body.device = fields.text(table.device());
    body.group = fields.text(table.group());
    body.accepted = table.accepted();
    body.actor = fields.text(table.actor());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const QuarantinedBody& body) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, body.device);
    const auto reason = put_text(builder, body.reason);
    const auto actor = put_text(builder, body.actor);
    return flat::finish(builder,
                        wire::CreateQuarantined(builder, device, body.quarantined, reason, actor));
}
std::optional<EntryBody> read(const wire::Quarantined& table) {
    flat::Fields fields;
    QuarantinedBody body;
    body.device = fields.required_text(table.device());
    body.quarantined = table.quarantined();
    body.reason = fields.text(table.reason());
    body.actor = fields.text(table.actor());
    return fields.ok() ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const SecurityEventBody& body) {
    FlatBufferBuilder builder;
    const auto event = put_text(builder, body.event);
    const auto device = put_text(builder, body.device);
    const auto detail = put_text(builder, body.detail);
    const auto address = put_text(builder, body.address);
    return flat::finish(
        builder, wire::CreateSecurityEvent(builder, event, device, body.count, detail, address));
}
std::optional<EntryBody> read(const wire::SecurityEvent& table) {
    flat::Fields fields;
    SecurityEventBody body;
    body.event = fields.required_text(table.event());
    body.device = fields.text(table.device());
    body.count = table.count();
    body.detail = fields.text(table.detail());
    body.address = fields.text(table.address());
    const bool sound = fields.ok() && body.count != 0;
    return sound ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const RootFollowedBody& body) {
    FlatBufferBuilder builder;
    return flat::finish(
        builder, wire::CreateRootFollowed(builder, body.version, HashField(body.root).get()));
}
std::optional<EntryBody> read(const wire::RootFollowed& table) {
    flat::Fields fields;
    RootFollowedBody body;
    body.version = table.version();
    body.root = fields.required_digest(table.root());
    const bool sound = fields.ok() && body.version != 0;
    return sound ? std::optional<EntryBody>(body) : std::nullopt;
}

Bytes encode(const UnknownBody&) {
    TRIBUTARY_CHECK(false && "an entry of an unknown kind is carried as its bytes");
    return {};
}

template <class Table>
std::optional<EntryBody> verify_and_read(ByteView body) {
    const flat::Root<Table> root(body, limits::kEntryBodyBytesMax);
    return root.get() != nullptr ? read(*root.get()) : std::nullopt;
}

std::optional<EntryBody> read_kind(EntryKind kind, ByteView body) {
    switch (kind) {
        case EntryKind::start: return verify_and_read<wire::Start>(body);
        case EntryKind::commit: return verify_and_read<wire::Commit>(body);
        case EntryKind::device_bound: return verify_and_read<wire::DeviceBound>(body);
        case EntryKind::ref_moved: return verify_and_read<wire::RefMoved>(body);
        case EntryKind::approved: return verify_and_read<wire::Approved>(body);
        case EntryKind::assigned: return verify_and_read<wire::Assigned>(body);
        case EntryKind::install: return verify_and_read<wire::Install>(body);
        case EntryKind::retired: return verify_and_read<wire::Retired>(body);
        case EntryKind::thinned: return verify_and_read<wire::Thinned>(body);
        case EntryKind::key_changed: return verify_and_read<wire::KeyChanged>(body);
        case EntryKind::token_issued: return verify_and_read<wire::TokenIssued>(body);
        case EntryKind::token_used: return verify_and_read<wire::TokenUsed>(body);
        case EntryKind::token_revoked: return verify_and_read<wire::TokenRevoked>(body);
        case EntryKind::certified: return verify_and_read<wire::Certified>(body);
        case EntryKind::revoked: return verify_and_read<wire::Revoked>(body);
        case EntryKind::admitted: return verify_and_read<wire::Admitted>(body);
        case EntryKind::quarantined: return verify_and_read<wire::Quarantined>(body);
        case EntryKind::security_event: return verify_and_read<wire::SecurityEvent>(body);
        case EntryKind::root_followed: return verify_and_read<wire::RootFollowed>(body);
    }
    return UnknownBody{kind};
}

struct KindOf {
    EntryKind operator()(const StartBody&) const { return EntryKind::start; }
    EntryKind operator()(const CommitBody&) const { return EntryKind::commit; }
    EntryKind operator()(const DeviceBoundBody&) const { return EntryKind::device_bound; }
    EntryKind operator()(const RefMovedBody&) const { return EntryKind::ref_moved; }
    EntryKind operator()(const ApprovedBody&) const { return EntryKind::approved; }
    EntryKind operator()(const AssignedBody&) const { return EntryKind::assigned; }
    EntryKind operator()(const InstallBody&) const { return EntryKind::install; }
    EntryKind operator()(const RetiredBody&) const { return EntryKind::retired; }
    EntryKind operator()(const ThinnedBody&) const { return EntryKind::thinned; }
    EntryKind operator()(const KeyChangedBody&) const { return EntryKind::key_changed; }
    EntryKind operator()(const TokenIssuedBody&) const { return EntryKind::token_issued; }
    EntryKind operator()(const TokenUsedBody&) const { return EntryKind::token_used; }
    EntryKind operator()(const TokenRevokedBody&) const { return EntryKind::token_revoked; }
    EntryKind operator()(const CertifiedBody&) const { return EntryKind::certified; }
    EntryKind operator()(const RevokedBody&) const { return EntryKind::revoked; }
    EntryKind operator()(const AdmittedBody&) const { return EntryKind::admitted; }
    EntryKind operator()(const QuarantinedBody&) const { return EntryKind::quarantined; }
    EntryKind operator()(const SecurityEventBody&) const { return EntryKind::security_event; }
    EntryKind operator()(const RootFollowedBody&) const { return EntryKind::root_followed; }
    EntryKind operator()(const UnknownBody& body) const { return body.kind; }
};

}  // namespace

EntryKind kind_of(const EntryBody& body) { return std::visit(KindOf{}, body); }

Bytes encode_body(const EntryBody& body) {
    Bytes bytes = std::visit([](const auto& known) { return encode(known); }, body);
    // A body that a reader would refuse must not get into a journal: it could never be taken back.
    TRIBUTARY_CHECK(parse_body(kind_of(body), bytes));
    return bytes;
}

Result<EntryBody> parse_body(EntryKind kind, ByteView body) {
    std::optional<EntryBody> read = read_kind(kind, body);
    if (!read)
        return fail(Errc::corrupt, "the body of an entry of kind " +
                                       std::to_string(static_cast<unsigned>(kind)) +
                                       " does not have the form of its kind");
    return *std::move(read);
}

}  // namespace tributary
