// Opening, staging, journals and commit.
#include "common/store/store.h"

#include <algorithm>
#include <cerrno>
#include <string_view>
#include <utility>

#include "common/hash/hash.h"
#include "common/store/store_impl.h"

namespace tributary {
namespace {

constexpr std::string_view kFormatOfAny = "tributary store ";
constexpr std::string_view kFormat = "tributary store 1\n";
// A store with large segments is a hub's, which has the RAM: files of several boards at a time, and
// what some ten thousand versions of late consist of.
constexpr Objects::Ram kRamOfHub{16 * limits::MiB, 8 * limits::MiB};

}  // namespace

std::optional<CommitBody> commit_body_of(const EntryView& entry) {
    if (entry.header.kind != EntryKind::commit) return std::nullopt;
    const auto body = parse_body(entry.header.kind, entry.body);
    if (!body) return std::nullopt;
    return std::get<CommitBody>(*body);
}

std::optional<VersionId> thinned_by(const EntryView& entry) {
    if (entry.header.kind != EntryKind::thinned) return std::nullopt;
    const auto body = parse_body(entry.header.kind, entry.body);
    if (!body) return std::nullopt;
    return std::get<ThinnedBody>(*body).version;
}

// ---- opening ----

Result<std::unique_ptr<Store>> Store::open(Files& files, Clock& clock, Entropy& entropy,
                                           const std::string& directory, StoreOptions options) {
    auto store = std::make_unique<StoreImpl>(files, clock, directory, std::move(options));
    if (auto opened = store->open(entropy); !opened)
        return with_context("open the store " + directory, std::move(opened).error());
    return store;
}

Status StoreImpl::open(Entropy& entropy) {
    entropy_ = &entropy;
    TRIBUTARY_TRY(prepare_directory());
    TRIBUTARY_ASSIGN(log_, Log::open(files_, entropy, directory_, options_, recovery_.read_only,
                                     written_, recovery_));
    const bool of_hub = options_.segment_bytes > limits::kSegmentBytesDevice;
    objects_ = std::make_unique<Objects>(*log_, options_.chain_depth_max,
                                         of_hub ? kRamOfHub : Objects::Ram{});
    TRIBUTARY_TRY(open_index());

    TRIBUTARY_TRY(find_own_head());
    own_committed_ = own_;
    return {};
}

// Makes what is missing of an empty store, takes the lock, and refuses a store of a newer program.
// A store that lost its `format`, or has it damaged, is still one: its segments say what they are.
Status StoreImpl::prepare_directory() {
    const std::string format = join_path(directory_, "format");
    const std::string segments = join_path(directory_, "segments");
    const auto names = files_.list(segments);
    const bool has_segments = names && !names->empty();
    if (!options_.create && !has_segments) {
        const auto status = files_.stat_target(format);
        if (!status) return tl::unexpected(status.error());
    }
    TRIBUTARY_TRY(files_.make_directories(directory_));
    auto lock = files_.lock(join_path(directory_, "lock"), options_.holder);
    // Nobody can write there, so nobody needs the lock to read.
    recovery_.read_only = !lock && lock.error().native == EROFS && !options_.create && has_segments;
    if (!lock && !recovery_.read_only) return tl::unexpected(std::move(lock).error());
    if (lock) lock_ = *std::move(lock);
    const auto text = read_file(files_, format, 256);
    if (text && as_text(*text) == kFormat) {
        if (has_segments) return {};
        // Whoever made it may have ended before it was durable.
        return files_.sync_directory(directory_);
    }
    if (!text && text.error().code != Errc::not_found) return tl::unexpected(text.error());
    if (text && as_text(*text).starts_with(kFormatOfAny) && text->size() > kFormatOfAny.size())
        return fail(Errc::unsupported,
                    "its file 'format' names one that this program does not know: upgrade it. If "
                    "no newer one ever used this store, remove that file, which is damaged");
    if (has_segments) recovery_.damage.push_back("format: missing or damaged; written anew");
    TRIBUTARY_TRY(files_.make_directories(segments));
    TRIBUTARY_TRY(files_.make_directories(join_path(directory_, "quarantine")));
    TRIBUTARY_TRY(files_.sync_directory(std::string(parent_path(directory_))));
    return replace_file(files_, format, as_bytes(kFormat));  // syncs the directory
}

// ---- staging objects ----

Status StoreImpl::flush_objects() {
    if (objects_->staged.bytes.size() < kBatchBytes) return {};
    TRIBUTARY_TRY(log_->admits(objects_->staged.bytes.size()));
    const Parts parts = parts_.value_or(Parts{log_->end(), begun_});
    std::vector<IndexEntry> no_entries;
    TRIBUTARY_TRY(append_batch(objects_->staged, no_entries, log_->state()));
    parts_ = parts;
    return {};
}

Status StoreImpl::stage_record(ByteView frame) {
    peers_staged_ = true;
    TRIBUTARY_TRY(flush_objects());  // while the disk is full nothing piles up
    TRIBUTARY_TRY(objects_->stage_frame(frame));
    return flush_objects();
}

Status StoreImpl::stage(IncomingRecord record) {
    peers_staged_ = true;
    TRIBUTARY_TRY(flush_objects());
    TRIBUTARY_TRY(objects_->stage(std::move(record)));
    return flush_objects();
}

Result<Digest> StoreImpl::stage_object(RecordKind kind, ByteView plain,
                                       std::optional<Digest> base) {
    TRIBUTARY_CHECK(kind != RecordKind::entry && kind != RecordKind::recipe);
    const RecordKey key{kind, name_of_plain(kind, plain)};
    std::optional<Objects::Base> against;
    if (base) against = Objects::Base{*base, {}};
    TRIBUTARY_TRY(objects_->stage(key, {.plain = plain}, against, codec::Level::standard));
    TRIBUTARY_TRY(flush_objects());
    return key.name;
}

Status StoreImpl::stage_recipe(const BlobId& blob, ByteView plain, std::optional<BlobId> base) {
    std::optional<Objects::Base> against;
    if (base) against = Objects::Base{base->digest, {}};
    TRIBUTARY_TRY(objects_->stage({RecordKind::recipe, blob.digest}, {.plain = plain}, against,
                                  codec::Level::standard));
    return flush_objects();
}

Result<PieceId> StoreImpl::stage_piece(const codec::Piece& piece, std::optional<PieceBase> base,
                                       codec::Level level) {
    const RecordKey key{RecordKind::piece, sha256(piece.plain)};
    std::optional<Objects::Base> against;
    if (base) against = Objects::Base{base->id.digest, base->plain};
    TRIBUTARY_TRY(objects_->stage(key, piece, against, level));
    TRIBUTARY_TRY(flush_objects());
    return PieceId{key.name};
}

Result<std::size_t> StoreImpl::stage_pieces(std::span<const PieceToStage> pieces,
                                            codec::Level level) {
    std::vector<Objects::Wanted> wanted;
    for (const PieceToStage& piece : pieces) {
        std::optional<Objects::Base> base;
        if (piece.base) base = Objects::Base{piece.base->id.digest, piece.base->plain};
        wanted.push_back({{RecordKind::piece, piece.id.digest}, piece.piece, base});
    }
    return objects_->stage_together(wanted, level, [this] { return flush_objects(); });
}

// ---- journals ----

Status StoreImpl::start_journal(StartBody body) {
    const JournalHead before = own_;
    own_ = {};
    entropy_->fill(own_.incarnation.bytes);
    own_.time = before.time;  // time goes on, whatever the journal
    const auto staged = stage_entry(body, 0);
    if (!staged) {
        own_ = before;
        return tl::unexpected(staged.error());
    }
    return {};
}

Result<EntryHash> StoreImpl::stage_entry(const EntryBody& body, std::uint64_t fence) {
    if (own_.incarnation.is_none())
        return fail(Errc::invalid, "this store has no journal yet: it begins with start_journal()");
    const Bytes body_bytes = encode_body(body);
    if (body_bytes.size() > limits::kEntryBodyBytesMax)
        return fail(Errc::invalid, "the body of an entry is larger than 64 KiB");
    EntryHeader header;
    header.incarnation = own_.incarnation;
    header.sequence = own_.sequence + 1;
    header.previous = own_.hash;
    header.time = own_.time.next(clock_.wall(), clock_.quality());
    header.fence = fence;
    header.kind = kind_of(body);
    header.body = body_digest(body_bytes);
    Bytes plain = encode_entry_header(header);
    const EntryHash hash = entry_hash(plain);
    plain.insert(plain.end(), body_bytes.begin(), body_bytes.end());
    TRIBUTARY_TRY(stage_entry_plain({header, hash, body_bytes}, plain));
    own_ = {header.incarnation, header.sequence, hash, header.time};
    return hash;
}

Status StoreImpl::stage_foreign_entry(ByteView plain) {
    TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(plain));
    const EntryHeader& header = entry.header;
    JournalHead head{header.incarnation, 0, {}, {}};
    if (const auto staged = staged_heads_.find(header.incarnation); staged != staged_heads_.end()) {
        head = staged->second;
    } else {
        TRIBUTARY_ASSIGN(const auto held, head_of(header.incarnation));
        if (held) head = *held;
    }
    if (header.sequence <= head.sequence && has({RecordKind::entry, entry.hash.digest})) return {};
    if (header.incarnation == own_.incarnation || header.sequence != head.sequence + 1 ||
        header.previous != head.hash)
        return fail(Errc::conflict, "entry " + std::to_string(header.sequence) + " of journal " +
                                        header.incarnation.text() +
                                        " does not continue what is held here up to entry " +
                                        std::to_string(head.sequence));
    return stage_entry_plain(entry, plain);
}

Status StoreImpl::stage_entry_plain(const EntryView& entry, ByteView plain) {
    Batch& entries = objects_->staged_entries;
    if (entries.bytes.size() >= kBatchBytes) TRIBUTARY_TRY(commit());
    IndexEntry row;
    row.at = {entry.header.incarnation, entry.header.sequence, entry.hash, entry.header.time};
    row.commit = commit_body_of(entry);
    row.thinned = thinned_by(entry);

    RecordHeader header;
    header.kind = RecordKind::entry;
    header.name = entry.hash.digest;
    header.stored_length = header.plain_length = static_cast<std::uint32_t>(plain.size());
    row.place.offset = static_cast<std::uint32_t>(entries.bytes.size());
    entries.add(header, plain, 0);
    row.place.length = static_cast<std::uint32_t>(entries.bytes.size()) - row.place.offset;
    staged_heads_[row.at.incarnation] = row.at;
    staged_rows_.push_back(std::move(row));
    return {};
}

// ---- commit ----

Status StoreImpl::commit() {
    objects_->free_coders();
    Batch& entries = objects_->staged_entries;
    if (objects_->staged.empty() && entries.empty()) {
        parts_.reset();
        peers_staged_ = false;
        return {};
    }
    TRIBUTARY_TRY(log_->admits(objects_->staged.bytes.size() + entries.bytes.size()));

    segment::State state = log_->state();
    state.recorded_bytes += recorded_;
    state.incarnation = own_.incarnation;
    const std::size_t entries_start = objects_->staged.bytes.size();
    Batch batch = std::move(objects_->staged);
    objects_->staged.clear();
    batch.append(entries);
    for (IndexEntry& row : staged_rows_)
        row.place.offset += static_cast<std::uint32_t>(entries_start);
    if (auto done = append_batch(batch, staged_rows_, state); !done) {
        abandon();  // the log is closed; what of this survives, the next open tells
        return done;
    }
    recorded_ = 0;
    peers_staged_ = false;
    own_committed_ = own_;
    entries.clear();
    staged_rows_.clear();
    staged_heads_.clear();
    return {};
}

// Makes one batch that the log admitted durable, then shows it to the index, and leaves it empty.
// `rows` are those of its entries. What was appended before it stays.
Status StoreImpl::append_batch(Batch& batch, std::vector<IndexEntry>& rows,
                               const segment::State& state) {
    parts_.reset();
    if (log_->needs_seal(batch.bytes.size(), batch.table.entries().size())) {
        TRIBUTARY_TRY(log_->seal());
        seal_index_rows();
    }
    TRIBUTARY_ASSIGN(const auto appended, log_->append(batch.bytes, batch.table, state));
    show_index(batch, rows, appended);
    batch.restart();
    return {};
}

void StoreImpl::abandon() {
    abandon_entries();
    objects_->free_coders();
    objects_->staged.clear();
    objects_->forget_plains();
    recorded_ = 0;
    drop_parts();
}

void StoreImpl::abandon_entries() {
    objects_->staged_entries.clear();
    staged_rows_.clear();
    staged_heads_.clear();
    own_ = own_committed_;
}

// ---- state ----

StoreCounters StoreImpl::counters() {
    StoreCounters counters;
    counters.recorded_bytes = log_->state().recorded_bytes;
    counters.written_bytes = written_;
    for (const auto& segment : log_->segments()) {
        counters.stored_bytes += segment.bytes;
        counters.records += segment.records;
        ++counters.segments;
    }
    return counters;
}

}  // namespace tributary
