// The store of one node: the log (truth), its index (disposable), journals, objects and blobs.
// Owned by one process.
//
// Layout of a store directory: `lock`, `format`, `segments/NNNNNN.seg`, `removed.0`, `removed.1`,
// `quarantine/`, `index.sqlite`. Format: schemas/STORAGE.md. One thread at a time.
//
// Writing: stage_*() collects records in RAM, commit() appends and syncs them; only then is
// anything acknowledged. Staged objects past kBatchBytes go to the log in parts on the way (a part
// holds objects only, so a crash leaves at worst objects that nothing names); entries wait for
// commit() and stand after all objects they were staged with. Reads by key see what is staged; the
// index shows what is committed. After a failed write or sync every further write answers
// `unavailable` until the store is opened anew; reads go on. `exhausted` before anything was
// written (the disk is almost full) leaves what was staged in place: free space and commit() again,
// or abandon().
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "common/base/bytes.h"
#include "common/base/ids.h"
#include "common/base/limits.h"
#include "common/base/result.h"
#include "common/codec/codec.h"
#include "common/env/clock.h"
#include "common/env/files.h"
#include "common/record/entry.h"
#include "common/record/recipe.h"
#include "common/record/record.h"
#include "common/record/tree.h"
#include "common/record/version.h"
#include "common/store/incoming.h"

namespace tributary {

struct StoreOptions {
    // A segment is sealed before a batch that would take it past either bound.
    std::uint64_t segment_bytes = limits::kSegmentBytesDevice;
    std::uint32_t segment_records = 16 * 1024;  // bounds the RAM of the open segment's index
    std::uint32_t chain_depth_max = limits::kChainDepthMaxDevice;
    bool create = true;  // make the store when it is missing; else not_found
    // Empty: `index.sqlite` in the directory. ":memory:": rebuilt at every open; for simulated
    // disks, which SQLite cannot see.
    std::string index_path;
    std::string holder = "tributary";  // who we are, for the one who finds the lock held
    // Called while recovery or a rebuild takes long: what is done, in which unit of how many.
    std::function<void(std::string_view what, std::uint64_t done, std::uint64_t total)> progress;
};

// Where a version stands, as the journals say.
struct VersionRow {
    VersionId id;
    std::string repo;
    std::string branch;
    Incarnation incarnation;  // whose journal said so
    std::uint64_t sequence = 0;
    HybridTime time;  // of the entry
};

struct JournalHead {
    Incarnation incarnation;
    std::uint64_t sequence = 0;  // 0: empty
    EntryHash hash;
    HybridTime time;
};

struct StoreCounters {
    std::uint64_t recorded_bytes =
        0;  // plain bytes of all files committed here, since the store was made
    std::uint64_t stored_bytes = 0;  // length of all segments now
    std::uint64_t written_bytes =
        0;  // handed to write() under the directory since it was made, index included
    std::uint64_t records = 0;
    std::uint64_t segments = 0;
};

struct RecoveryReport {
    std::vector<std::string>
        damage;                    // each names what is damaged and where; empty on a sound store
    std::uint64_t torn_bytes = 0;  // of a last batch that a crash cut short, set aside
    bool index_rebuilt = false;
    std::string index_trouble;  // why the index is in RAM only; empty when it is in its file
    // The file system is, so it was opened to be read without its lock (never with
    // StoreOptions::create), and nothing is mended.
    bool read_only = false;
    // There is damage behind our journal's last sound entry, so an entry that others have seen may
    // be lost: go on with start_journal(), not from head().
    bool head_in_doubt = false;
};

// What compaction gives up, and when it has done enough.
struct CompactionPlan {
    // Versions whose trees, recipes and pieces need not stay; what another version shares stays. At
    // most kEvictedMax; not the head of a branch, on which the next version builds, else it is
    // invalid. Their entries, statements and notes stay. Said in the log before anything goes. One
    // that was given up before and is whole again stays.
    std::vector<VersionId> evict;
    std::vector<VersionId> also_keep;  // though it is in `evict`; or not held yet
    std::uint64_t target_bytes = 0;    // of all segments; stops once they are this small
    // A segment with less than this to give back stays as it is: copying costs flash, too.
    unsigned dead_percent_min = 25;
    bool dry_run = false;  // nothing is written; the report says what would be
};

struct CompactionReport {
    std::uint64_t bytes_before = 0;   // of all segments
    std::uint64_t removed_bytes = 0;  // of segments that went
    std::uint64_t copied_bytes = 0;   // of records copied forward or coded anew; a dry run: at most
    std::uint64_t segments_removed = 0;
    std::vector<std::string> damage;  // why a segment was left as it is
};

// Compaction under way. The store may be used between two steps, and what is recorded meanwhile is
// safe. Ended early it has lost nothing: what it copied is there twice. A step that failed may be
// taken again. The store outlives it.
class Compaction {
public:
    virtual ~Compaction() = default;
    // One bounded piece of work: a version looked through, or about kBatchBytes copied. True when
    // all is done. exhausted: there is no room for copies. corrupt: a version that is to stay is
    // damaged, and is named.
    virtual Result<bool> step() = 0;
    virtual const CompactionReport& report() const = 0;
};

class Store {
public:
    static Result<std::unique_ptr<Store>> open(Files& files, Clock& clock, Entropy& entropy,
                                               const std::string& directory,
                                               StoreOptions options = {});
    virtual ~Store() = default;

    // Staged objects are handed to the log when they pass this; RAM stays below twice as much and
    // one record.
    static constexpr std::size_t kBatchBytes = 1024 * 1024;

    // ---- records ----
    // False also for a record that was found damaged, so that it is fetched or recorded again.
    virtual bool has(const RecordKey& key) = 0;
    // The stored frame, CRCs checked: what sync sends.
    virtual Result<Bytes> read_record(const RecordKey& key) = 0;
    virtual Result<RecordHeader> read_header(const RecordKey& key) = 0;
    // The names of all committed records of a kind, in the order of the log; one that stands in it
    // again comes again.
    virtual Status for_each_name(RecordKind kind,
                                 const std::function<Status(const Digest& name)>& visit) = 0;
    // Decoded through its chain and checked against its name.
    virtual Result<Bytes> read_plain(const RecordKey& key) = 0;
    // Stages a frame received from a peer after decoding it and checking its name; its bases must
    // be here. Success without effect when it is held already. A recipe bears its blob's name, so
    // its pieces must make that blob up (corrupt else); one whose pieces are not all here cannot be
    // checked and is not kept, which also is no failure.
    virtual Status stage_record(ByteView frame) = 0;
    // The same in several steps, of which IncomingRecord::check() after the first may be done by
    // another thread, and anything by the store between them. `frame` stays as it is until stage().
    virtual Result<IncomingRecord> receive(ByteView frame, IfHeld if_held) = 0;
    // Looks at so many more of the pieces that a recipe names, or about kBatchBytes of them. True
    // when nothing of that is left to stage(), which else does it all.
    virtual bool look_at_pieces(IncomingRecord& record, std::size_t pieces) = 0;
    virtual Status stage(IncomingRecord record) = 0;
    // Stages one object from its plain bytes: zstd when smaller, raw else; against `base` (same
    // kind) when given and cheaper.
    virtual Result<Digest> stage_object(RecordKind kind, ByteView plain,
                                        std::optional<Digest> base = {}) = 0;
    // A recipe's name is its blob's.
    virtual Status stage_recipe(const BlobId& blob, ByteView plain,
                                std::optional<BlobId> base = {}) = 0;
    // Codes a piece at `level` against `base`, whose plain bytes the caller may pass when it has
    // them at hand: they are used if they still have the base's digest, else the base is decoded. A
    // piece already held costs nothing. A base that is not held, cannot be read, or would make the
    // chain too deep is not used. What the base stands on may be used with it, as a second base.
    struct PieceBase {
        PieceId id;
        ByteView plain;  // empty: the store decodes it
    };
    virtual Result<PieceId> stage_piece(const codec::Piece& piece, std::optional<PieceBase> base,
                                        codec::Level level) = 0;

    // The same for several, coded at once, each by a thread of its own. Stores what stage_piece()
    // of each in order would. Answers how many were given as a base what is not the base's bytes.
    struct PieceToStage {
        PieceId id;  // of piece.plain
        codec::Piece piece;
        std::optional<PieceBase> base;
    };
    virtual Result<std::size_t> stage_pieces(std::span<const PieceToStage> pieces,
                                             codec::Level level) = 0;

    // ---- journals ----
    // Our own journal's head, staged entries included. A store that was just created has none until
    // start_journal().
    virtual JournalHead head() = 0;
    virtual Result<std::vector<JournalHead>> heads() = 0;  // of every journal held here, committed
    virtual Status start_journal(
        StartBody body) = 0;  // a fresh random incarnation; staged like any entry
    // Stages our next entry: sequence, chain and hybrid time are set here.
    virtual Result<EntryHash> stage_entry(const EntryBody& body, std::uint64_t fence = 0) = 0;
    // Stages another journal's entry (hub). conflict when it does not continue what we hold of that
    // journal.
    virtual Status stage_foreign_entry(ByteView plain) = 0;
    // Committed entries of a journal in order of sequence, from `from`, until `visit` answers
    // false.
    virtual Status read_entries(const Incarnation& incarnation, std::uint64_t from,
                                const std::function<bool(ByteView plain)>& visit) = 0;

    // Makes all that was staged durable. Nothing staged may be believed before this returned
    // success.
    virtual Status commit() = 0;
    // Whether it still takes writes: else `unavailable`, and why. Opening it anew recovers it.
    virtual Status writable() const = 0;
    // Whether so many bytes of records would be taken besides what is staged: `exhausted` when the
    // disk is too full, `unavailable` as writable() says.
    virtual Status admits(std::uint64_t bytes) const = 0;
    // Drops what was staged since the last commit(), for an error half-way through a version. What
    // of it was handed to the log is cut off, durably, where nothing else followed it and no peer's
    // records are among it; else it is dead, and left to compaction.
    virtual void abandon() = 0;
    // Drops the staged entries alone, for an owner that takes in objects of several peers at a
    // time: an object that nothing names does no harm, and its sender was told that it is here.
    virtual void abandon_entries() = 0;

    // ---- index ----
    virtual Result<std::optional<VersionRow>> branch_head(const std::string& repo,
                                                          const std::string& branch,
                                                          const Incarnation& incarnation) = 0;
    virtual Result<std::vector<VersionRow>> branches(
        const std::string& repo) = 0;  // newest row of each branch and journal
    virtual Result<std::vector<std::string>> repositories() = 0;
    // Versions whose hexadecimal digits start so, at most `limit`.
    virtual Result<std::vector<VersionRow>> versions_by_prefix(std::string_view hex,
                                                               std::size_t limit) = 0;
    // Newest first: by entry, in one repository or all.
    virtual Result<std::vector<VersionRow>> versions(std::optional<std::string> repo,
                                                     std::size_t limit) = 0;
    virtual Result<std::uint64_t> count_versions_after(const Incarnation& incarnation,
                                                       std::uint64_t sequence) = 0;
    virtual Result<std::optional<Digest>> latest_receipt(const Incarnation& journal) = 0;

    // ---- state of the store ----
    virtual StoreCounters counters() = 0;
    // Begins to win space. conflict while another is under way, or while something is staged. Not
    // while a version is half recorded or half received either: objects that no version here names
    // yet may go. Needs as much room as one segment takes.
    virtual Result<std::unique_ptr<Compaction>> compact(CompactionPlan plan) = 0;
    // Whether its content was given up, and is not whole again since.
    virtual Result<bool> evicted(const VersionId& version) = 0;
    // Whether a journal here says that it was dropped before a hub had it.
    virtual Result<bool> thinned(const VersionId& version) = 0;
    virtual void add_recorded_bytes(std::uint64_t plain_bytes) = 0;  // stored with the next commit
    virtual const RecoveryReport& recovery() = 0;
    // Every frame's place and CRC, chains, footers and what versions need (structure); with `data`
    // also every plain byte. Each string names one thing that is wrong, once; what recovery() found
    // is among them.
    virtual Result<std::vector<std::string>> check(bool data) = 0;
    // Records that were found damaged since it was opened, by reading or by a check, also those
    // that are here again since.
    virtual std::size_t damaged_records() const = 0;
    // The `part`-th of so many parts of the segments alone, from 1 on: every byte of these, and
    // that what they hold can be decoded. A segment's part is its number's remainder, so that all
    // parts checked one after the other have covered the store, whatever was recorded meanwhile.
    virtual Result<std::vector<std::string>> check_part(std::uint32_t part,
                                                        std::uint32_t parts) = 0;
};

// ---- reading content, over any store ----

Result<Version> read_version(Store& store, const VersionId& id);
Result<Notes> read_notes(Store& store, const NotesId& id);  // none reads as empty notes
LoadTreeNode tree_loader(Store& store);
Result<Recipe> read_recipe(Store& store, const BlobId& id,
                           std::uint64_t bytes);  // of a one-piece blob, made up
// Streams a blob's plain bytes in order, piece by piece, and checks the whole against its id before
// it answers success.
Status read_blob(Store& store, const BlobId& id, std::uint64_t bytes,
                 const std::function<Status(ByteView)>& sink);

}  // namespace tributary
