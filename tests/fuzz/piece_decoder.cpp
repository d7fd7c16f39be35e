// Any payload under any encoding decodes or answers an error; what is coded decodes to itself.
//
// Input: encoding, element type, phase, u16 base length, u16 plain length (little-endian), the
// base's bytes, then the payload, which is also taken as a piece to code.
#include <algorithm>

#include "common/codec/codec.h"
#include "tests/fuzz/fuzz.h"

using namespace tributary;
using namespace tributary::codec;

namespace {

void must_come_back(Coder& coder, const Piece& piece, ByteView base, Level level) {
    const Encoded encoded = coder.encode(piece, base, level);
    TRIBUTARY_CHECK(encoded.payload.size() <= piece.plain.size());
    const Bytes payload(encoded.payload.begin(), encoded.payload.end());
    Bytes out(piece.plain.size());
    TRIBUTARY_CHECK(coder.decode(static_cast<std::uint8_t>(encoded.encoding), payload,
                                 encoded.uses_base ? base : ByteView{}, out));
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
    const Bytes payload_copy(payload.begin(), payload.end());
    Bytes out(plain_bytes);
    const Status decoded = coder.decode(encoding, payload_copy, base_copy, out);
    TRIBUTARY_CHECK(decoded || decoded.error().code == Errc::corrupt ||
                    decoded.error().code == Errc::unsupported);

    if (payload.empty() || payload.size() > limits::kPieceBytesMax || !type) return 0;
    const auto fitting = static_cast<std::uint8_t>(phase % element_bytes(*type));
    for (const Level level : {Level::fast, Level::standard, Level::max})
        must_come_back(coder, {payload_copy, *type, fitting}, base_copy, level);
    return 0;
}
