#include "common/codec/codec.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <vector>

#include "common/codec/blocks.h"
#include "common/codec/classes.h"
#include "common/codec/columns.h"
#include "common/codec/element_coder.h"
#include "common/codec/frame.h"
#include "common/codec/mixed.h"
#include "common/codec/nibbles.h"
#include "common/codec/parts.h"
#include "common/codec/repeats.h"
#include "common/codec/runs.h"
#include "common/codec/trend.h"
#include "common/codec/typed.h"

namespace tributary::codec {
namespace {

// The unit that repeats over the whole of `plain`, or 0.
std::size_t repeated_unit(ByteView plain) {
    for (std::size_t unit = 1; unit <= 8; unit *= 2) {
        if (unit >= plain.size()) return 0;
        if (std::memcmp(plain.data(), plain.data() + unit, plain.size() - unit) == 0) return unit;
    }
    return 0;
}

bool is_integer(ElementType type) {
    return type == ElementType::i8 || type == ElementType::u8 || type == ElementType::i16 ||
           type == ElementType::i32 || type == ElementType::i64;
}

// What stands around field `index`, for numbers of four bits. The fields before it must be there.
NibbleBlocks blocks_of(std::span<const Field> fields, std::size_t index, const Blocks& to,
                       const Blocks& from) {
    const auto scales = nibble_scales(fields, index);
    return scales ? NibbleBlocks{*scales, to.body, from.body} : NibbleBlocks{};
}

Status damaged(const char* what) {
    return fail(Errc::corrupt, std::string(what) + "; fetch the piece again");
}

}  // namespace

std::optional<ElementType> element_type(std::uint8_t number) {
    if (number > static_cast<std::uint8_t>(ElementType::q8_k)) return std::nullopt;
    return static_cast<ElementType>(number);
}

std::size_t element_bytes(ElementType type) {
    switch (type) {
        case ElementType::bytes:
        case ElementType::i8:
        case ElementType::u8:
        case ElementType::boolean: return 1;
        case ElementType::f16:
        case ElementType::bf16:
        case ElementType::i16: return 2;
        case ElementType::f32:
        case ElementType::i32: return 4;
        case ElementType::i64:
        case ElementType::f64: return 8;
        default: break;
    }
    std::size_t bytes = 0;
    for (const Field& field : fields_of(type)) bytes += field.bytes;
    return bytes;
}

std::optional<Level> parse_level(std::string_view name) {
    if (name == "fast") return Level::fast;
    if (name == "default") return Level::standard;
    if (name == "max") return Level::max;
    return std::nullopt;
}

bool needs_base(std::uint8_t encoding) {
    return encoding == static_cast<std::uint8_t>(Encoding::zstd_prefix) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_planes) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_classes) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_mixed) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_nibbles) ||
           encoding == static_cast<std::uint8_t>(Encoding::trend);
}

std::uint64_t guess_bytes(const Piece& piece, ByteView base) {
    constexpr std::size_t kSampled = 512;
    const bool numbers = piece.type != ElementType::bytes && fields_of(piece.type).empty();
    const Piece typed = numbers ? piece : Piece{piece.plain, ElementType::u8};
    return (base.empty() ? estimate_planes(typed, base)
                         : estimate_classes(typed, base, kSampled)) >>
           19;
}

// The best coding of a piece, or of a part of one, so far.
struct Choice {
    Piece piece;
    Encoded result;
    // Two candidates: the best so far and the one that is tried.
    std::array<Bytes, 2> candidates;
    std::size_t best = 0;

    void start(const Piece& of) {
        piece = of;
        result = {Encoding::raw, of.plain, false};
    }
    // Where the next candidate goes: one byte less than the best so far, so that what fits is
    // smaller.
    ByteSpan room() {
        Bytes& bytes = candidates[1 - best];
        const std::size_t size = result.payload.size() - 1;
        if (bytes.size() < size) bytes.resize(size);
        return ByteSpan(bytes).first(size);
    }
    void offer(Encoding encoding, std::size_t size) {
        offer(encoding, size, needs_base(static_cast<std::uint8_t>(encoding)));
    }
    void offer(Encoding encoding, std::size_t size, bool uses_base) {
        if (size == 0) return;
        best = 1 - best;
        result = {encoding, ByteView(candidates[best]).first(size), uses_base};
    }
};

struct Coder::State {
    FrameWriter writer;
    FrameReader reader;
    std::unique_ptr<ElementCoder> classes = make_class_coder();
    std::unique_ptr<ElementCoder> mixed = make_mixed_coder();
    ColumnCoder columns;
    NibbleCoder nibbles;
    Bytes planes;
    Choice whole;
    Choice part;
    std::vector<Run> runs;
    Bytes column;
    Bytes base_column;
    Bytes expected;  // where two bases lead
    Bytes trend;     // payload
    Level level = Level::fast;

    void try_frame(Choice& c, Effort effort, ByteView base) {
        c.offer(base.empty() ? Encoding::zstd : Encoding::zstd_prefix,
                writer.write(effort, c.piece.plain, base, c.room()));
    }
    void try_columns(Choice& c, Effort effort, ByteView base) {
        c.offer(Encoding::columns, columns.write(c.piece.plain, base, effort, writer, c.room()),
                !base.empty());
    }
    void try_planes(Choice& c, ByteView base) {
        c.offer(base.empty() ? Encoding::planes : Encoding::delta_planes,
                write_planes(c.piece, base, level, writer, planes, c.room()));
    }

    // Classes are smaller, but see no repeats: sparse steps, or low bits that are all alike.
    // `planes_cost` is what planes would cost, as estimated. The level fast has no time for
    // classes.
    void try_typed(Choice& c, ByteView base, std::uint64_t planes_cost) {
        if (level == Level::fast) return try_planes(c, base);
        c.offer(base.empty() ? Encoding::classes : Encoding::delta_classes,
                classes->write(c.piece, base, c.room()));
        if (level == Level::max && (&c == &whole || c.piece.plain.size() >= kMixedPartBytesMin))
            c.offer(base.empty() ? Encoding::mixed : Encoding::delta_mixed,
                    mixed->write(c.piece, base, c.room()));
        const bool sparse = c.result.payload.size() < c.piece.plain.size() / 8;
        if (sparse || planes_cost >> 19 < c.result.payload.size()) try_planes(c, base);
    }

    void encode_bytes(Choice& c, ByteView base);
    void encode_numbers(Choice& c, ByteView base);
    void encode_run(Choice& c, const Run& run, ByteView base);
    void encode_runs(ByteView base);
    bool encode_nibbles(Choice& c, ByteView base, const NibbleBlocks& blocks,
                        std::uint64_t others_cost);
    void encode_typed(Choice& c, ByteView base, const NibbleBlocks& blocks = {});
    void encode_fields(std::span<const Field> fields, ByteView base);
    Encoded encode(const Piece& piece, ByteView base);
    std::optional<Encoded> encode_trend(const Piece& piece, unsigned share, ByteView base,
                                        ByteView before);
    Status decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out);
    ByteView expect(const Piece& like, unsigned share, ByteView base, ByteView before);
    Status decode_trend(ByteView payload, ByteView base, ByteView before, ByteSpan out);
    Status decode_part(const PartReader::Part& coded, ByteView base, ByteSpan out,
                       const NibbleBlocks& blocks = {});
    Status decode_runs(ByteView payload, ByteView base, ByteSpan out);
    Status decode_fields(ByteView payload, ByteView base, ByteSpan out);
};

// The base nearly always pays when there is one; only the thorough level asks what it costs
// without.
void Coder::State::encode_bytes(Choice& c, ByteView base) {
    find_runs(c.piece.plain, base, runs);
    const bool numeric = runs.size() > 1 || runs[0].type != ElementType::bytes;
    if (numeric) return encode_numbers(c, base);
    const bool thorough = level != Level::fast;
    const Effort effort = !thorough             ? Effort::quick
                          : level == Level::max ? Effort::exhaustive
                                                : Effort::thorough;
    if (columns.suits(c.piece.plain)) {
        try_columns(c, effort, base);
        // Where a quick frame is not smaller, a thorough one hardly ever is.
        if (c.result.encoding == Encoding::columns) try_frame(c, Effort::quick, base);
        if (c.result.encoding == Encoding::columns) return;
    }
    if (!base.empty()) try_frame(c, effort, base);
    if (base.empty() || thorough) try_frame(c, effort, {});
}

// Numbers gain nothing from a search for repeats, unless much of them repeats the base's elsewhere.
void Coder::State::encode_numbers(Choice& c, ByteView base) {
    if (runs.size() > 1)
        encode_runs(base);
    else
        encode_run(c, runs[0], base);
    const std::size_t news = c.piece.plain.size() - repeated_bytes(c.piece.plain, base);
    if (base.empty() || news / 8 * 7 < c.result.payload.size()) try_frame(c, Effort::quick, base);
}

void Coder::State::encode_run(Choice& c, const Run& run, ByteView base) {
    c.piece.type = run.type;
    c.piece.phase = run.phase;
    if (run.type == ElementType::bytes)
        try_frame(c, Effort::quick, base);
    else
        try_typed(c, run.delta ? base : ByteView{},
                  estimate_planes(c.piece, run.delta ? base : ByteView{}));
}

void Coder::State::encode_runs(ByteView base) {
    PartWriter parts(whole.room());
    std::size_t at = 0;
    for (const Run& run : runs) {
        part.start({whole.piece.plain.subspan(at, run.bytes)});
        encode_run(part, run, base.subspan(std::min(at, base.size())));
        parts.put_length(run.bytes);
        parts.put(part.result);
        at += run.bytes;
    }
    whole.offer(Encoding::runs, parts.size(), parts.used_base());
}

// Whether integers turned out to be numbers of four bits, packed, so that nothing else need be
// tried: where they are not, their upper and lower halves have little to do with the base's. Others
// are estimated to cost `others_cost`.
bool Coder::State::encode_nibbles(Choice& c, ByteView base, const NibbleBlocks& blocks,
                                  std::uint64_t others_cost) {
    const bool possible = level != Level::fast && !base.empty() && is_integer(c.piece.type);
    if (!possible) return false;
    std::uint64_t cost = estimate_nibbles(c.piece.plain, base, {});
    NibbleBlocks beside;
    if (blocks.scales != NibbleScales::none) {
        const std::uint64_t with_scales = estimate_nibbles(c.piece.plain, base, blocks);
        if (with_scales < cost) beside = blocks;
        cost = std::min(cost, with_scales);
    }
    if (cost >= others_cost) return false;
    c.offer(Encoding::delta_nibbles, nibbles.write(c.piece.plain, base, beside, c.room()));
    if (c.result.encoding != Encoding::delta_nibbles) return false;
    // Where hardly any number changed, repeats are what there is.
    if (c.result.payload.size() < c.piece.plain.size() / 16) try_planes(c, base);
    return cost < others_cost - others_cost / 8;
}

// Adam's first moment, or weights that were made anew, cost more against their base than without: a
// sample says which of the two to code, or, when they are close, both.
void Coder::State::encode_typed(Choice& c, ByteView base, const NibbleBlocks& blocks) {
    const std::uint64_t alone = base.empty() ? 0 : estimate_planes(c.piece, {});
    const std::uint64_t delta = base.empty() ? ~std::uint64_t{0} : estimate_planes(c.piece, base);
    if (encode_nibbles(c, base, blocks, std::min(alone, delta))) return;
    // Where rows are predicted, the lesser of two may turn out the better.
    const std::uint64_t near = level == Level::max ? alone / 12 : alone / 32;
    const bool close = level != Level::fast && !base.empty() &&
                       std::max(alone, delta) - std::min(alone, delta) < near;
    if (delta <= alone || close) try_typed(c, base, delta);
    if (delta > alone || close) try_typed(c, {}, alone);

    // Repeated rows, or values of another type than their name says, may still suit zstd.
    if (level != Level::fast && c.result.payload.size() > c.piece.plain.size() / 8 * 7)
        try_frame(c, Effort::quick, {});
}

void Coder::State::encode_fields(std::span<const Field> fields, ByteView base) {
    const Blocks to(fields, whole.piece.phase, whole.piece.plain);
    const Blocks from(fields, whole.piece.phase, base);
    if (to.count == 0) return;
    PartWriter parts(whole.room());
    parts.put_fields(fields, whole.piece.phase);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        part.start({to.gather(i, column), fields[i].type});
        if (const std::size_t unit = repeated_unit(part.piece.plain); unit != 0)
            part.result = {Encoding::constant, part.piece.plain.first(unit), false};
        else
            encode_typed(part, from.gather(i, base_column), blocks_of(fields, i, to, from));
        parts.put(part.result);
    }
    parts.put_rest(to.head);
    parts.put_rest(to.tail);
    whole.offer(Encoding::fields, parts.size(), parts.used_base());
}

Encoded Coder::State::encode(const Piece& piece, ByteView base) {
    whole.start(piece);
    if (const auto fields = fields_of(piece.type); !fields.empty())
        encode_fields(fields, base);
    else if (piece.type == ElementType::bytes)
        encode_bytes(whole, base);
    else
        encode_typed(whole, base);
    return whole.result;
}

ByteView Coder::State::expect(const Piece& like, unsigned share, ByteView base, ByteView before) {
    if (expected.size() < base.size()) expected.resize(base.size());
    const ByteSpan to = ByteSpan(expected).first(base.size());
    move_on(like.type, like.phase, share, base, before, to);
    return to;
}

// Type and phase, the share, and what the piece is coded to against what is expected.
std::optional<Encoded> Coder::State::encode_trend(const Piece& piece, unsigned share, ByteView base,
                                                  ByteView before) {
    const Encoded coded = encode(piece, expect(piece, share, base, before));
    if (!coded.uses_base) return coded;
    if (coded.payload.size() + kTrendPrelude >= piece.plain.size()) return std::nullopt;
    trend.assign({type_and_phase(piece), static_cast<std::uint8_t>(share),
                  static_cast<std::uint8_t>(coded.encoding)});
    trend.insert(trend.end(), coded.payload.begin(), coded.payload.end());
    return Encoded{Encoding::trend, trend, true};
}

Coder::Coder() : state_(std::make_unique<State>()) {}
Coder::~Coder() = default;

Encoded Coder::encode(const Piece& piece, ByteView base, Level level, ByteView before) {
    TRIBUTARY_CHECK(!piece.plain.empty() && piece.plain.size() <= limits::kPieceBytesMax);
    TRIBUTARY_CHECK(piece.phase < element_bytes(piece.type));
    if (const std::size_t unit = repeated_unit(piece.plain); unit != 0)
        return {Encoding::constant, piece.plain.first(unit), false};
    state_->level = level;
    const bool tries = !before.empty() && level != Level::fast;
    if (const unsigned share = tries ? choose_share(piece, base, before, level) : 0; share != 0)
        if (const auto coded = state_->encode_trend(piece, share, base, before)) return *coded;
    return state_->encode(piece, base);
}

Status Coder::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out,
                     ByteView before) {
    if (encoding == static_cast<std::uint8_t>(Encoding::trend))
        return state_->decode_trend(payload, base, before, out);
    return state_->decode(encoding, payload, base, out);
}

// What follows the prelude is no trend again: decode() knows none.
Status Coder::State::decode_trend(ByteView payload, ByteView base, ByteView before, ByteSpan out) {
    if (base.empty() || before.empty()) return damaged("one of a piece's two bases is empty");
    ByteReader in(payload);
    const auto of = take_type_and_phase(in);
    const unsigned share = in.take<std::uint8_t>();
    const auto encoding = in.take<std::uint8_t>();
    if (!of || !in.ok() || share == 0 || share > kShareMax)
        return damaged("the trend of a piece does not decode");
    const ByteView there = expect({{}, of->type, of->phase}, share, base, before);
    return decode(encoding, in.take(in.remaining()), there, out);
}

Status Coder::State::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out) {
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
            if (!reader.read(payload, needs_base(encoding) ? base : ByteView{}, out))
                return damaged("a zstd frame does not decode");
            return {};
        case Encoding::planes:
        case Encoding::delta_planes:
            return read_planes(payload, needs_base(encoding), base, reader, planes, out);
        case Encoding::delta_classes: return classes->read(payload, base, out);
        case Encoding::classes: return classes->read(payload, {}, out);
        case Encoding::delta_mixed: return mixed->read(payload, base, out);
        case Encoding::mixed: return mixed->read(payload, {}, out);
        case Encoding::delta_nibbles: return nibbles.read(payload, base, {}, out);
        case Encoding::columns: return columns.read(payload, base, reader, out);
        case Encoding::runs: return decode_runs(payload, base, out);
        case Encoding::fields: return decode_fields(payload, base, out);
        case Encoding::trend: return damaged("a trend stands within another coding");
    }
    return fail(Errc::unsupported, "a piece has encoding " + std::to_string(encoding) +
                                       ", which this program does not know; upgrade it");
}

// Parts have no parts, so decoding goes no deeper.
Status Coder::State::decode_part(const PartReader::Part& coded, ByteView base, ByteSpan out,
                                 const NibbleBlocks& blocks) {
    const auto encoding = static_cast<Encoding>(coded.encoding);
    if (encoding == Encoding::columns || encoding == Encoding::runs || encoding == Encoding::fields)
        return damaged("a piece's part has an encoding for whole pieces");
    const bool is_mixed = encoding == Encoding::mixed || encoding == Encoding::delta_mixed;
    if (is_mixed && out.size() < kMixedPartBytesMin)
        return damaged("a piece's part is too short for its encoding");
    if (encoding == Encoding::delta_nibbles && !base.empty())
        return nibbles.read(coded.payload, base, blocks, out);
    return decode(coded.encoding, coded.payload, base, out);
}

Status Coder::State::decode_runs(ByteView payload, ByteView base, ByteSpan out) {
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

Status Coder::State::decode_fields(ByteView payload, ByteView base, ByteSpan out) {
    PartReader parts(payload);
    const PartReader::Shape shape = parts.fields();
    if (!parts.ok() || shape.fields().empty())
        return damaged("the fields of a piece do not decode");
    const Blocks to(shape.fields(), shape.phase, out);
    const Blocks from(shape.fields(), shape.phase, base);
    for (std::size_t i = 0; i < shape.count; ++i) {
        const PartReader::Part coded = parts.part();
        const ByteSpan plain = to.room(i, column);
        if (!parts.ok()) return damaged("the fields of a piece do not decode");
        TRIBUTARY_TRY(decode_part(coded, from.gather(i, base_column), plain,
                                  blocks_of(shape.fields(), i, to, from)));
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
