// What the payloads of typed elements have in common: type and phase in front, and at the end the
// bytes before the first whole element and those behind the last. Classes and mixed classes have a
// stream of coded bits and raw bits in between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/class_model.h"
#include "common/codec/codec.h"
#include "common/codec/planes.h"

namespace tributary::codec {

// What coders of elements write to before it is a payload. One writes at a time, so all share one.
struct CodingBuffers {
    std::vector<ClassModel::Slot> slots;  // of each element, in order
    Bytes stream;
    Bytes raw_bits;
};

// Codes elements as steps from the base's or, floats, without a base.
class ElementCoder {
public:
    virtual ~ElementCoder() = default;
    // Bytes written to `out`, or 0 when the payload does not fit there. `piece` has a type other
    // than bytes; without `base` it is of floats, or 0 is answered.
    virtual std::size_t write(const Piece& piece, ByteView base, ByteSpan out) = 0;
    // `base` is empty if it was to write().
    virtual Status read(ByteView payload, ByteView base, ByteSpan out) = 0;
};

struct TypeAndPhase {
    ElementType type;
    std::uint8_t phase;
};
std::uint8_t type_and_phase(const Piece& piece);
// Nullopt for a type that has no elements, or a phase that is not less than its width.
std::optional<TypeAndPhase> take_type_and_phase(ByteReader& in);

// What stands around the elements; `out` has room for it.
void put_ends(const Elements& e, ByteView plain, ByteSpan out);
// False when they are not there.
bool take_ends(ByteReader& in, const Elements& e, ByteSpan plain);

struct CodedElements {
    ByteView stream;
    ByteView raw;
};
// Bytes written to `out`, or 0 when it is too small.
std::size_t put_coded(ByteView prelude, const CodedElements& coded, const Elements& e,
                      ByteView plain, ByteSpan out);
// What follows the prelude, to the end of `in`. Nullopt when it does not fit the elements.
std::optional<CodedElements> take_coded(ByteReader& in, const Elements& e, ByteSpan plain);

}  // namespace tributary::codec
