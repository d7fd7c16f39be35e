#include "common/codec/choice.h"

#include <algorithm>
#include <cstring>

#include "common/codec/blocks.h"
#include "common/codec/estimate.h"
#include "common/codec/parts.h"
#include "common/codec/repeats.h"
#include "common/codec/typed.h"

namespace tributary::codec {
namespace {

// The unit that repeats over the whole of `plain`, or 0.
std::size_t repeated_unit(ByteView plain) {
    for (std::size_t unit = 1; unit <= 8; unit *= 2) {
        if (unit >= plain.size()) return 0;
        if (std::memcmp(plain.data(), plain.data() + unit, plain.size() - unit) == 0) return unit;
    }
    return 0;
}

bool is_integer(ElementType type) {
    return type == ElementType::i8 || type == ElementType::u8 || type == ElementType::i16 ||
           type == ElementType::i32 || type == ElementType::i64;
}

bool is_wide_integer(ElementType type) { return is_integer(type) && element_bytes(type) > 1; }

// Whether stretches of `plain` are the base's at the same place: tensors that stayed beside others.
bool stays_in_part(ByteView plain, ByteView base) {
    constexpr std::size_t kRuns = 32;
    constexpr std::size_t kRunBytes = 64;
    std::size_t runs = 0;
    std::size_t same = 0;
    sample(std::min(plain.size(), base.size()), kRuns, kRunBytes,
           [&](std::size_t first, std::size_t length) {
               ++runs;
               if (std::memcmp(plain.data() + first, base.data() + first, length) == 0) ++same;
           });
    return same > runs / 8;
}

// Whether so much of it stands in the base, at any place, that to name it may take less than the
// best so far: what is new beside it is text as likely as not, of which zstd makes less, too.
bool comes_again(const Choice& c, ByteView base) {
    const std::size_t size = c.piece.plain.size();
    const std::size_t repeated = repeated_bytes(c.piece.plain, base);
    return repeated > size / 8 || (size - repeated) / 8 * 7 < c.result.payload.size();
}

}  // namespace

void Choice::start(const Piece& of) {
    piece = of;
    result = {Encoding::raw, of.plain, false};
    best = 0;
}

ByteSpan Choice::room() {
    Bytes& bytes = candidates[1 - best];
    const std::size_t size = result.payload.size() - 1;
    if (bytes.size() < size) bytes.resize(size);
    return ByteSpan(bytes).first(size);
}

void Choice::offer(Encoding encoding, std::size_t size) {
    offer(encoding, size, needs_base(static_cast<std::uint8_t>(encoding)));
}

void Choice::offer(Encoding encoding, std::size_t size, bool uses_base) {
    if (size == 0) return;
    best = 1 - best;
    result = {encoding, ByteView(candidates[best]).first(size), uses_base};
}

void Chooser::try_frame(Choice& c, Effort effort, ByteView base) {
    c.offer(base.empty() ? Encoding::zstd : Encoding::zstd_prefix,
            codings_.writer.write(effort, c.piece.plain, base, c.room()));
}

void Chooser::try_columns(Choice& c, Effort effort, ByteView base) {
    c.offer(Encoding::columns,
            codings_.columns.write(c.piece.plain, base, effort, codings_.writer, c.room()),
            !base.empty());
}

void Chooser::try_planes(Choice& c, ByteView base, const PlanesEstimate* estimate) {
    // At the other levels it hardly ever pays, and boards of an older release do not know it: a hub
    // codes what it sends to them at the level default.
    const bool may_be_sparse = level_ == Level::fast && !base.empty() && &c == &whole_ && !within_;
    const PlanesWritten written = write_planes(c.piece, base, {level_, may_be_sparse, estimate},
                                               codings_.writer, codings_.planes, c.room());
    if (written.sparse) return c.offer(Encoding::delta_sparse, written.size);
    c.offer(base.empty() ? Encoding::planes : Encoding::delta_planes, written.size);
}

// Classes are smaller, but see no repeats: sparse steps, or low bits that are all alike. The level
// fast has no time for classes.
void Chooser::try_typed(Choice& c, ByteView base, const PlanesEstimate* estimate) {
    if (level_ == Level::fast) return try_planes(c, base, estimate);
    c.offer(base.empty() ? Encoding::classes : Encoding::delta_classes,
            codings_.classes->write(c.piece, base, c.room()));
    if (level_ == Level::max && (&c == &whole_ || c.piece.plain.size() >= kMixedPartBytesMin))
        c.offer(base.empty() ? Encoding::mixed : Encoding::delta_mixed,
                codings_.mixed->write(c.piece, base, c.room()));
    const bool sparse = c.result.payload.size() < c.piece.plain.size() / 8;
    if (sparse || !estimate || estimate->bits >> 19 < c.result.payload.size())
        try_planes(c, base, estimate);
}

Effort Chooser::effort() const {
    if (level_ == Level::fast) return Effort::quick;
    return level_ == Level::max ? Effort::exhaustive : Effort::thorough;
}

// The base nearly always pays when there is one; only the thorough level asks what it costs
// without.
void Chooser::choose_bytes(Choice& c, ByteView base) {
    find_runs(c.piece.plain, base, runs_);
    const bool numeric = runs_.size() > 1 || runs_[0].type != ElementType::bytes;
    if (numeric) return choose_numbers(c, base);
    if (codings_.columns.suits(c.piece.plain)) {
        try_columns(c, effort(), base);
        // Where a quick frame is not smaller, a thorough one hardly ever is.
        if (c.result.encoding == Encoding::columns) try_frame(c, Effort::quick, base);
        if (c.result.encoding == Encoding::columns) return;
    }
    if (base.empty()) return try_frame(c, effort(), {});
    try_frame(c, effort(), base);
    // What is nearly all the base's takes no less without it.
    const bool settled = c.result.payload.size() < c.piece.plain.size() / 64;
    if (level_ != Level::fast && !settled) try_frame(c, effort(), {});
}

// Numbers gain nothing from a search for repeats, unless much of them repeats the base's, or their
// own, elsewhere; or they are fields of records, each of which is like the one before.
void Chooser::choose_numbers(Choice& c, ByteView base) {
    if (runs_.size() > 1)
        choose_runs(base);
    else
        choose_run(c, runs_[0], base);
    if (comes_again(c, base.empty() ? c.piece.plain : base))
        try_frame(c, base.empty() ? Effort::quick : effort(), base);
    else if (level_ != Level::fast && suits_frame(c))
        try_frame(c, effort(), base);
}

// Whether zstd might do as well as what is best so far, as a quicker search of a stretch in the
// middle shows.
bool Chooser::suits_frame(const Choice& c) {
    constexpr std::size_t kSampled = 16 * limits::KiB;
    const ByteView plain = c.piece.plain;
    if (plain.size() < 2 * kSampled) return true;
    const bool max = level_ == Level::max;
    const std::size_t as_good = c.result.payload.size() * kSampled / plain.size();
    sampled_.resize(as_good + as_good / (max ? 4 : 16));
    return codings_.writer.write(max ? Effort::thorough : Effort::quick,
                                 plain.subspan(plain.size() / 2, kSampled), {}, sampled_) != 0;
}

void Chooser::choose_run(Choice& c, const Run& run, ByteView base) {
    c.piece.type = run.type;
    c.piece.phase = run.phase;
    if (run.type == ElementType::bytes) return try_frame(c, Effort::quick, base);
    const ByteView from = run.delta ? base : ByteView{};
    // The level fast has nothing to compare it with.
    if (level_ == Level::fast) return try_planes(c, from);
    const PlanesEstimate estimate = estimate_planes(c.piece, from);
    try_typed(c, from, &estimate);
}

void Chooser::choose_runs(ByteView base) {
    PartWriter parts(whole_.room());
    std::size_t at = 0;
    for (const Run& run : runs_) {
        part_.start({whole_.piece.plain.subspan(at, run.bytes)});
        choose_run(part_, run, base.subspan(std::min(at, base.size())));
        parts.put_length(run.bytes);
        parts.put(part_.result);
        at += run.bytes;
    }
    whole_.offer(Encoding::runs, parts.size(), parts.used_base());
}

// Whether integers turned out to be numbers of four bits, packed, so that nothing else need be
// tried: where they are not, their upper and lower halves have little to do with the base's. Others
// are estimated to cost `others_cost`.
bool Chooser::choose_nibbles(Choice& c, ByteView base, const NibbleBlocks& blocks,
                             std::uint64_t others_cost) {
    const bool possible = level_ != Level::fast && !base.empty() && is_integer(c.piece.type);
    if (!possible) return false;
    std::uint64_t cost = estimate_nibbles(c.piece.plain, base, {});
    NibbleBlocks beside;
    if (blocks.scales != NibbleScales::none) {
        const std::uint64_t with_scales = estimate_nibbles(c.piece.plain, base, blocks);
        if (with_scales < cost) beside = blocks;
        cost = std::min(cost, with_scales);
    }
    // Guesses: where they are close, both are tried.
    if (cost >= others_cost + others_cost / 16) return false;
    c.offer(Encoding::delta_nibbles, codings_.nibbles.write(c.piece.plain, base, beside, c.room()));
    if (c.result.encoding != Encoding::delta_nibbles) return false;
    // Where hardly any number changed, repeats are what there is.
    if (c.result.payload.size() < c.piece.plain.size() / 16) try_planes(c, base);
    return cost < others_cost - others_cost / 8;
}

// Repeated rows, or values of another type than their name says, may still suit zstd.
void Chooser::try_as_bytes(Choice& c) {
    if (level_ != Level::fast && c.result.payload.size() > c.piece.plain.size() / 8 * 7)
        try_frame(c, Effort::quick, {});
}

// Adam's first moment, or weights that were made anew, cost more against their base than without: a
// sample says which of the two to code, or, when they are close, both.
void Chooser::choose_typed(Choice& c, ByteView base, const NibbleBlocks& blocks) {
    if (base.empty()) {
        try_typed(c, {}, nullptr);
        return try_as_bytes(c);
    }
    const PlanesEstimate planes_alone = estimate_planes(c.piece, {});
    const PlanesEstimate planes_delta = estimate_planes(c.piece, base);
    const std::uint64_t alone = planes_alone.bits;
    const std::uint64_t delta = planes_delta.bits;
    if (choose_nibbles(c, base, blocks, std::min(alone, delta))) return;
    // Where rows are predicted, the lesser of two may turn out the better.
    const std::uint64_t near = level_ == Level::max ? alone / 12 : alone / 32;
    const bool close =
        level_ != Level::fast && std::max(alone, delta) - std::min(alone, delta) < near;
    if (delta <= alone || close) try_typed(c, base, &planes_delta);
    if (delta > alone || close) try_typed(c, {}, &planes_alone);

    // Weights that went on from where they stood are told by what that spares. Of integers in
    // order, such as times, what moved by some rows is close as well.
    const bool went_on = delta < alone / 4 * 3 && !is_wide_integer(c.piece.type);
    // Steps are coded one by one, however many in a row are none.
    if (!went_on && comes_again(c, base))
        try_frame(c, effort(), base);
    else if (stays_in_part(c.piece.plain, base))
        try_frame(c, Effort::quick, base);
    try_as_bytes(c);
}

void Chooser::choose_fields(std::span<const Field> fields, ByteView base) {
    const Blocks to(fields, whole_.piece.phase, whole_.piece.plain);
    const Blocks from(fields, whole_.piece.phase, base);
    if (to.count == 0) return;
    PartWriter parts(whole_.room());
    parts.put_fields(fields, whole_.piece.phase);
    for (std::size_t i = 0; i < fields.size(); ++i) {
        part_.start({to.gather(i, codings_.column), fields[i].type});
        if (const std::size_t unit = repeated_unit(part_.piece.plain); unit != 0)
            part_.result = {Encoding::constant, part_.piece.plain.first(unit), false};
        else
            choose_typed(part_, from.gather(i, codings_.base_column),
                         nibble_blocks(fields, i, to, from));
        parts.put(part_.result);
    }
    parts.put_rest(to.head);
    parts.put_rest(to.tail);
    whole_.offer(Encoding::fields, parts.size(), parts.used_base());
}

Encoded Chooser::choose(const Piece& piece, ByteView base) {
    whole_.start(piece);
    if (const auto fields = fields_of(piece.type); !fields.empty())
        choose_fields(fields, base);
    else if (piece.type == ElementType::bytes)
        choose_bytes(whole_, base);
    else
        choose_typed(whole_, base);
    return whole_.result;
}

Encoded Chooser::choose_within(const Piece& piece, ByteView base) {
    within_ = true;
    const Encoded coded = choose(piece, base);
    within_ = false;
    return coded;
}

// Type and phase, the share, and what the piece is coded to against what is expected.
std::optional<Encoded> Chooser::choose_trend(const Piece& piece, unsigned share, ByteView base,
                                             ByteView before) {
    const Encoded coded =
        choose_within(piece, codings_.expect(piece.type, piece.phase, share, base, before));
    if (!coded.uses_base) return coded;
    if (coded.payload.size() + kTrendPrelude >= piece.plain.size()) return std::nullopt;
    payload_.assign({type_and_phase(piece), static_cast<std::uint8_t>(share),
                     static_cast<std::uint8_t>(coded.encoding)});
    payload_.insert(payload_.end(), coded.payload.begin(), coded.payload.end());
    return Encoded{Encoding::trend, payload_, true};
}

// The same number for each row, or as a frame, or as they are.
void Chooser::put_moves(PartWriter& parts, ByteView moves) {
    part_.start({moves, ElementType::i8});
    if (const std::size_t unit = repeated_unit(moves); unit != 0)
        part_.result = {Encoding::constant, moves.first(unit), false};
    else
        try_frame(part_, Effort::entropy, {});
    parts.put(part_.result);
}

// Type and rows, how far each row moves, and what the piece is coded to against the moved base.
std::optional<Encoded> Chooser::choose_rescaled(const Piece& piece, ByteView base) {
    constexpr std::size_t kSampled = 2048;
    const Rows rows = rows_to_rescale(piece);
    const auto [gains, shifts] = codings_.room_for_moves(row_count(piece.plain.size(), rows));
    if (!fit_rows(piece, rows, base, gains, shifts)) return std::nullopt;
    const ByteView moved =
        codings_.rescale(piece.type, piece.plain.size(), rows, {gains, shifts}, base);
    Histogram of_gains, of_shifts;
    of_gains.add(gains);
    of_shifts.add(shifts);
    const std::uint64_t cost =
        estimate_classes(piece, moved, kSampled) + of_gains.spread().cost_of(gains.size()) +
        of_shifts.spread().cost_of(shifts.size()) + (std::uint64_t{kRescaledPrelude} << 19);
    if (cost >= estimate_classes(piece, base, kSampled)) return std::nullopt;

    const auto room = [&](std::size_t bytes) {
        if (payload_.size() < bytes) payload_.resize(bytes);
        return ByteSpan(payload_).first(bytes);
    };
    PartWriter head(room(kRescaledPrelude + gains.size() + shifts.size()));
    const std::uint8_t type = type_and_phase(piece);
    head.put_rest({&type, 1});
    head.put_length(rows.length);
    head.put_length(rows.column);
    put_moves(head, gains);
    put_moves(head, shifts);
    const Encoded coded = choose_within(piece, moved);
    if (!coded.uses_base) return coded;
    const auto encoding = static_cast<std::uint8_t>(coded.encoding);
    head.put_rest({&encoding, 1});
    const std::size_t size = head.size() + coded.payload.size();
    if (size >= piece.plain.size()) return std::nullopt;
    const ByteSpan payload = room(size);
    std::copy(coded.payload.begin(), coded.payload.end(),
              payload.begin() + static_cast<std::ptrdiff_t>(head.size()));
    return Encoded{Encoding::rescaled, payload, true};
}

// What the level max chooses by estimates is larger now and then, and to know that costs it little.
Encoded Chooser::choose(const Piece& piece, ByteView base, Level level, ByteView before) {
    if (level != Level::max) return choose_at(level, piece, base, before);
    Encoded standard = choose_at(Level::standard, piece, base, before);
    standard_.assign(standard.payload.begin(), standard.payload.end());
    const Encoded coded = choose_at(Level::max, piece, base, before);
    if (coded.payload.size() <= standard_.size()) return coded;
    standard.payload = standard_;
    return standard;
}

Encoded Chooser::choose_at(Level level, const Piece& piece, ByteView base, ByteView before) {
    if (const std::size_t unit = repeated_unit(piece.plain); unit != 0)
        return {Encoding::constant, piece.plain.first(unit), false};
    level_ = level;
    if (may_be_rescaled(piece, base))
        if (const auto coded = choose_rescaled(piece, base)) return *coded;
    const bool tries = !before.empty() && level != Level::fast;
    const unsigned share = tries ? choose_share(piece, base, before, level) : 0;
    // What comes again is no longer there in what is expected.
    if (share != 0 && repeated_bytes(piece.plain, base) < piece.plain.size() / 4)
        if (const auto coded = choose_trend(piece, share, base, before)) return *coded;
    return choose(piece, base);
}

}  // namespace tributary::codec
