#include "common/record/record.h"

#include <algorithm>

#include "common/hash/hash.h"
#include "common/record/entry.h"

namespace tributary {
namespace {

constexpr std::uint32_t kMagic = 0x31425254;  // "TRB1"

}  // namespace

bool is_known(RecordKind kind) { return kind >= RecordKind::piece && kind <= RecordKind::conflict; }

std::string_view name_of(RecordKind kind) {
    switch (kind) {
        case RecordKind::piece: return "piece";
        case RecordKind::recipe: return "recipe";
        case RecordKind::tree: return "tree";
        case RecordKind::version: return "version";
        case RecordKind::notes: return "notes";
        case RecordKind::entry: return "entry";
        case RecordKind::seal: return "seal";
        case RecordKind::receipt: return "receipt";
        case RecordKind::document: return "document";
        case RecordKind::conflict: return "conflict";
    }
    return "unknown";
}

Digest name_of_plain(RecordKind kind, ByteView plain) {
    switch (kind) {
        case RecordKind::piece: return sha256(plain);
        case RecordKind::recipe: return {};
        case RecordKind::entry:
            return plain.size() < EntryHeader::kBytes
                       ? Digest{}
                       : entry_hash(plain.first(EntryHeader::kBytes)).digest;
        default: return sha256_of("tributary/1/" + std::string(name_of(kind)), plain);
    }
}

void append_record(Bytes& out, const RecordHeader& header, ByteView payload) {
    TRIBUTARY_CHECK(header.stored_length == payload.size());
    TRIBUTARY_CHECK(payload.size() <= limits::kRecordPayloadBytesMax);
    TRIBUTARY_CHECK(header.plain_length <= limits::kRecordPayloadBytesMax);
    TRIBUTARY_CHECK(header.base_count <= limits::kBasesMax);

    const std::size_t start = out.size();
    out.reserve(start + header.record_bytes());
    ByteWriter writer(out);
    writer.put(kMagic);
    writer.put(static_cast<std::uint8_t>(header.kind));
    writer.put(header.encoding);
    writer.put(std::uint8_t{0});
    writer.put(static_cast<std::uint8_t>(HashAlgorithm::sha256));
    writer.put(header.key_id);
    writer.put(header.stored_length);
    writer.put(header.plain_length);
    writer.put(static_cast<std::uint32_t>(header.base_count));  // and three zero bytes
    writer.put(ByteView(header.name.bytes));
    for (const Digest& base : header.bases()) writer.put(ByteView(base.bytes));
    writer.put(crc32c(ByteView(out).subspan(start)));
    writer.put(payload);
    writer.put(crc32c(payload));
}

Result<RecordHeader> parse_record_header(ByteView in) {
    ByteReader reader(in);
    const auto magic = reader.take<std::uint32_t>();
    RecordHeader header;
    header.kind = static_cast<RecordKind>(reader.take<std::uint8_t>());
    header.encoding = reader.take<std::uint8_t>();
    const auto flags = reader.take<std::uint8_t>();
    const auto algorithm = reader.take<std::uint8_t>();
    header.key_id = reader.take<std::uint32_t>();
    header.stored_length = reader.take<std::uint32_t>();
    header.plain_length = reader.take<std::uint32_t>();
    const auto base_count = reader.take<std::uint32_t>();
    if (!reader.ok() || magic != kMagic) return fail(Errc::corrupt, "no record starts here");
    if (base_count > limits::kBasesMax) return fail(Errc::corrupt, "a record header is damaged");
    header.base_count = static_cast<std::uint8_t>(base_count);

    const auto take_digest = [&](Digest& digest) {
        const ByteView bytes = reader.take(kDigestBytes);
        if (reader.ok()) std::ranges::copy(bytes, digest.bytes.begin());
    };
    take_digest(header.name);
    for (std::size_t i = 0; i < base_count; ++i) take_digest(header.base[i]);
    const std::size_t checked = reader.position();
    const auto crc = reader.take<std::uint32_t>();
    if (!reader.ok() || crc != crc32c(in.first(checked)))
        return fail(Errc::corrupt, "a record header is damaged");

    // Sound from here on: what does not fit was written by a newer program, or by a liar.
    if (header.stored_length > limits::kRecordPayloadBytesMax ||
        header.plain_length > limits::kRecordPayloadBytesMax)
        return fail(Errc::corrupt, "a record claims more bytes than any record may have");
    if (!is_known(header.kind) || flags != 0 || header.key_id != 0 ||
        algorithm != static_cast<std::uint8_t>(HashAlgorithm::sha256))
        return fail(Errc::unsupported,
                    "a record was written by a newer version of this program; upgrade to read it");
    return header;
}

Result<RecordView> parse_record(ByteView in) {
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(in));
    if (in.size() < header.record_bytes()) return fail(Errc::corrupt, "a record is cut short");
    const ByteView payload = in.subspan(header.header_bytes(), header.stored_length);
    const auto crc = load_le<std::uint32_t>(payload.data() + payload.size());
    if (crc != crc32c(payload))
        return fail(Errc::corrupt, "the payload of " + std::string(name_of(header.kind)) + " " +
                                       header.name.text() + " is damaged");
    return RecordView{header, payload};
}

}  // namespace tributary
