#include "common/record/record.h"

#include <algorithm>
#include <string>

#include "common/hash/hash.h"
#include "common/record/entry.h"

namespace tributary {
namespace {

constexpr std::uint32_t kMagic = 0x31425254;  // "TRB1", little-endian

struct KindRow {
    RecordKind kind;
    std::string_view name;
    std::string_view purpose;  // empty: not named by sha256_of(purpose, plain)
};
constexpr std::array kKinds{
    KindRow{RecordKind::piece, "piece", ""},
    KindRow{RecordKind::recipe, "recipe", ""},
    KindRow{RecordKind::tree, "tree", "tributary/1/tree"},
    KindRow{RecordKind::version, "version", "tributary/1/version"},
    KindRow{RecordKind::notes, "notes", "tributary/1/notes"},
    KindRow{RecordKind::entry, "entry", ""},
    KindRow{RecordKind::seal, "seal", "tributary/1/seal"},
    KindRow{RecordKind::receipt, "receipt", "tributary/1/receipt"},
    KindRow{RecordKind::document, "document", "tributary/1/document"},
    KindRow{RecordKind::conflict, "conflict", "tributary/1/conflict"},
    KindRow{RecordKind::eviction, "eviction", "tributary/1/eviction"},
};

const KindRow* row_of(RecordKind kind) {
    const auto row = std::ranges::find(kKinds, kind, &KindRow::kind);
    return row == kKinds.end() ? nullptr : &*row;
}

tl::unexpected<Error> corrupt(std::string what) {
    return fail(Errc::corrupt, "record: " + std::move(what));
}
tl::unexpected<Error> unsupported(std::string what) {
    return fail(Errc::unsupported, "record: " + std::move(what) +
                                       "; it was written by a newer program: upgrade this one");
}

// The rules that reader and writer share.
const char* broken_rule(const RecordHeader& header) {
    if (header.stored_length > limits::kRecordPayloadBytesMax) return "its payload is too long";
    if (header.plain_length > limits::kRecordPayloadBytesMax) return "its plain bytes are too many";
    if (header.kind == RecordKind::piece &&
        (header.plain_length == 0 || header.plain_length > limits::kPieceBytesMax))
        return "a piece has 1 byte to 1 MiB";
    if (header.name.is_none()) return "it has no name";
    for (const Digest& base : header.bases())
        if (base.is_none() || base == header.name) return "its base is not another record";
    return nullptr;
}

Digest take_raw_digest(ByteReader& in) {
    Digest digest;
    const ByteView raw = in.take(kDigestBytes);
    if (in.ok()) std::ranges::copy(raw, digest.bytes.begin());
    return digest;
}

}  // namespace

bool is_known(RecordKind kind) { return row_of(kind) != nullptr; }

std::string_view name_of(RecordKind kind) {
    const KindRow* row = row_of(kind);
    return row != nullptr ? row->name : "unknown";
}

Digest name_of_plain(RecordKind kind, ByteView plain) {
    if (kind == RecordKind::piece) return sha256(plain);
    if (kind == RecordKind::entry)
        return plain.size() < EntryHeader::kBytes
                   ? Digest{}
                   : sha256_of("tributary/1/entry", plain.first(EntryHeader::kBytes));
    const KindRow* row = row_of(kind);
    if (row == nullptr || row->purpose.empty()) return {};
    return sha256_of(row->purpose, plain);
}

void append_record(Bytes& out, const RecordHeader& header, ByteView payload) {
    TRIBUTARY_CHECK(is_known(header.kind));
    TRIBUTARY_CHECK(header.base_count <= limits::kBasesMax);
    TRIBUTARY_CHECK(header.key_id == 0);
    TRIBUTARY_CHECK(header.stored_length == payload.size());
    TRIBUTARY_CHECK(broken_rule(header) == nullptr);

    const std::size_t start = out.size();
    out.reserve(start + header.record_bytes());
    ByteWriter writer(out);
    writer.put(kMagic);
    writer.put(static_cast<std::uint8_t>(header.kind));
    writer.put(header.encoding);
    writer.put(std::uint8_t{0});  // flags
    writer.put(static_cast<std::uint8_t>(HashAlgorithm::sha256));
    writer.put(header.key_id);
    writer.put(header.stored_length);
    writer.put(header.plain_length);
    writer.put(header.base_count);
    writer.put(ByteView(std::array<std::uint8_t, 3>{}));
    writer.put(ByteView(header.name.bytes));
    for (const Digest& base : header.bases()) writer.put(ByteView(base.bytes));
    writer.put(crc32c(ByteView(out).subspan(start)));
    writer.put(payload);
    writer.put(crc32c(payload));
}

Result<RecordHeader> parse_record_header(ByteView in) {
    ByteReader reader(in);
    RecordHeader header;
    const auto magic = reader.take<std::uint32_t>();
    header.kind = static_cast<RecordKind>(reader.take<std::uint8_t>());
    header.encoding = reader.take<std::uint8_t>();
    const auto flags = reader.take<std::uint8_t>();
    const auto algorithm = static_cast<HashAlgorithm>(reader.take<std::uint8_t>());
    header.key_id = reader.take<std::uint32_t>();
    header.stored_length = reader.take<std::uint32_t>();
    header.plain_length = reader.take<std::uint32_t>();
    header.base_count = reader.take<std::uint8_t>();
    const ByteView reserved = reader.take(3);
    header.name = take_raw_digest(reader);
    if (!reader.ok()) return corrupt("it ends inside its header");
    if (magic != kMagic) return corrupt("it does not start with 'TRB1'");
    if (header.base_count > limits::kBasesMax) return corrupt("it names too many bases");
    for (Digest& base : std::span(header.base).first(header.base_count))
        base = take_raw_digest(reader);
    const std::size_t covered = reader.position();
    const auto crc = reader.take<std::uint32_t>();
    if (!reader.ok()) return corrupt("it ends inside its header");
    if (crc != crc32c(in.first(covered))) return corrupt("the checksum of its header is wrong");

    // From here on the header is what its writer wrote.
    if (!is_known(header.kind))
        return unsupported("kind " + std::to_string(static_cast<unsigned>(header.kind)) +
                           " is unknown");
    if (algorithm != HashAlgorithm::sha256) return unsupported("its hash algorithm is unknown");
    if (flags != 0 || header.key_id != 0 ||
        !std::ranges::all_of(reserved, [](std::uint8_t b) { return b == 0; }))
        return unsupported("it uses fields that are reserved");
    if (const char* broken = broken_rule(header)) return corrupt(broken);
    return header;
}

Result<RecordView> parse_record(ByteView in) {
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(in));
    if (in.size() < header.record_bytes()) return corrupt("it ends inside its payload");
    const ByteView payload = in.subspan(header.header_bytes(), header.stored_length);
    const auto crc = load_le<std::uint32_t>(payload.data() + payload.size());
    if (crc != crc32c(payload)) return corrupt("the checksum of its payload is wrong");
    return RecordView{header, payload};
}

}  // namespace tributary
