// Any payload under any encoding decodes or answers an error; what is coded decodes to itself.
//
// Input: encoding, element type, phase, u16 base length, u16 plain length (little-endian), the
// base's bytes, then the payload, which is also taken as a piece to code, in rows as long as the
// phase says. Where two bases are used, these are the halves of the one.
#include <algorithm>

#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::codec;

namespace {

void must_come_back(Coder& coder, const Piece& piece, ByteView base, ByteView before, Level level) {
    const Encoded encoded = coder.encode(piece, base, level, before);
    TRIBUTARY_CHECK(encoded.payload.size() <= piece.plain.size());
    const Bytes payload(encoded.payload.begin(), encoded.payload.end());
    Bytes out(piece.plain.size());
    TRIBUTARY_CHECK(coder.decode(static_cast<std::uint8_t>(encoded.encoding), payload,
                                 encoded.uses_base ? base : ByteView{}, out,
                                 encoded.encoding == Encoding::trend ? before : ByteView{}));
    TRIBUTARY_CHECK(std::equal(out.begin(), out.end(), piece.plain.begin()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    static Coder coder;
    ByteReader in({data, size});
    const auto encoding = in.take<std::uint8_t>();
    const auto type = element_type(in.take<std::uint8_t>());
    const auto phase = in.take<std::uint8_t>();
    const std::size_t base_bytes = in.take<std::uint16_t>();
    const std::size_t plain_bytes = in.take<std::uint16_t>();
    const ByteView base = in.take(std::min(base_bytes, in.remaining()));
    const ByteView payload = in.take(in.remaining());
    if (!in.ok()) return 0;

    // Buffers of their own, so that the sanitizer sees a byte too far.
    const Bytes base_copy(base.begin(), base.end());
    const Bytes half_copy(base.begin(),
                          base.begin() + static_cast<std::ptrdiff_t>(base.size() / 2));
    const Bytes other_copy(base.begin() + static_cast<std::ptrdiff_t>(base.size() / 2), base.end());
    const Bytes payload_copy(payload.begin(), payload.end());
    Bytes out(plain_bytes);
    const bool on_two = encoding == static_cast<std::uint8_t>(Encoding::trend);
    const Status decoded = on_two ? coder.decode(encoding, payload_copy, half_copy, out, other_copy)
                                  : coder.decode(encoding, payload_copy, base_copy, out);
    TRIBUTARY_CHECK(decoded || decoded.error().code == Errc::corrupt ||
                    decoded.error().code == Errc::unsupported);

    if (payload.empty() || payload.size() > limits::kPieceBytesMax || !type) return 0;
    const auto fitting = static_cast<std::uint8_t>(phase % element_bytes(*type));
    const Piece piece{payload_copy, *type, fitting, {phase, 0}};
    for (const Level level : {Level::fast, Level::standard, Level::max})
        must_come_back(coder, piece, base_copy, {}, level);
    for (const Level level : {Level::standard, Level::max})
        must_come_back(coder, piece, half_copy, other_copy, level);
    return 0;
}
