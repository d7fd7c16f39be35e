#include "common/record/document.h"

#include "common/hash/hash.h"
#include "common/record/flat.h"
#include "common/record/tree.h"
#include "document_generated.h"

namespace tributary {
namespace {

namespace wire = flat::document;
using flat::Fields;
using flat::HashField;
using flat::IncarnationField;
using flat::put_bytes;
using flat::put_text;
using flatbuffers::FlatBufferBuilder;
using HashVector = flatbuffers::Vector<const flat::Hash*>;

constexpr std::size_t kDocumentBytesMax = limits::kPieceBytesMax;
constexpr std::size_t kTreePathMax = 64;  // a hash tree of 2^64 leaves
// Of documents that one signature covers: 65,536 at most.
constexpr std::size_t kBatchPathMax = 16;
constexpr std::size_t kFilePathBytesMax = 4096;
constexpr std::uint32_t kKnownRules = 0;  // none yet: see document.fbs

tl::unexpected<Error> corrupt(std::string_view what) {
    return fail(Errc::corrupt, std::string(what) + " does not have the form of one");
}

// What is written must be readable, and the writer's caller should hear it.
template <class Value>
Result<Bytes> checked(Bytes bytes, Result<Value> (*parse)(ByteView)) {
    if (const Result<Value> again = parse(bytes); !again)
        return fail(Errc::invalid,
                    again.error().what + ": a text is too long, or something required is missing");
    return bytes;
}

auto put_hashes(FlatBufferBuilder& builder, const std::vector<Digest>& digests) {
    std::vector<flat::Hash> rows;
    rows.reserve(digests.size());
    for (const Digest& digest : digests) rows.push_back(flat::hash_of(digest));
    return rows.empty() ? flatbuffers::Offset<HashVector>() : builder.CreateVectorOfStructs(rows);
}
std::vector<Digest> read_hashes(Fields& fields, const HashVector* rows) {
    std::vector<Digest> digests;
    if (rows == nullptr) return digests;
    digests.reserve(rows->size());
    for (const flat::Hash* row : *rows) digests.push_back(fields.required_digest(row));
    return digests;
}

// An empty list is left out.
template <class Row>
flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<Row>>> put_rows(
    FlatBufferBuilder& builder, const std::vector<flatbuffers::Offset<Row>>& rows) {
    if (rows.empty()) return 0;
    return builder.CreateVector(rows);
}

bool valid_file_path(std::string_view path) {
    if (path.size() > kFilePathBytesMax) return false;
    for (std::size_t from = 0;;) {
        const std::size_t slash = path.find('/', from);
        if (!valid_tree_name(path.substr(from, slash - from))) return false;
        if (slash == path.npos) return true;
        from = slash + 1;
    }
}

}  // namespace

// ---- seal ----

Result<Bytes> encode_seal(const Seal& seal) {
    FlatBufferBuilder builder;
    const auto purpose = put_text(builder, seal.purpose);
    const auto path = put_hashes(builder, seal.path);
    const auto signature = put_bytes(builder, seal.signature);
    return checked(
        flat::finish(builder, wire::CreateSeal(builder, IncarnationField(seal.incarnation).get(),
                                               seal.sequence, HashField(seal.head.digest).get(),
                                               HashField(seal.key).get(), purpose, seal.leaf_index,
                                               seal.leaf_count, path, signature)),
        parse_seal);
}

Result<Seal> parse_seal(ByteView bytes) {
    const flat::Root<wire::Seal> root(bytes, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("a seal");
    const wire::Seal& table = *root.get();
    Fields fields;
    Seal seal;
    seal.incarnation = fields.required_incarnation(table.incarnation());
    seal.sequence = table.sequence();
    seal.head = {fields.required_digest(table.head())};
    seal.key = fields.required_digest(table.key());
    seal.purpose = fields.required_text(table.purpose());
    seal.leaf_index = table.leaf_index();
    seal.leaf_count = table.leaf_count();
    seal.path = read_hashes(fields, table.path());
    seal.signature = fields.required_bytes(table.signature(), flat::kKeyBytesMax);
    fields.require(seal.sequence > 0 && seal.leaf_index < seal.leaf_count);
    fields.require(seal.path.size() <= kTreePathMax);
    if (!fields.ok()) return corrupt("a seal");
    return seal;
}

Digest signed_digest(const Seal& seal) {
    return hash_tree_root_from_path(seal.head.digest, seal.leaf_index, seal.leaf_count, seal.path);
}

// ---- signed document ----

Result<Bytes> encode_signed_document(const SignedDocument& document) {
    FlatBufferBuilder builder;
    const auto purpose = put_text(builder, document.purpose);
    const auto payload = put_bytes(builder, document.payload);
    const auto signature = put_bytes(builder, document.signature);
    const auto path = put_hashes(builder, document.path);
    return checked(
        flat::finish(builder, wire::CreateSignedDocument(
                                  builder, purpose, payload, HashField(document.key).get(),
                                  signature, document.leaf_index, document.leaf_count, path)),
        parse_signed_document);
}

Result<SignedDocument> parse_signed_document(ByteView bytes) {
    const flat::Root<wire::SignedDocument> root(bytes, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("a signed document");
    const wire::SignedDocument& table = *root.get();
    Fields fields;
    SignedDocument document;
    document.purpose = fields.required_text(table.purpose());
    document.payload = fields.required_bytes(table.payload(), kDocumentBytesMax);
    document.key = fields.required_digest(table.key());
    document.signature = fields.required_bytes(table.signature(), flat::kKeyBytesMax);
    document.leaf_index = table.leaf_index();
    document.leaf_count = table.leaf_count();
    document.path = read_hashes(fields, table.path());
    fields.require(document.leaf_index < document.leaf_count);
    fields.require(document.path.size() <= kBatchPathMax);
    fields.require(document.leaf_count <= std::uint64_t{1} << kBatchPathMax);
    if (!fields.ok()) return corrupt("a signed document");
    return document;
}

Digest signed_digest(const SignedDocument& document) {
    const Digest alone = sha256_of(document.purpose, document.payload);
    if (document.leaf_count == 1 && document.path.empty()) return alone;
    return hash_tree_root_from_path(alone, document.leaf_index, document.leaf_count, document.path);
}

// ---- multi-signed document ----

Result<Bytes> encode_multi_signed_document(MultiSignedDocument document) {
    std::ranges::sort(document.signatures, {}, &MultiSignedDocument::Signature::key);
    FlatBufferBuilder builder;
    const auto purpose = put_text(builder, document.purpose);
    const auto payload = put_bytes(builder, document.payload);
    std::vector<flatbuffers::Offset<wire::Signature>> rows;
    for (const MultiSignedDocument::Signature& by : document.signatures) {
        const auto signature = put_bytes(builder, by.signature);
        rows.push_back(wire::CreateSignature(builder, HashField(by.key).get(), signature));
    }
    const auto signatures = put_rows(builder, rows);
    return checked(flat::finish(builder, wire::CreateMultiSignedDocument(builder, purpose, payload,
                                                                         signatures)),
                   parse_multi_signed_document);
}

Result<MultiSignedDocument> parse_multi_signed_document(ByteView bytes) {
    const flat::Root<wire::MultiSignedDocument> root(bytes, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("a document of several signatures");
    const wire::MultiSignedDocument& table = *root.get();
    Fields fields;
    MultiSignedDocument document;
    document.purpose = fields.required_text(table.purpose());
    document.payload = fields.required_bytes(table.payload(), kDocumentBytesMax);
    if (table.signatures() != nullptr) {
        fields.require(table.signatures()->size() <= limits::kSignaturesMax);
        for (const wire::Signature* row : *table.signatures()) {
            if (!fields.ok()) break;
            const Digest key = fields.required_digest(row->key());
            if (!document.signatures.empty() && document.signatures.back().key == key)
                return fail(Errc::corrupt, "one key signed this document twice");
            fields.require(document.signatures.empty() || document.signatures.back().key < key);
            document.signatures.push_back(
                {key, fields.required_bytes(row->signature(), flat::kKeyBytesMax)});
        }
    }
    if (!fields.ok()) return corrupt("a document of several signatures");
    return document;
}

Digest signed_digest(const MultiSignedDocument& document) {
    return sha256_of(document.purpose, document.payload);
}

// ---- receipt ----

Result<Bytes> encode_receipt(const Receipt& receipt) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, receipt.device);
    std::vector<Digest> whole_ids;
    for (const VersionId& id : receipt.whole) whole_ids.push_back(id.digest);
    const auto whole = put_hashes(builder, whole_ids);
    std::vector<flatbuffers::Offset<wire::Refused>> rows;
    for (const Receipt::Refused& refused : receipt.refused) {
        const auto reason = put_text(builder, refused.reason);
        rows.push_back(wire::CreateRefused(builder, HashField(refused.id).get(), reason));
    }
    const auto refused = put_rows(builder, rows);
    return checked(
        flat::finish(
            builder,
            wire::CreateReceipt(builder, device, IncarnationField(receipt.incarnation).get(),
                                receipt.sequence, HashField(receipt.head.digest).get(), whole,
                                refused, IncarnationField(receipt.hub).get(), receipt.hub_sequence,
                                HashField(receipt.hub_head.digest).get(), receipt.epoch)),
        parse_receipt);
}

Result<Receipt> parse_receipt(ByteView payload) {
    const flat::Root<wire::Receipt> root(payload, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("a receipt");
    const wire::Receipt& table = *root.get();
    Fields fields;
    Receipt receipt;
    receipt.device = fields.required_text(table.device());
    receipt.incarnation = fields.required_incarnation(table.incarnation());
    receipt.sequence = table.sequence();
    receipt.head = {fields.digest(table.head())};
    for (const Digest& id : read_hashes(fields, table.whole())) receipt.whole.push_back({id});
    if (table.refused() != nullptr)
        for (const wire::Refused* row : *table.refused())
            receipt.refused.push_back(
                {fields.required_digest(row->id()), fields.required_text(row->reason())});
    receipt.hub = fields.required_incarnation(table.hub());
    receipt.hub_sequence = table.hub_sequence();
    receipt.hub_head = {fields.digest(table.hub_head())};
    receipt.epoch = table.epoch();
    fields.require((receipt.sequence == 0) == receipt.head.is_none());
    fields.require((receipt.hub_sequence == 0) == receipt.hub_head.is_none());
    if (!fields.ok()) return corrupt("a receipt");
    return receipt;
}

// ---- approval, assignment ----

namespace {

tl::unexpected<Error> unknown_rules(std::string_view what) {
    return fail(Errc::unsupported,
                std::string(what) + " carries rules that this program does not know; upgrade it");
}

}  // namespace

Result<Bytes> encode_approval(const Approval& approval) {
    FlatBufferBuilder builder;
    const auto repo = put_text(builder, approval.repo);
    const auto approver = put_text(builder, approval.approver);
    return checked(
        flat::finish(builder,
                     wire::CreateApproval(
                         builder, kKnownRules, repo, HashField(approval.version.digest).get(),
                         HashField(approval.content.digest).get(), approver, approval.time.wall_ms,
                         approval.time.logical, static_cast<std::uint8_t>(approval.time.quality))),
        parse_approval);
}

Result<Approval> parse_approval(ByteView payload) {
    const flat::Root<wire::Approval> root(payload, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("an approval");
    const wire::Approval& table = *root.get();
    if ((table.rules() & ~kKnownRules) != 0) return unknown_rules("an approval");
    Fields fields;
    Approval approval;
    approval.repo = fields.required_text(table.repo());
    approval.version = {fields.required_digest(table.version())};
    approval.content = {fields.required_digest(table.content())};
    approval.approver = fields.required_text(table.approver());
    fields.require(table.clock() <= static_cast<std::uint8_t>(ClockQuality::synced));
    if (!fields.ok()) return corrupt("an approval");
    approval.time = {table.wall_ms(), table.logical(), static_cast<ClockQuality>(table.clock())};
    return approval;
}

Result<Bytes> encode_assignment(const Assignment& assignment) {
    FlatBufferBuilder builder;
    const auto device = put_text(builder, assignment.device);
    const auto model = put_text(builder, assignment.model);
    const auto repo = put_text(builder, assignment.repo);
    const auto path = put_text(builder, assignment.path);
    return checked(
        flat::finish(builder, wire::CreateAssignment(
                                  builder, kKnownRules, assignment.number, device, model, repo,
                                  HashField(assignment.version.digest).get(),
                                  HashField(assignment.content.digest).get(), path,
                                  HashField(assignment.approval).get(), assignment.expires.ms)),
        parse_assignment);
}

Result<Assignment> parse_assignment(ByteView payload) {
    const flat::Root<wire::Assignment> root(payload, kDocumentBytesMax);
    if (root.get() == nullptr) return corrupt("an assignment");
    const wire::Assignment& table = *root.get();
    if ((table.rules() & ~kKnownRules) != 0) return unknown_rules("an assignment");
    Fields fields;
    Assignment assignment;
    assignment.number = table.number();
    assignment.device = fields.required_text(table.device());
    assignment.model = fields.required_text(table.model());
    assignment.repo = fields.required_text(table.repo());
    assignment.version = {fields.required_digest(table.version())};
    assignment.content = {fields.required_digest(table.content())};
    assignment.path = fields.text(table.path(), kFilePathBytesMax);
    assignment.approval = fields.required_digest(table.approval());
    assignment.expires = {table.expires_ms()};
    fields.require(assignment.number > 0);
    fields.require(assignment.path.empty() || valid_file_path(assignment.path));
    if (!fields.ok()) return corrupt("an assignment");
    return assignment;
}

// ---- root ----

namespace {

flatbuffers::Offset<flatbuffers::Vector<flatbuffers::Offset<wire::Der>>> put_ders(
    FlatBufferBuilder& builder, const std::vector<Bytes>& items) {
    std::vector<flatbuffers::Offset<wire::Der>> rows;
    for (const Bytes& item : items)
        rows.push_back(wire::CreateDer(builder, put_bytes(builder, item)));
    return put_rows(builder, rows);
}

template <class Rows, class Read>
void read_rows(Fields& fields, const Rows* rows, Read&& read) {
    if (rows == nullptr) return;
    fields.require(rows->size() <= Root::kListMax);
    for (const auto* row : *rows)
        if (fields.ok()) read(*row);
}

}  // namespace

Result<Bytes> encode_root(const Root& root) {
    FlatBufferBuilder builder;
    const auto keys = put_ders(builder, root.keys);
    std::vector<flatbuffers::Offset<wire::NamedKey>> rows;
    for (const Root::NamedKey& approver : root.approvers) {
        const auto name = put_text(builder, approver.name);
        rows.push_back(wire::CreateNamedKey(builder, name, put_bytes(builder, approver.key)));
    }
    const auto approvers = put_rows(builder, rows);
    const auto hub_keys = put_ders(builder, root.hub_keys);
    const auto authorities = put_ders(builder, root.authorities);
    return checked(
        flat::finish(builder, wire::CreateRoot(builder, kKnownRules, root.version, root.issued.ms,
                                               root.expires.ms, keys, root.threshold, approvers,
                                               root.approver_threshold, hub_keys, authorities)),
        parse_root);
}

Result<Root> parse_root(ByteView payload) {
    const flat::Root<wire::Root> verified(payload, limits::kRootBytesMax);
    if (verified.get() == nullptr) return corrupt("a root document");
    const wire::Root& table = *verified.get();
    if ((table.rules() & ~kKnownRules) != 0) return unknown_rules("a root document");
    Fields fields;
    Root root;
    root.version = table.version();
    root.issued = {table.issued_ms()};
    root.expires = {table.expires_ms()};
    root.threshold = table.threshold();
    root.approver_threshold = table.approver_threshold();
    read_rows(fields, table.keys(), [&](const wire::Der& row) {
        root.keys.push_back(fields.required_bytes(row.bytes(), flat::kKeyBytesMax));
    });
    read_rows(fields, table.approvers(), [&](const wire::NamedKey& row) {
        root.approvers.push_back({fields.required_text(row.name()),
                                  fields.required_bytes(row.key(), flat::kKeyBytesMax)});
    });
    read_rows(fields, table.hub_keys(), [&](const wire::Der& row) {
        root.hub_keys.push_back(fields.required_bytes(row.bytes(), flat::kKeyBytesMax));
    });
    read_rows(fields, table.authorities(), [&](const wire::Der& row) {
        root.authorities.push_back(
            fields.required_bytes(row.bytes(), limits::kCertificateBytesMax));
    });
    fields.require(root.version > 0 && !root.keys.empty() && !root.hub_keys.empty() &&
                   !root.authorities.empty());
    if (!fields.ok()) return corrupt("a root document");
    return root;
}

}  // namespace tributary
