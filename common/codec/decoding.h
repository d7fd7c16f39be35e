// The way back: a payload under any encoding, to exactly as many bytes as there is room for.
#pragma once

#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/codec/codings.h"
#include "common/codec/parts.h"

namespace tributary::codec {

class Decoder {
public:
    explicit Decoder(Codings& codings) : codings_(codings) {}

    // As Coder::decode().
    Status decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteView before,
                  ByteSpan out);

private:
    Status decode(std::uint8_t encoding, ByteView payload, ByteView base, ByteSpan out);
    Status decode_trend(ByteView payload, ByteView base, ByteView before, ByteSpan out);
    Status decode_rescaled(ByteView payload, ByteView base, ByteSpan out);
    bool read_moves(const PartReader::Part& coded, ByteSpan moves);
    Status decode_runs(ByteView payload, ByteView base, ByteSpan out);
    Status decode_fields(ByteView payload, ByteView base, ByteSpan out);
    Status decode_part(const PartReader::Part& coded, ByteView base, ByteSpan out,
                       const NibbleBlocks& blocks = {});

    Codings& codings_;
};

}  // namespace tributary::codec
