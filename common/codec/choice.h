// The choice between encodings: of those that the level may try, the one that makes a piece
// smallest. What costs more to try than to estimate is estimated first.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <vector>

#include "common/codec/codec.h"
#include "common/codec/codings.h"
#include "common/codec/parts.h"
#include "common/codec/runs.h"
#include "common/codec/typed.h"

namespace tributary::codec {

// The best coding of a piece, or of a part of one, so far.
struct Choice {
    Piece piece;
    Encoded result;
    // Two candidates: the best so far and the one that is tried.
    std::array<Bytes, 2> candidates;
    std::size_t best = 0;

    void start(const Piece& of);
    // Where the next candidate goes: one byte less than the best so far, so that what fits is
    // smaller.
    ByteSpan room();
    // Of `size` bytes, in room(); 0: it did not fit.
    void offer(Encoding encoding, std::size_t size);
    void offer(Encoding encoding, std::size_t size, bool uses_base);
};

class Chooser {
public:
    explicit Chooser(Codings& codings) : codings_(codings) {}

    // As Coder::encode().
    Encoded choose(const Piece& piece, ByteView base, Level level, ByteView before);

private:
    Encoded choose_at(Level level, const Piece& piece, ByteView base, ByteView before);
    Encoded choose(const Piece& piece, ByteView base);
    Encoded choose_within(const Piece& piece, ByteView base);
    std::optional<Encoded> choose_trend(const Piece& piece, unsigned share, ByteView base,
                                        ByteView before);
    std::optional<Encoded> choose_rescaled(const Piece& piece, ByteView base);
    void put_moves(PartWriter& parts, ByteView moves);
    void choose_bytes(Choice& c, ByteView base);
    void choose_numbers(Choice& c, ByteView base);
    void choose_run(Choice& c, const Run& run, ByteView base);
    void choose_runs(ByteView base);
    void choose_fields(std::span<const Field> fields, ByteView base);
    void choose_typed(Choice& c, ByteView base, const NibbleBlocks& blocks = {});
    bool choose_nibbles(Choice& c, ByteView base, const NibbleBlocks& blocks,
                        std::uint64_t others_cost);

    Effort effort() const;  // of frames that are worth their time
    bool suits_frame(const Choice& c);
    void try_frame(Choice& c, Effort effort, ByteView base);
    void try_columns(Choice& c, Effort effort, ByteView base);
    // Without an estimate, planes are tried in any case.
    void try_planes(Choice& c, ByteView base, const PlanesEstimate* estimate = nullptr);
    void try_typed(Choice& c, ByteView base, const PlanesEstimate* estimate);
    void try_as_bytes(Choice& c);

    Codings& codings_;
    Level level_ = Level::fast;
    bool within_ = false;  // whether what is chosen stands within an encoding of whole pieces
    Choice whole_;
    Choice part_;
    std::vector<Run> runs_;
    Bytes sampled_;   // a frame of which only the size is asked
    Bytes standard_;  // what the level default makes, for max
    Bytes payload_;   // of an encoding that begins by moving the base
};

}  // namespace tributary::codec
