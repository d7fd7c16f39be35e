// A record's frame on its way to a board. Coding it anew takes long, and may be done on another
// thread than the store's.
#pragma once

#include <optional>
#include <utility>

#include "common/base/bytes.h"
#include "common/record/record.h"

namespace tributary::hub {

class OutgoingFrame {
public:
    // As it is stored.
    explicit OutgoingFrame(Bytes frame) : frame_(std::move(frame)) {}
    // To be coded on `base`, if there is one.
    struct Base {
        Digest name;
        Bytes plain;
    };
    // How the bytes of a piece are typed, as in RecipePiece.
    struct Shape {
        std::uint8_t element_type = 0;
        std::uint8_t phase = 0;
    };
    OutgoingFrame(const RecordHeader& header, Bytes plain, std::optional<Base> base, Shape shape)
        : header_(header), plain_(std::move(plain)), base_(std::move(base)), shape_(shape) {}

    bool is_coded() const { return !frame_.empty(); }
    void code();  // touches nothing but itself
    Bytes take() { return std::move(frame_); }

private:
    Bytes frame_;  // empty: to be coded from what follows
    RecordHeader header_;
    Bytes plain_;
    std::optional<Base> base_;
    Shape shape_;
};

}  // namespace tributary::hub
