// The codings, with their buffers: what choosing one (choice.h) and decoding (decoding.h) share.
#pragma once

#include <array>
#include <memory>

#include "common/base/bytes.h"
#include "common/codec/classes.h"
#include "common/codec/columns.h"
#include "common/codec/element_coder.h"
#include "common/codec/frame.h"
#include "common/codec/mixed.h"
#include "common/codec/nibbles.h"
#include "common/codec/rescale.h"
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

    // Where two bases lead elements of this type and phase. Until the next call of these two.
    ByteView expect(ElementType type, std::uint8_t phase, unsigned share, ByteView base,
                    ByteView before) {
        const ByteSpan to = expected(base.size());
        move_on(type, phase, share, base, before, to);
        return to;
    }
    // The base with so many elements of it moved row by row.
    ByteView rescale(ElementType type, std::size_t elements, const Rows& rows,
                     const RowMoves& moves, ByteView base) {
        const ByteSpan to = expected(base.size());
        move_rows(type, elements, rows, moves, base, to);
        return to;
    }
    // Room for the gains of so many rows, and then for their shifts.
    std::array<ByteSpan, 2> room_for_moves(std::size_t count) {
        if (moves_.size() < 2 * count) moves_.resize(2 * count);
        return {ByteSpan(moves_).first(count), ByteSpan(moves_).subspan(count, count)};
    }

private:
    ByteSpan expected(std::size_t bytes) {
        if (expected_.size() < bytes) expected_.resize(bytes);
        return ByteSpan(expected_).first(bytes);
    }

    Bytes expected_;
    Bytes moves_;
};

}  // namespace tributary::codec
