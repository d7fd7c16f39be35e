#include "common/codec/codec.h"

#include "common/codec/blocks.h"
#include "common/codec/choice.h"
#include "common/codec/classes.h"
#include "common/codec/codings.h"
#include "common/codec/decoding.h"
#include "common/codec/typed.h"

namespace tributary::codec {

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
           encoding == static_cast<std::uint8_t>(Encoding::trend) ||
           encoding == static_cast<std::uint8_t>(Encoding::rescaled) ||
           encoding == static_cast<std::uint8_t>(Encoding::delta_sparse);
}

std::uint64_t guess_bytes(const Piece& piece, ByteView base) {
    constexpr std::size_t kSampled = 512;
    const bool numbers = piece.type != ElementType::bytes && fields_of(piece.type).empty();
    const Piece typed = numbers ? piece : Piece{piece.plain, ElementType::u8};
    return (base.empty() ? estimate_planes(typed, base).bits
                         : estimate_classes(typed, base, kSampled)) >>
           19;
}

struct Coder::State {
    Codings codings;
    Chooser chooser{codings};
    Decoder decoder{codings};
};

Coder::Coder() : state_(std::make_unique<State>()) {}
Coder::~Coder() = default;

Encoded Coder::encode(const Piece& piece, ByteView base, Level level, ByteView before) {
    TRIBUTARY_CHECK(!piece.plain.empty() && piece.plain.size() <= limits::kPieceBytesMax);
    TRIBUTARY_CHECK(piece.phase < element_bytes(piece.type));
    return state_->chooser.choose(piece, base, level, before);
}

Status Coder::decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out,
                     ByteView before) {
    return state_->decoder.decode(encoding, payload, base, before, out);
}

}  // namespace tributary::codec
