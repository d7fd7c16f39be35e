#include "hub/intake/outgoing_frame.h"

#include "common/codec/codec.h"

namespace tributary::hub {

void OutgoingFrame::code() {
    if (is_coded()) return;
    codec::Piece piece{plain_};
    piece.type = static_cast<codec::ElementType>(shape_.element_type);
    piece.phase = shape_.phase;
    codec::Coder coder;  // holds megabytes: not one for each device
    const codec::Encoded coded =
        coder.encode(piece, base_ ? ByteView(base_->plain) : ByteView(), codec::Level::standard);
    header_.encoding = static_cast<std::uint8_t>(coded.encoding);
    header_.stored_length = static_cast<std::uint32_t>(coded.payload.size());
    header_.base_count = coded.uses_base ? 1 : 0;
    if (coded.uses_base) header_.base[0] = base_->name;
    append_record(frame_, header_, coded.payload);
}

}  // namespace tributary::hub
