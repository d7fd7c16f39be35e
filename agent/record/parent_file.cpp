#include "agent/record/parent_file.h"

#include <algorithm>

#include "common/hash/hash.h"

namespace tributary::agent {
namespace {

// A table of tensors is at the front; a parent that shows none soon has none.
constexpr std::size_t kUnplacedSpansMax = 32;
// How far from the expected piece a shared one is looked for. CDC realigns within a few pieces.
constexpr std::size_t kSearchPieces = 64;
// How many blocks of the parent are read to find one that is similar, and how far they are looked
// for.
constexpr std::size_t kSimilarMax = 4;
constexpr std::size_t kSimilarWithin = 1024;
// Where less is there, it is one piece, or little more.
constexpr std::uint64_t kMovedBytesMin = 128 * limits::KiB;
// How much of the parent is looked at to learn whether any of it moved: so much, and from its end a
// share of one in so many.
constexpr std::uint64_t kProbedBytesMin = 128 * limits::KiB;
constexpr std::uint64_t kProbedShare = 32;
constexpr std::size_t kReadBytes = 64 * limits::KiB;
// How many of the new file's cuts tell whether the parent was cut alike.
constexpr std::size_t kComparedSpans = 64;

}  // namespace

ParentFile::ParentFile(Store& store, const BlobId& blob, std::uint64_t bytes,
                       std::unique_ptr<File> file)
    : store_(&store), file_(std::move(file)), bytes_(bytes) {
    const Result<Recipe> recipe = read_recipe(store, blob, bytes);
    if (!recipe) return;
    if (store.has({RecordKind::recipe, blob.digest})) recipe_base_ = blob;
    pieces_.reserve(recipe->pieces.size());
    std::uint64_t offset = 0;
    for (const RecipePiece& piece : recipe->pieces) {
        pieces_.push_back({piece.id, offset, piece.length});
        offset += piece.length;
    }
}

Status ParentFile::cut(std::uint64_t bytes, const codec::ReadAt& read,
                       const std::function<Status(const codec::Span&)>& visit) {
    TRIBUTARY_TRY(find_moved(bytes, read));
    if (matches_.empty()) return codec::cut(bytes, read, visit);
    codec::Recut recut(matches_, visit);
    TRIBUTARY_TRY(
        codec::cut(bytes, read, [&](const codec::Span& span) { return recut.take(span); }));
    return recut.finish();
}

// Most files have no content of their parent's, or where it was: to line them up with it would take
// reading all of it.
Status ParentFile::find_moved(std::uint64_t bytes, const codec::ReadAt& read) {
    if (std::min(bytes, bytes_) < kMovedBytesMin || pieces_.empty()) return {};
    TRIBUTARY_ASSIGN(const bool named, codec::names_places(bytes, read));
    if (named) return {};
    TRIBUTARY_ASSIGN(const codec::MovedProbe seen, probe(bytes, read));
    // What stayed needs none either, but where the parent was itself cut like its own parent.
    if (!seen.moved() && !(seen.stayed() && !is_cut_like(bytes, read))) return {};

    std::vector<std::uint64_t> begins;
    begins.reserve(pieces_.size() + 1);
    for (const Piece& piece : pieces_) begins.push_back(piece.offset);
    begins.push_back(bytes_);
    codec::Alignment alignment(std::move(begins), bytes);
    for (const Piece& piece : pieces_) {
        const Result<Bytes> plain = read_piece(piece);
        if (!plain || plain->size() != piece.length) return {};
        alignment.learn(*plain);
    }
    Bytes buffer(kReadBytes);
    for (std::uint64_t at = 0; at < bytes;) {
        const auto wanted =
            static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, bytes - at));
        TRIBUTARY_ASSIGN(const std::size_t got, read(at, ByteSpan(buffer).first(wanted)));
        if (got == 0) break;  // cut() says so
        alignment.follow(ByteView(buffer).first(got));
        at += got;
    }
    matches_ = alignment.take();
    return {};
}

// From the parent's end, which is what a file that drops its head keeps.
Result<codec::MovedProbe> ParentFile::probe(std::uint64_t bytes, const codec::ReadAt& read) {
    codec::MovedProbe probe;
    TRIBUTARY_TRY(probe.sample(bytes, read));
    std::uint64_t looked_at = 0;
    for (std::size_t i = pieces_.size(); i-- > 0;) {
        const Piece& piece = pieces_[i];
        if (looked_at >= std::max(kProbedBytesMin, (bytes_ - piece.offset) / kProbedShare))
            continue;
        Result<Bytes> plain = read_piece(piece);
        if (!plain) break;
        probe.look_at(piece.offset, *plain);
        looked_at += piece.length;
        if (probed_) continue;
        probed_ = piece.id;  // it will be a base, most likely
        probed_plain_ = *std::move(plain);
    }
    return probe;
}

// Whether the cuts that the new file would have by itself are the parent's.
bool ParentFile::is_cut_like(std::uint64_t bytes, const codec::ReadAt& read) const {
    bool alike = true;
    std::size_t compared = 0;
    const auto visit = [&](const codec::Span& span) -> Status {
        if (span.offset < bytes_)
            alike = alike && pieces_[piece_at(span.offset)].offset == span.offset;
        if (alike && ++compared < kComparedSpans) return {};
        return fail(Errc::cancelled, "enough was compared");
    };
    (void)codec::cut(bytes, read, visit);  // its errors come again
    return alike;
}

const codec::Match* ParentFile::match_at(std::uint64_t offset) const {
    const auto after = std::upper_bound(
        matches_.begin(), matches_.end(), offset,
        [](std::uint64_t at, const codec::Match& match) { return at < match.begin; });
    if (after == matches_.begin()) return nullptr;
    const codec::Match& match = *(after - 1);
    return offset < match.end ? &match : nullptr;
}

std::optional<ParentFile::Piece> ParentFile::base_for(const codec::Span& span, ByteView plain) {
    if (pieces_.empty()) return std::nullopt;
    if (const codec::Match* match = match_at(span.offset)) return pieces_[match->piece];
    if (span.place != 0) {
        learn_places();
        const auto found = block_of_place_.find(span.place);
        if (found != block_of_place_.end() && blocks_[found->second].type == span.type) {
            Block& block = blocks_[found->second];
            block.used = true;
            next_block_ = found->second + 1;
            return pieces_[piece_at(block.offset)];
        }
        if (!blocks_.empty()) return most_similar(span, plain);
    }
    const std::uint64_t guess = matched_parent_ + (span.offset - matched_here_);
    return pieces_[piece_at(guess)];
}

// A framework that wraps a model renames all its tensors and leaves their order, so the block
// behind the last one found is looked at first, and taken when it suits well.
std::optional<ParentFile::Piece> ParentFile::most_similar(const codec::Span& span, ByteView plain) {
    const codec::Piece piece{plain, span.type, span.phase};
    const std::uint64_t alone = codec::guess_bytes(piece, {});
    std::uint64_t least = alone - alone / 32;
    std::optional<std::size_t> best;
    std::size_t looked_at = 0;
    std::size_t passed = 0;
    for (std::size_t i = 0; i < blocks_.size() && looked_at < kSimilarMax; ++i) {
        const std::size_t index = (next_block_ + i) % blocks_.size();
        const Block& block = blocks_[index];
        if (!block.used && ++passed > kSimilarWithin) break;
        if (block.used || block.number != span.block || block.type != span.type ||
            block.length != span.length)
            continue;
        ++looked_at;
        const Result<Bytes> base = read_piece(pieces_[piece_at(block.offset)]);
        if (!base) continue;
        const std::uint64_t guess = codec::guess_bytes(piece, *base);
        if (guess >= least) continue;
        least = guess;
        best = index;
        if (guess < alone - alone / 8) break;
    }
    if (!best) return std::nullopt;
    blocks_[*best].used = true;
    next_block_ = *best + 1;
    return pieces_[piece_at(blocks_[*best].offset)];
}

void ParentFile::recorded(const codec::Span& span, const PieceId& id) {
    if (pieces_.empty()) return;
    if (const codec::Match* match = match_at(span.offset)) {
        matched_here_ = match->end;
        matched_parent_ = match->parent_end;
        return;
    }
    const std::size_t expected = piece_at(matched_parent_ + (span.offset - matched_here_));
    const std::size_t from = expected > kSearchPieces ? expected - kSearchPieces : 0;
    const std::size_t to = std::min(pieces_.size(), expected + kSearchPieces + 1);
    std::optional<std::size_t> nearest;
    for (std::size_t i = from; i < to; ++i) {
        const auto distance = [&](std::size_t j) {
            return j > expected ? j - expected : expected - j;
        };
        if (pieces_[i].id == id && (!nearest || distance(i) < distance(*nearest))) nearest = i;
    }
    if (!nearest) return;
    matched_here_ = span.offset + span.length;
    matched_parent_ = pieces_[*nearest].offset + pieces_[*nearest].length;
}

std::size_t ParentFile::piece_at(std::uint64_t offset) const {
    const auto after =
        std::upper_bound(pieces_.begin(), pieces_.end(), offset,
                         [](std::uint64_t at, const Piece& piece) { return at < piece.offset; });
    return after == pieces_.begin() ? 0 : static_cast<std::size_t>(after - pieces_.begin()) - 1;
}

// Cuts the parent anew, which reads its tables of tensors, to learn what its bytes are: places are
// not stored, so a better cut needs no new recipes.
void ParentFile::learn_places() {
    if (places_known_) return;
    places_known_ = true;
    std::size_t unplaced = 0;
    const auto visit = [&](const codec::Span& span) -> Status {
        if (span.place != 0) {
            block_of_place_.emplace(span.place, blocks_.size());
            blocks_.push_back({span.offset, span.length, span.type, span.block});
        } else if (++unplaced > kUnplacedSpansMax) {
            return fail(Errc::cancelled, "no table of tensors");
        }
        return {};
    };
    const auto read = [this](std::uint64_t offset, ByteSpan out) { return read_at(offset, out); };
    // A parent that cannot be read to its end still gave the places before that.
    (void)codec::cut(bytes_, read, visit);
    cached_ = SIZE_MAX;
    cached_plain_ = {};
}

ByteView ParentFile::at_hand(const Piece& piece, Bytes& buffer) {
    if (probed_ != piece.id) return in_file(piece, buffer);
    probed_.reset();
    buffer = std::move(probed_plain_);
    return buffer;
}

ByteView ParentFile::in_file(const Piece& piece, Bytes& buffer) {
    if (!file_) return {};
    buffer.resize(piece.length);
    if (file_->read_exactly(piece.offset, buffer)) return buffer;
    file_changed();
    return {};
}

Result<Bytes> ParentFile::read_piece(const Piece& piece) {
    Bytes plain;
    if (!in_file(piece, plain).empty()) {
        if (sha256(plain) == piece.id.digest) return plain;
        file_changed();
    }
    return store_->read_plain({RecordKind::piece, piece.id.digest});
}

Result<std::size_t> ParentFile::read_at(std::uint64_t offset, ByteSpan out) {
    std::size_t done = 0;
    while (done < out.size() && offset < bytes_) {
        const std::size_t index = piece_at(offset);
        const Piece& piece = pieces_[index];
        if (cached_ != index) {
            TRIBUTARY_ASSIGN(cached_plain_, read_piece(piece));
            cached_ = index;
        }
        const std::uint64_t skip = offset - piece.offset;
        if (skip >= cached_plain_.size()) {
            return fail(Errc::corrupt, "a piece is shorter than its recipe says");
        }
        const std::size_t count =
            std::min(cached_plain_.size() - static_cast<std::size_t>(skip), out.size() - done);
        std::copy_n(cached_plain_.begin() + static_cast<std::ptrdiff_t>(skip), count,
                    out.begin() + static_cast<std::ptrdiff_t>(done));
        done += count;
        offset += count;
    }
    return done;
}

}  // namespace tributary::agent
