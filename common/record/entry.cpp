// The header's one byte form; the bodies are in entry_body.cpp.
#include "common/record/entry.h"

#include <algorithm>

#include "common/base/limits.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

constexpr std::uint8_t kForm = 1;

}  // namespace

Bytes encode_entry_header(const EntryHeader& header) {
    TRIBUTARY_CHECK(header.sequence > 0);
    TRIBUTARY_CHECK((header.sequence == 1) == header.previous.is_none());
    TRIBUTARY_CHECK(!header.incarnation.is_none() && !header.body.is_none());
    Bytes bytes;
    bytes.reserve(EntryHeader::kBytes);
    ByteWriter writer(bytes);
    writer.put(kForm);
    writer.put(ByteView(header.incarnation.bytes));
    writer.put(header.sequence);
    header.previous.digest.put(writer);
    header.time.put(writer);
    writer.put(header.fence);
    writer.put(static_cast<std::uint16_t>(header.kind));
    header.body.put(writer);
    return bytes;
}

EntryHash entry_hash(ByteView header_bytes) {
    return {sha256_of("tributary/1/entry", header_bytes)};
}

Digest body_digest(ByteView body) { return sha256_of("tributary/1/body", body); }

Result<EntryView> parse_entry(ByteView plain) {
    const auto corrupt = [](std::string_view what) {
        return fail(Errc::corrupt, "entry: " + std::string(what));
    };
    if (plain.size() < EntryHeader::kBytes) return corrupt("it ends inside its header");
    if (plain.size() > EntryHeader::kBytes + limits::kEntryBodyBytesMax)
        return corrupt("its body is too long");
    const ByteView header_bytes = plain.first(EntryHeader::kBytes);
    ByteReader reader(header_bytes);
    if (reader.take<std::uint8_t>() != kForm) return corrupt("its form is unknown");
    EntryView entry;
    std::ranges::copy(reader.take(entry.header.incarnation.bytes.size()),
                      entry.header.incarnation.bytes.begin());
    entry.header.sequence = reader.take<std::uint64_t>();
    const std::optional<Digest> previous = Digest::take(reader);
    const std::optional<HybridTime> time = HybridTime::take(reader);
    entry.header.fence = reader.take<std::uint64_t>();
    entry.header.kind = static_cast<EntryKind>(reader.take<std::uint16_t>());
    const std::optional<Digest> body = Digest::take(reader);
    if (!reader.done() || !previous || !time || !body || entry.header.incarnation.is_none())
        return corrupt("its header is not in canonical form");
    if (entry.header.sequence == 0 || (entry.header.sequence == 1) != previous->is_none())
        return corrupt("its number and the entry before it do not fit");
    entry.header.previous = {*previous};
    entry.header.time = *time;
    entry.header.body = *body;
    entry.body = plain.subspan(EntryHeader::kBytes);
    if (body_digest(entry.body) != entry.header.body) return corrupt("this is not its body");
    entry.hash = entry_hash(header_bytes);
    return entry;
}

}  // namespace tributary
