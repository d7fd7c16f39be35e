#include "common/store/decoding.h"

#include <algorithm>
#include <utility>

#include "common/record/recipe.h"

namespace tributary {

std::string text_of(const RecordKey& key) {
    return std::string(name_of(key.kind)) + " " + key.name.text();
}

bool is_named(const RecordKey& key, ByteView plain) {
    if (key.kind == RecordKind::recipe) return parse_recipe(plain).has_value();
    return name_of_plain(key.kind, plain) == key.name;
}

tl::unexpected<Error> named_otherwise(const RecordKey& key) {
    return fail(Errc::corrupt, text_of(key) + " decodes to other bytes than it names");
}

Status check_bases(const RecordHeader& header) {
    const bool is_trend = header.encoding == static_cast<std::uint8_t>(codec::Encoding::trend);
    if (header.base_count > (is_trend ? 2 : 1))
        return fail(Errc::unsupported,
                    text_of(header.key()) + " has several bases: upgrade to read it");
    if (header.base_count == 2 && header.base[0] == header.base[1])
        return fail(Errc::corrupt, text_of(header.key()) + " names the same base twice");
    return {};
}

BasePlains views_of(std::span<const Bytes> plains) {
    BasePlains views;
    std::copy(plains.begin(), plains.end(), views.begin());
    return views;
}

Result<Bytes> decode_frame(const RecordKey& key, ByteView frame, const BasePlains& bases,
                           codec::Coder& coder) {
    TRIBUTARY_ASSIGN(const RecordHeader header, parse_record_header(frame));
    TRIBUTARY_TRY(check_bases(header));
    const ByteView payload = frame.subspan(header.header_bytes(), header.stored_length);
    if (header.encoding == static_cast<std::uint8_t>(codec::Encoding::raw) &&
        header.stored_length == header.plain_length)
        return Bytes(payload.begin(), payload.end());
    Bytes out(header.plain_length);
    if (auto decoded = coder.decode(header.encoding, payload, bases[0], out, bases[1]); !decoded)
        return with_context("decode " + text_of(key), std::move(decoded).error());
    return out;
}

}  // namespace tributary
