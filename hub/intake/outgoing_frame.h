// A record's frame on its way to a board. Coding it anew takes long, and may be done on another
// thread than the store's.
#pragma once

#include <optional>
#include <utility>

#include "common/base/bytes.h"
#include "common/record/recipe.h"
#include "common/record/record.h"

namespace tributary::hub {

class OutgoingFrame {
public:
    // As it is stored.
    explicit OutgoingFrame(Bytes frame) : frame_(std::move(frame)) {}
    // To be coded on `base`, if there is one; `shape`: how the bytes of a piece are typed, if that
    // is known.
    struct Base {
        Digest name;
        Bytes plain;
    };
    OutgoingFrame(const RecordHeader& header, Bytes plain, std::optional<Base> base,
                  std::optional<RecipePiece> shape)
        : header_(header), plain_(std::move(plain)), base_(std::move(base)), shape_(shape) {}

    bool is_coded() const { return !frame_.empty(); }
    void code();  // touches nothing but itself
    Bytes take() { return std::move(frame_); }

private:
    Bytes frame_;  // empty: to be coded from what follows
    RecordHeader header_;
    Bytes plain_;
    std::optional<Base> base_;
    std::optional<RecipePiece> shape_;
};

}  // namespace tributary::hub
