// Coding of one piece, at most 1 MiB, against a base of any length, two of them, or none: pure
// bytes in, bytes out, lossless to the last bit.
//
// The encoder takes the cheapest of what the level may try; the decoder knows every encoding
// whatever the level was. Integers only, so every machine writes the same bytes. Never larger than
// plain. The byte formats are described in README.md beside this header; an encoding's number is
// never reused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>

#include "common/base/bytes.h"
#include "common/base/limits.h"
#include "common/base/result.h"

namespace tributary::codec {

enum class Encoding : std::uint8_t {
    raw = 0,            // payload = plain
    constant = 1,       // payload = one unit of 1, 2, 4 or 8 bytes, repeated over the plain length
    zstd = 2,           // one zstd frame without magic number, content size, checksum or dictionary
    zstd_prefix = 3,    // the same with the base as prefix dictionary
    planes = 4,         // typed, no base: byte planes, most significant first
    delta_planes = 5,   // typed: order-preserving integers minus the base's, then byte planes
    delta_classes = 6,  // the same differences as classes of their size, coded by rANS
    columns = 7,        // rows of text: steps of each number from the row above, column by column
    runs = 8,           // ranges one behind the other, each in an encoding for parts
    fields = 9,         // blocks of several fields, each field's column in an encoding for parts
    classes = 10,       // floats, no base: exponents as classes, coded by rANS
    delta_mixed = 11,   // delta_classes' differences, bit by bit, from what several contexts and
                        // the rows before expect
    mixed = 12,         // floats, no base: sign, exponent and mantissa in the same way
    delta_nibbles = 13,  // numbers of four bits, by what base and scales lead to expect
    trend = 14,          // any of the above, against where two bases lead: the one before, the base
    rescaled = 15,       // any but trend, against a base whose rows have moved as their scales did
    delta_sparse = 16,  // delta_planes of which one or more say where they are not 0, and what then
};

// What the bytes of a piece are. Values are stored in recipes and payloads. Unsigned integers are
// coded as the signed type of their width. From q4_0 on: blocks of quantised weights with their
// scales, as ggml lays them out.
enum class ElementType : std::uint8_t {
    bytes = 0,
    f32 = 1,
    f16 = 2,
    bf16 = 3,
    i8 = 4,
    u8 = 5,
    i16 = 6,
    i32 = 7,
    i64 = 8,
    f64 = 9,
    boolean = 10,
    q4_0 = 11,
    q4_1 = 12,
    q5_0 = 13,
    q5_1 = 14,
    q8_0 = 15,
    q8_1 = 16,
    q2_k = 17,
    q3_k = 18,
    q4_k = 19,
    q5_k = 20,
    q6_k = 21,
    q8_k = 22,
};
// Nullopt for a number that this program does not know.
std::optional<ElementType> element_type(std::uint8_t number);
std::size_t element_bytes(ElementType type);

enum class Level : std::uint8_t { fast, standard, max };
// "fast", "default", "max". nullopt for another word.
std::optional<Level> parse_level(std::string_view name);

// Elements of eight bits may lie in rows that each have a scale, in another tensor.
struct Rows {
    std::uint32_t length = 0;  // elements in each; 0: none, or none known
    std::uint32_t column = 0;  // of the piece's first element, less than `length`
    bool operator==(const Rows&) const = default;
};

struct Piece {
    ByteView plain;  // 1 .. kPieceBytesMax bytes
    ElementType type = ElementType::bytes;
    std::uint8_t phase = 0;  // bytes before the first whole element, less than element_bytes(type)
    Rows rows = {};          // without any, the encoding rescaled is not tried
};

struct Encoded {
    Encoding encoding = Encoding::raw;
    ByteView payload;  // valid until the next call on the same coder; raw: the plain bytes given
    bool uses_base = false;
};

// Holds the scratch buffers and zstd contexts, which grow to what pieces need and stay: for pieces
// of 256 KiB of every kind up to 11 MiB, when unknown bytes come as 1 MiB 20 MiB; level max adds 6.
// One thread at a time.
class Coder {
public:
    Coder();
    ~Coder();

    // `base` may be empty; it is used only when that is cheaper. `before` is what the base's place
    // held before it, or empty: used with the base, by the encoding trend alone, when that seems
    // cheaper still. CHECKs the piece's length and phase.
    Encoded encode(const Piece& piece, ByteView base, Level level, ByteView before = {});

    // Writes exactly out.size() bytes. corrupt when the payload does not decode to that length, or
    // lies about any other; unsupported for an encoding this program does not know. Never reads or
    // writes outside its arguments. A wrong base is found here only if it is missing or the frame
    // does not fit it: the caller compares the result with the piece's digest.
    Status decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out,
                  ByteView before = {});

private:
    struct State;
    std::unique_ptr<State> state_;
};

// About how many bytes the piece takes against `base`, or alone when that is empty, as guessed from
// some hundred elements: for choosing among bases at a fraction of what coding takes.
std::uint64_t guess_bytes(const Piece& piece, ByteView base);

// Whether decode() of this encoding needs its base in any case; trend needs the one before, too.
// Columns, runs and fields may need it.
bool needs_base(std::uint8_t encoding);

}  // namespace tributary::codec
