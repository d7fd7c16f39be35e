// The codings, with their buffers: what choosing one (choice.h) and decoding (decoding.h) share.
#pragma once

#include <memory>

#include "common/base/bytes.h"
#include "common/codec/classes.h"
#include "common/codec/columns.h"
#include "common/codec/element_coder.h"
#include "common/codec/frame.h"
#include "common/codec/mixed.h"
#include "common/codec/nibbles.h"
#include "common/codec/trend.h"

namespace tributary::codec {

struct Codings {
    FrameWriter writer;
    FrameReader reader;
    CodingBuffers buffers;
    std::unique_ptr<ElementCoder> classes = make_class_coder(buffers);
    std::unique_ptr<ElementCoder> mixed = make_mixed_coder(buffers);
    ColumnCoder columns;
    NibbleCoder nibbles{buffers};
    Bytes planes;
    Bytes column;  // of a field
    Bytes base_column;

    // Where two bases lead elements of this type and phase. Until the next call.
    ByteView expect(ElementType type, std::uint8_t phase, unsigned share, ByteView base,
                    ByteView before) {
        if (expected_.size() < base.size()) expected_.resize(base.size());
        const ByteSpan to = ByteSpan(expected_).first(base.size());
        move_on(type, phase, share, base, before, to);
        return to;
    }

private:
    Bytes expected_;
};

}  // namespace tributary::codec
