#include "common/codec/codec.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "common/codec/classes.h"
#include "common/codec/frame.h"
#include "common/codec/numeric.h"
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

Status damaged(const char* what) {
    return fail(Errc::corrupt, std::string(what) + "; fetch the piece again");
}

}  // namespace

std::optional<ElementType> element_type(std::uint8_t number) {
    if (number > static_cast<std::uint8_t>(ElementType::boolean)) return std::nullopt;
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
    }
    return 1;
}

std::optional<Level> parse_level(std::string_view name) {
    if (name == "fast") return Level::fast;
    if (name == "default") return Level::standard;
    if (name == "max") return Level::max;
    return std::nullopt;
}

bool supported(Level level) { return level == Level::fast || level == Level::standard; }

bool needs_base(std::uint8_t encoding) {
    return encoding == static_cast<std::uint8_t>(Encoding::zstd_prefix) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_planes) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_classes);
}

struct Coder::State {
    FrameWriter writer;
    FrameReader reader;
    ClassCoder classes;
    Bytes planes;
    // Two candidates: the best so far and the one that is tried.
    std::array<Bytes, 2> candidates;
    std::size_t best = 0;

    Piece piece;
    Level level = Level::fast;
    Encoded result;

    // Where the next candidate goes: one byte less than the best so far, so that what fits is
    // smaller.
    ByteSpan room() {
        Bytes& bytes = candidates[1 - best];
        const std::size_t size = result.payload.size() - 1;
        if (bytes.size() < size) bytes.resize(size);
        return ByteSpan(bytes).first(size);
    }
    void offer(Encoding encoding, std::size_t size) {
        if (size == 0) return;
        best = 1 - best;
        result = {encoding, ByteView(candidates[best]).first(size),
                  needs_base(static_cast<std::uint8_t>(encoding))};
    }

    void try_frame(Effort effort, ByteView base) {
        offer(base.empty() ? Encoding::zstd : Encoding::zstd_prefix,
              writer.write(effort, piece.plain, base, room()));
    }
    void try_planes(ByteView base) {
        offer(base.empty() ? Encoding::planes : Encoding::delta_planes,
              write_planes(piece, base, level, writer, planes, room()));
    }

    // Classes are smaller, but see no repeats: sparse steps, or low bits that are all alike.
    // `planes_cost` is what planes would cost, as estimated. The level fast has no time for
    // classes.
    void try_delta(ByteView base, std::uint64_t planes_cost) {
        if (level == Level::fast) return try_planes(base);
        offer(Encoding::delta_classes, classes.write(piece, base, room()));
        const bool sparse = result.payload.size() < piece.plain.size() / 8;
        if (sparse || planes_cost >> 19 < result.payload.size()) try_planes(base);
    }

    void encode_bytes(ByteView base);
    void encode_typed(ByteView base);
};

// The base nearly always pays when there is one; only the thorough level asks what it costs
// without. Numbers gain nothing from a thorough search, but may still repeat the base's.
void Coder::State::encode_bytes(ByteView base) {
    const std::optional<Guess> guess = guess_elements(piece.plain, base);
    const bool thorough = level != Level::fast && !guess;
    const Effort effort = thorough ? Effort::thorough : Effort::quick;
    if (!base.empty()) try_frame(effort, base);
    if (base.empty() || thorough) try_frame(effort, {});
    if (!guess) return;
    piece.type = guess->type;
    piece.phase = guess->phase;
    if (guess->delta)
        try_delta(base, estimate_planes(piece, base));
    else
        try_planes({});
}

// Adam's first moment, or weights that were made anew, cost more against their base than without: a
// sample says which of the two to code, or, when they are close, both.
void Coder::State::encode_typed(ByteView base) {
    const std::uint64_t alone = base.empty() ? 0 : estimate_planes(piece, {});
    const std::uint64_t delta = base.empty() ? ~std::uint64_t{0} : estimate_planes(piece, base);
    const bool close = level != Level::fast && !base.empty() &&
                       std::max(alone, delta) - std::min(alone, delta) < alone / 32;
    if (delta <= alone || close) try_delta(base, delta);
    if (delta > alone || close) try_planes({});

    // Repeated rows, or values of another type than their name says, may still suit zstd.
    if (level != Level::fast && result.payload.size() > piece.plain.size() / 8 * 7)
        try_frame(Effort::quick, {});
}

Coder::Coder() : state_(std::make_unique<State>()) {}
Coder::~Coder() = default;

Encoded Coder::encode(const Piece& piece, ByteView base, Level level) {
    TRIBUTARY_CHECK(!piece.plain.empty() && piece.plain.size() <= limits::kPieceBytesMax);
    TRIBUTARY_CHECK(piece.phase < element_bytes(piece.type));
    TRIBUTARY_CHECK(supported(level));
    if (const std::size_t unit = repeated_unit(piece.plain); unit != 0)
        return {Encoding::constant, piece.plain.first(unit), false};
    State& s = *state_;
    s.piece = piece;
    s.level = level;
    s.result = {Encoding::raw, piece.plain, false};
    if (piece.type == ElementType::bytes)
        s.encode_bytes(base);
    else
        s.encode_typed(base);
    return s.result;
}

Status Coder::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out) {
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
            if (!state_->reader.read(payload, needs_base(encoding) ? base : ByteView{}, out))
                return damaged("a zstd frame does not decode");
            return {};
        case Encoding::planes:
        case Encoding::delta_planes:
            return read_planes(payload, needs_base(encoding), base, state_->reader, state_->planes,
                               out);
        case Encoding::delta_classes: return state_->classes.read(payload, base, out);
    }
    return fail(Errc::unsupported, "a piece has encoding " + std::to_string(encoding) +
                                       ", which this program does not know; upgrade it");
}

}  // namespace tributary::codec
