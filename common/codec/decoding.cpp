#include "common/codec/decoding.h"

#include <algorithm>
#include <string>

#include "common/codec/typed.h"

namespace tributary::codec {
namespace {

Status damaged(const char* what) {
    return fail(Errc::corrupt, std::string(what) + "; fetch the piece again");
}

}  // namespace

Status Decoder::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteView before,
                       ByteSpan out) {
    if (encoding == static_cast<std::uint8_t>(Encoding::trend))
        return decode_trend(payload, base, before, out);
    if (encoding == static_cast<std::uint8_t>(Encoding::rescaled))
        return decode_rescaled(payload, base, out);
    if (encoding == static_cast<std::uint8_t>(Encoding::delta_sparse) && !base.empty())
        return read_planes(payload, Encoding::delta_sparse, base, codings_.reader, codings_.planes,
                           out);
    return decode(encoding, payload, base, out);
}

// What follows the prelude is no trend again, nor rescaled: decode() knows neither.
Status Decoder::decode_trend(ByteView payload, ByteView base, ByteView before, ByteSpan out) {
    if (base.empty() || before.empty()) return damaged("one of a piece's two bases is empty");
    ByteReader in(payload);
    const auto of = take_type_and_phase(in);
    const unsigned share = in.take<std::uint8_t>();
    const auto encoding = in.take<std::uint8_t>();
    if (!of || !in.ok() || share == 0 || share > kShareMax)
        return damaged("the trend of a piece does not decode");
    const ByteView there = codings_.expect(of->type, of->phase, share, base, before);
    return decode(encoding, in.take(in.remaining()), there, out);
}

// As parts that stand for themselves.
bool Decoder::read_moves(const PartReader::Part& coded, ByteSpan moves) {
    const auto encoding = static_cast<Encoding>(coded.encoding);
    const bool alone =
        encoding == Encoding::raw || encoding == Encoding::constant || encoding == Encoding::zstd;
    return alone && decode(coded.encoding, coded.payload, {}, moves).has_value();
}

Status Decoder::decode_rescaled(ByteView payload, ByteView base, ByteSpan out) {
    if (base.empty()) return damaged("a piece's base is empty");
    PartReader parts(payload);
    ByteReader first(parts.rest(1));
    const auto of = take_type_and_phase(first);
    Rows rows;
    rows.length = static_cast<std::uint32_t>(parts.length());
    rows.column = static_cast<std::uint32_t>(parts.length());
    const bool long_enough = rows.length >= kRescaledRowMin || rows.length == out.size();
    const bool of_bytes = of && (of->type == ElementType::i8 || of->type == ElementType::u8);
    if (!of_bytes || !long_enough || rows.column >= rows.length)
        return damaged("the rows of a piece do not decode");
    const auto [gains, shifts] = codings_.room_for_moves(row_count(out.size(), rows));
    const PartReader::Part coded_gains = parts.part();
    const PartReader::Part coded_shifts = parts.part();
    ByteReader encoding(parts.rest(1));
    const ByteView rest = parts.all();
    if (!parts.ok() || !read_moves(coded_gains, gains) || !read_moves(coded_shifts, shifts))
        return damaged("how far the rows of a piece moved does not decode");
    const ByteView there = codings_.rescale(of->type, out.size(), rows, {gains, shifts}, base);
    return decode(encoding.take<std::uint8_t>(), rest, there, out);
}

Status Decoder::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out) {
    if (needs_base(encoding) && base.empty()) return damaged("a piece's base is empty");
    switch (static_cast<Encoding>(encoding)) {
        case Encoding::raw:
            if (payload.size() != out.size()) return damaged("a raw piece has another length");
            std::copy(payload.begin(), payload.end(), out.begin());
            return {};
        case Encoding::constant: {
            const std::size_t unit = payload.size();
            if (unit != 1 && unit != 2 && unit != 4 && unit != 8)
                return damaged("a constant piece has a unit of another length");
            for (std::size_t i = 0; i < out.size(); ++i) out[i] = payload[i & (unit - 1)];
            return {};
        }
        case Encoding::zstd:
        case Encoding::zstd_prefix:
            if (!codings_.reader.read(payload, needs_base(encoding) ? base : ByteView{}, out))
                return damaged("a zstd frame does not decode");
            return {};
        case Encoding::planes:
        case Encoding::delta_planes:
            return read_planes(payload, static_cast<Encoding>(encoding), base, codings_.reader,
                               codings_.planes, out);
        case Encoding::delta_classes: return codings_.classes->read(payload, base, out);
        case Encoding::classes: return codings_.classes->read(payload, {}, out);
        case Encoding::delta_mixed: return codings_.mixed->read(payload, base, out);
        case Encoding::mixed: return codings_.mixed->read(payload, {}, out);
        case Encoding::delta_nibbles: return codings_.nibbles.read(payload, base, {}, out);
        case Encoding::columns: return codings_.columns.read(payload, base, codings_.reader, out);
        case Encoding::runs: return decode_runs(payload, base, out);
        case Encoding::fields: return decode_fields(payload, base, out);
        case Encoding::trend:
        case Encoding::rescaled:
        case Encoding::delta_sparse:
            return damaged("a coding of whole pieces stands within another one");
    }
    return fail(Errc::unsupported, "a piece has encoding " + std::to_string(encoding) +
                                       ", which this program does not know; upgrade it");
}

// Parts have no parts, so decoding goes no deeper.
Status Decoder::decode_part(const PartReader::Part& coded, ByteView base, ByteSpan out,
                            const NibbleBlocks& blocks) {
    const auto encoding = static_cast<Encoding>(coded.encoding);
    if (encoding == Encoding::columns || encoding == Encoding::runs || encoding == Encoding::fields)
        return damaged("a piece's part has an encoding for whole pieces");
    const bool is_mixed = encoding == Encoding::mixed || encoding == Encoding::delta_mixed;
    if (is_mixed && out.size() < kMixedPartBytesMin)
        return damaged("a piece's part is too short for its encoding");
    if (encoding == Encoding::delta_nibbles && !base.empty())
        return codings_.nibbles.read(coded.payload, base, blocks, out);
    return decode(coded.encoding, coded.payload, base, out);
}

Status Decoder::decode_runs(ByteView payload, ByteView base, ByteSpan out) {
    PartReader parts(payload);
    for (std::size_t at = 0; at < out.size();) {
        const std::size_t bytes = parts.length();
        const PartReader::Part coded = parts.part();
        if (!parts.ok() || bytes == 0 || bytes > out.size() - at)
            return damaged("the runs of a piece do not fit it");
        TRIBUTARY_TRY(
            decode_part(coded, base.subspan(std::min(at, base.size())), out.subspan(at, bytes)));
        at += bytes;
    }
    if (!parts.done()) return damaged("a piece has more runs than bytes");
    return {};
}

Status Decoder::decode_fields(ByteView payload, ByteView base, ByteSpan out) {
    PartReader parts(payload);
    const PartReader::Shape shape = parts.fields();
    if (!parts.ok() || shape.fields().empty())
        return damaged("the fields of a piece do not decode");
    const Blocks to(shape.fields(), shape.phase, out);
    const Blocks from(shape.fields(), shape.phase, base);
    for (std::size_t i = 0; i < shape.count; ++i) {
        const PartReader::Part coded = parts.part();
        const ByteSpan plain = to.room(i, codings_.column);
        if (!parts.ok()) return damaged("the fields of a piece do not decode");
        TRIBUTARY_TRY(decode_part(coded, from.gather(i, codings_.base_column), plain,
                                  nibble_blocks(shape.fields(), i, to, from)));
        to.scatter(i, plain, out);
    }
    const ByteView head = parts.rest(to.head.size());
    const ByteView tail = parts.rest(to.tail.size());
    if (!parts.done()) return damaged("the fields of a piece do not decode");
    std::copy(head.begin(), head.end(), out.begin());
    std::copy(tail.begin(), tail.end(), out.end() - static_cast<std::ptrdiff_t>(tail.size()));
    return {};
}

}  // namespace tributary::codec
