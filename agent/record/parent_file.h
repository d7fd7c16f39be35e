// The file of the parent version that a new one is coded against: which of its pieces suits which.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <unordered_map>
#include <vector>

#include "common/codec/layout.h"
#include "common/codec/moved.h"
#include "common/env/files.h"
#include "common/store/store.h"

namespace tributary::agent {

// Guesses only cost bytes: whatever base is answered, the piece decodes to what it was. So nothing
// here fails; a parent that is damaged or not held offers no base.
class ParentFile {
public:
    ParentFile() = default;  // no parent: no bases
    // `file`, if any, is what the blob may have been recorded from: its bytes are read there, piece
    // by piece, as long as they are found to be what they were; decoding them takes longer.
    ParentFile(Store& store, const BlobId& blob, std::uint64_t bytes,
               std::unique_ptr<File> file = nullptr);

    struct Piece {
        PieceId id;
        std::uint64_t offset = 0;
        std::uint32_t length = 0;
    };

    // Cuts the new file, of which `read` reads: by itself, as codec::cut() does, or, where content
    // of the parent stands at another place in it, as the parent was cut. An error is the file's.
    Status cut(std::uint64_t bytes, const codec::ReadAt& read,
               const std::function<Status(const codec::Span&)>& visit);

    // The piece to code `span`, whose bytes are `plain`, against. A tensor's block: the block of
    // the same tensor; of one that the parent does not have, such as a renamed one: the most
    // similar of some of the same type and size. What moved: the piece that it was. Other bytes:
    // the piece at the same place, counted from the last piece that both files share, so that an
    // insertion shifts the guess with it; past the parent's end, its last piece.
    std::optional<Piece> base_for(const codec::Span& span, ByteView plain);
    // Tells what `span` turned out to be. In the order of the file.
    void recorded(const codec::Span& span, const PieceId& id);

    // Its bytes, in `buffer`, if they are at hand: read to learn what moved, or standing in the
    // file where that piece stood, unchecked. Else empty.
    ByteView at_hand(const Piece& piece, Bytes& buffer);
    // To be called when they were other ones: the file is left alone from now on.
    void file_changed() { file_ = nullptr; }

    // The parent's blob, when it has a recipe that a new recipe can be coded against.
    std::optional<BlobId> recipe_base() const { return recipe_base_; }

private:
    // A block of a tensor.
    struct Block {
        std::uint64_t offset = 0;
        std::uint32_t length = 0;
        codec::ElementType type{};
        std::uint32_t number = 0;  // in its tensor
        bool used = false;         // as a base
    };

    std::size_t piece_at(std::uint64_t offset) const;  // the one that covers it, or the last
    void learn_places();
    Status find_moved(std::uint64_t bytes, const codec::ReadAt& read);
    ByteView in_file(const Piece& piece, Bytes& buffer);
    Result<codec::MovedProbe> probe(std::uint64_t bytes, const codec::ReadAt& read);
    bool is_cut_like(std::uint64_t bytes, const codec::ReadAt& read) const;
    const codec::Match* match_at(std::uint64_t offset) const;
    Result<Bytes> read_piece(const Piece& piece);
    std::optional<Piece> most_similar(const codec::Span& span, ByteView plain);
    Result<std::size_t> read_at(std::uint64_t offset, ByteSpan out);

    Store* store_ = nullptr;
    std::unique_ptr<File> file_;
    std::uint64_t bytes_ = 0;
    std::vector<Piece> pieces_;
    std::optional<BlobId> recipe_base_;

    bool places_known_ = false;
    std::vector<Block> blocks_;                                      // in the order of the file
    std::unordered_map<std::uint64_t, std::size_t> block_of_place_;  // index in blocks_
    std::size_t next_block_ = 0;  // behind the one that was found similar last

    std::optional<PieceId> probed_;  // the piece in probed_plain_
    Bytes probed_plain_;
    std::vector<codec::Match> matches_;  // what moved
    std::uint64_t matched_here_ = 0;     // where the last shared piece ends in the new file ...
    std::uint64_t matched_parent_ = 0;   // ... and in the parent

    std::size_t cached_ = SIZE_MAX;  // index of the piece in cached_plain_
    Bytes cached_plain_;
};

}  // namespace tributary::agent
