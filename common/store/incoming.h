// A record that a peer sent, on its way into a store. What takes long, decoding it and comparing it
// with its name, may be done on another thread than the store's.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/hash/hash.h"
#include "common/record/recipe.h"
#include "common/record/record.h"

namespace tributary {

// What becomes of a record that is here already.
enum class IfHeld : std::uint8_t {
    skip,   // no more is done with it
    check,  // it is looked at like any other, and not kept: whether its sender has it
};

// Made by Store::receive(), then check(), then Store::look_at_pieces(), then Store::stage(). It
// only points to the frame, which stays as it is until then.
class IncomingRecord {
public:
    // Touches nothing but itself and the frame.
    void check();
    // Of a recipe or version at once, of others after check(). Empty: it is not sound, or skipped.
    ByteView plain() const { return sound_ ? ByteView(plain_) : ByteView(); }
    // Of a recipe, once there is plain(), if it can be read.
    const std::optional<Recipe>& recipe() const { return recipe_; }

private:
    friend class Objects;

    void check(codec::Coder& coder);
    void compare_blob();

    ByteView frame_;
    RecordHeader header_;
    bool held_ = false;         // already: nothing is to be done
    std::vector<Bytes> bases_;  // their plain bytes; until it was checked, or a recipe's
    bool checked_ = false;
    Status sound_;  // once it was checked
    Bytes plain_;

    std::optional<Recipe> recipe_;
    // How far its pieces were looked at.
    struct Looking {
        std::uint64_t losses = 0;  // of the store, when it began
        std::size_t at = 0;
        Sha256 blob = {};  // of those before
        bool over = false;
        bool absent = false;  // one of them is not here
    };
    std::optional<Looking> looking_;
    // Its pieces when all are in RAM, and whether they make up its blob.
    std::vector<std::shared_ptr<const Bytes>> in_ram_;
    bool makes_up_blob_ = false;
};

}  // namespace tributary
