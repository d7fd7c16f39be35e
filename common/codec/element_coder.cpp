#include "common/codec/element_coder.h"

#include <algorithm>

#include "common/codec/elements.h"

namespace tributary::codec {
namespace {

constexpr std::size_t kLengthBytes = 3;  // of the stream

}  // namespace

std::uint8_t type_and_phase(const Piece& piece) {
    return static_cast<std::uint8_t>(static_cast<unsigned>(piece.type) | unsigned{piece.phase}
                                                                             << 4);
}

std::optional<TypeAndPhase> take_type_and_phase(ByteReader& in) {
    const auto first = in.take<std::uint8_t>();
    const std::optional<ElementType> type = value_type(first & 15);
    const auto phase = static_cast<std::uint8_t>(first >> 4);
    if (!type || *type == ElementType::bytes || phase >= element_bytes(*type)) return std::nullopt;
    return TypeAndPhase{*type, phase};
}

void put_ends(const Elements& e, ByteView plain, ByteSpan out) {
    const ByteView tail = plain.last(e.tail);
    const auto behind = std::copy_n(plain.begin(), e.head, out.begin());
    std::copy(tail.begin(), tail.end(), behind);
}

bool take_ends(ByteReader& in, const Elements& e, ByteSpan plain) {
    const ByteView head = in.take(e.head);
    const ByteView tail = in.take(e.tail);
    if (!in.done()) return false;
    std::copy(head.begin(), head.end(), plain.begin());
    std::copy(tail.begin(), tail.end(), plain.end() - static_cast<std::ptrdiff_t>(e.tail));
    return true;
}

std::size_t put_coded(ByteView prelude, const CodedElements& coded, const Elements& e,
                      ByteView plain, ByteSpan out) {
    const std::size_t ends = e.head + e.tail;
    const std::size_t size =
        prelude.size() + kLengthBytes + coded.stream.size() + coded.raw.size() + ends;
    if (size > out.size()) return 0;
    auto at = std::copy(prelude.begin(), prelude.end(), out.begin());
    for (std::size_t i = 0; i < kLengthBytes; ++i)
        *at++ = static_cast<std::uint8_t>(coded.stream.size() >> (8 * i));
    at = std::copy(coded.stream.begin(), coded.stream.end(), at);
    std::copy(coded.raw.begin(), coded.raw.end(), at);
    put_ends(e, plain, out.subspan(size - ends));
    return size;
}

std::optional<CodedElements> take_coded(ByteReader& in, const Elements& e, ByteSpan plain) {
    std::size_t length = in.take<std::uint16_t>();
    length |= std::size_t{in.take<std::uint8_t>()} << 16;
    const ByteView stream = in.take(length);
    const std::size_t ends = e.head + e.tail;
    if (!in.ok() || in.remaining() < ends) return std::nullopt;
    const ByteView raw = in.take(in.remaining() - ends);
    if (!take_ends(in, e, plain)) return std::nullopt;
    return CodedElements{stream, raw};
}

}  // namespace tributary::codec
