// Records by key over the log and what is staged: coding, chains of bases, checked decoding.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/record/record.h"
#include "common/store/chain.h"
#include "common/store/footer.h"
#include "common/store/fresh_plains.h"
#include "common/store/incoming.h"
#include "common/store/log.h"

namespace tributary {

// Framed records on their way to the log, and where each lies among them.
struct Batch {
    Bytes bytes;
    segment::Table table;

    bool empty() const { return bytes.empty(); }
    void add(const RecordHeader& header, ByteView payload, std::uint8_t depth);
    void add_frame(const RecordHeader& header, ByteView frame, std::uint8_t depth);
    void append(const Batch& other);
    std::optional<ByteView> find(const RecordKey& key) const;
    void clear() { *this = Batch(); }
    // Empties it, and keeps its memory for what comes next.
    void restart();

private:
    void make_room(std::size_t more);
};

// What only versions that stay keep alive; all other records are small, and stay.
inline bool is_content(RecordKind kind) {
    return kind == RecordKind::piece || kind == RecordKind::recipe || kind == RecordKind::tree;
}

// What wins space while the store is in use.
class SpaceWinner {
public:
    virtual ~SpaceWinner() = default;
    // This record is about to go: nobody may count on it any more.
    virtual bool goes(const RecordKey& key, const Place& place) const = 0;
    // Somebody counts on it, from now on.
    virtual void stays(const RecordKey& key) = 0;
};

class Objects {
public:
    // What is kept plain in RAM, in bytes: of pieces that peers sent last, of small objects.
    struct Ram {
        std::size_t pieces = 0;
        std::size_t small = 0;
    };
    // `log` lives longer.
    Objects(Log& log, std::uint32_t chain_depth_max, Ram ram)
        : log_(log), depth_max_(chain_depth_max), fresh_(ram.pieces), known_(ram.small) {}

    // Whether it is here to stay, with all it stands on.
    bool has(const RecordKey& key);
    // Where it is in the log. One among damaged bytes counts when it is what it names and can be
    // read from what is here.
    Result<std::optional<Place>> locate(const RecordKey& key);
    Result<Bytes> record(const RecordKey& key);
    Result<RecordHeader> header(const RecordKey& key);
    Result<Bytes> plain(const RecordKey& key);
    // All that it stands on, each before what that stands on; itself not among them.
    Result<std::vector<RecordKey>> chain(const RecordKey& key);

    // A peer's record, in several steps: see IncomingRecord. `frame` is only pointed to.
    Result<IncomingRecord> receive(ByteView frame, IfHeld if_held);
    bool look_at_pieces(IncomingRecord& record, std::size_t pieces, std::size_t bytes);
    Status stage(IncomingRecord record);
    Status stage_frame(ByteView frame);  // all of it
    // What to code against: the base's name, and its plain bytes or nothing.
    struct Base {
        Digest name;
        ByteView plain;
    };
    Status stage(const RecordKey& key, const codec::Piece& piece, std::optional<Base> base,
                 codec::Level level);
    struct Wanted {
        RecordKey key;
        codec::Piece piece;
        std::optional<Base> base;
    };
    // The same as stage() of each in order, but coded at once, each by a thread of its own, and so
    // are the bases checked or decoded. `staged_one` is called after each, and neither codes nor
    // stages. Answers how many bases were given other bytes than theirs.
    Result<std::size_t> stage_together(std::span<const Wanted> wanted, codec::Level level,
                                       const std::function<Status()>& staged_one);

    // What was staged was given up, or a segment is gone: nothing in RAM stands for what is held.
    void forget_plains() {
        fresh_.clear();
        known_.clear();
        ++plains_forgotten_;
    }
    // Frees what coding by several threads took. To be called when a version is whole or given up.
    void free_coders() { more_coders_.clear(); }

    // Codes it, whether it is held or not, into `batch`: on `base`, of which the plain bytes are
    // given, or on nothing.
    Status code_anew(const RecordKey& key, const codec::Piece& piece, std::optional<Base> base,
                     Batch& batch);
    // Adds a record of the log as it is to `batch`.
    Status copy(const RecordKey& key, const Place& place, Batch& batch);
    // Answers the one before.
    SpaceWinner* set_space_winner(SpaceWinner* winner) { return std::exchange(winner_, winner); }

    Batch staged;          // objects
    Batch staged_entries;  // found by key like the rest; put there by the journals

private:
    // On its way into a batch.
    struct Coding {
        RecordKey key;
        codec::Piece piece;
        codec::Level level{};
        std::optional<Base> base = {};  // may be stood on
        bool was_other = false;         // what was given as its plain bytes
        Bytes decoded = {};             // its plain bytes, if they had to be
        // What the base stands on, if that may be stood on too, and its plain bytes.
        std::optional<RecordKey> before = {};
        Bytes before_decoded = {};
        codec::Encoded encoded = {};
        RecordKey base_key() const { return {key.kind, base->name}; }
    };
    // What a piece is coded against, while it is being decoded.
    struct BaseClimb {
        Coding* coding = nullptr;
        Climb climb;
        Bytes frame;  // of the next link
    };
    // nullopt: held already
    Result<std::optional<Coding>> prepare(const Wanted& wanted, codec::Level level);
    bool rests_on(const RecordKey& key, std::span<const Coding> codings);
    bool is_slow_to_read(const RecordKey& key);
    static std::optional<RecordKey> worth_a_try(const Coding& coding, std::span<const Link> below);
    bool is_whole(std::span<const Link> all);
    static void check_given(Coding& coding);
    void find_bases(std::span<Coding> codings);
    std::optional<Climb> climb_to_bases(Coding& coding);
    void climb_all(std::vector<BaseClimb>& climbs);
    static void take_bases(Coding& coding, Climb& climb);
    codec::Coder& coder_of(std::size_t thread);
    static void encode(Coding& coding, codec::Coder& coder);
    Status add(const Coding& coding, Batch& batch);
    std::optional<ByteView> find_staged(const RecordKey& key) const;
    Result<Link> link(const RecordKey& key);
    Result<std::vector<Link>> links(std::span<const RecordKey> tops);
    Result<std::uint8_t> depth(const RecordKey& key);
    std::uint8_t depth_over(const RecordHeader& header);
    bool stands(const RecordKey& key, const Place& place);
    bool has_pieces(const RecordKey& recipe);
    bool has_pieces_of(ByteView recipe_plain);
    bool may_stand_on(const RecordKey& key, const RecordKey& base);
    bool may_stand_as_it_is(const RecordHeader& header);
    bool bears_out(const RecordKey& key, const Place& place);
    // Through its chain, but not checked against its name.
    Result<Bytes> decoded(const RecordKey& key);
    Result<std::vector<Bytes>> plains_of_bases(const RecordHeader& header);
    Status makes_up_its_blob(const RecordKey& key, ByteView recipe_plain);
    Status add_to_blob(const RecordKey& recipe, const RecipePiece& piece, Sha256& blob);
    Status look_at_next_piece(IncomingRecord& record, IncomingRecord::Looking& looking);
    // Greater when what was here may be here no more.
    std::uint64_t losses() const { return plains_forgotten_ + log_.damaged_records(); }
    void find_fresh_pieces(IncomingRecord& recipe) const;
    tl::unexpected<Error> not_here(const RecordKey& key) const;

    Log& log_;
    const std::uint32_t depth_max_;
    FreshPlains fresh_;  // pieces that came last
    std::uint64_t plains_forgotten_ = 0;
    FreshPlains known_;  // small objects that came or were read last
    codec::Coder coder_;
    std::vector<std::unique_ptr<codec::Coder>> more_coders_;  // of the other threads
    SpaceWinner* winner_ = nullptr;
    // Of Log::found(), by segment and offset: whether it is what it names. False while it is asked.
    std::map<std::pair<std::uint32_t, std::uint32_t>, bool> judged_;
    std::size_t judging_ = 0;
};

}  // namespace tributary
