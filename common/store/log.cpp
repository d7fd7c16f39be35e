#include "common/store/log.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "common/base/words.h"
#include "common/hash/hash.h"

namespace tributary {
namespace {

constexpr std::size_t kReadFilesMax = 16;  // open at a time, besides the open segment
// Of fences and filters in RAM: those of four million records. With less than there are, each look
// for what is not here would read the rest from the disk.
constexpr std::size_t kLookupBytesMax = 6 * 1024 * 1024;
// Kept free for footer, marks and index, so that a full disk is met before a write and not in it.
constexpr std::uint64_t kReserveBytes = 256 * 1024;
// For the list of removed segments, which is written beside itself.
constexpr std::uint64_t kRemovingBytes = 16 * 1024;

}  // namespace

std::string segment_name(std::uint32_t number) {
    char name[32];
    std::snprintf(name, sizeof name, "segments/%06u.seg", static_cast<unsigned>(number));
    return name;
}

std::optional<std::uint32_t> segment_number(const std::string& file) {
    constexpr std::string_view kSuffix = ".seg";
    std::string_view name = file;
    if (name.size() < 6 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
    name.remove_suffix(kSuffix.size());
    std::uint64_t number = 0;
    for (const char c : name) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
        if (number >= UINT32_MAX) return std::nullopt;
    }
    const auto segment = static_cast<std::uint32_t>(number);
    // "0000001.seg" is not a second segment 1.
    if (segment == 0 || file_name(segment_name(segment)) != file) return std::nullopt;
    return segment;
}

Log::Log(Files& files, Entropy& entropy, std::string directory, const StoreOptions& options,
         bool read_only, std::uint64_t& written)
    : files_(files),
      entropy_(entropy),
      directory_(std::move(directory)),
      options_(options),
      read_only_(read_only),
      written_(written) {}

Log::~Log() = default;

std::string Log::path_of(std::uint32_t number) const {
    return join_path(directory_, segment_name(number));
}

std::vector<Log::SegmentInfo> Log::segments() const {
    std::vector<SegmentInfo> all;
    all.reserve(sealed_.size() + 1);
    for (const auto& sealed : sealed_) all.push_back(sealed->info);
    if (open_) all.push_back(open_->info);
    return all;
}

// ---- writing ----

Status Log::writable() const {
    if (read_only_)
        return fail(Errc::denied,
                    "the file system of " + directory_ +
                        " is read-only: what is there can be read; to record, mount it "
                        "writable, and check the disk when it became so by itself");
    if (!closed_) return {};
    return fail(Errc::unavailable,
                "the store was closed for writing after an error (" + closed_->what +
                    "): open it again to recover",
                closed_->native);
}

tl::unexpected<Error> Log::close_for_writing(Error error) {
    if (!closed_) closed_ = error;
    return tl::unexpected<Error>(std::move(error));
}

Status Log::admits(std::uint64_t bytes, Use use) const {
    TRIBUTARY_TRY(writable());
    std::uint64_t needed = kRemovingBytes;
    if (use != Use::removing) {
        needed = bytes + (use == Use::recording ? kReserveBytes : kReserveBytes / 4);
        // The open segment may be sealed before: its footer takes less than this for each record.
        constexpr std::uint64_t kFooterRecordBytes = segment::Entry::kBytes + 4;
        if (open_)
            needed += open_->table.entries().size() * kFooterRecordBytes +
                      open_->table.bases().size() * std::uint64_t{kDigestBytes};
    }
    const auto free = files_.free_bytes(directory_);
    if (!free || *free >= needed) return {};
    return fail(Errc::exhausted, "the disk of " + directory_ + " is almost full: at least " +
                                     human_bytes(needed - *free) +
                                     " more must be free; free some space, then try again");
}

// After a failed sync the system may go on showing bytes that will never reach the medium. Cut off
// all that was written since the last good one (the last acknowledged mark too), so that the next
// open does not take them for durable. As good as it can be done: when this fails too, nothing was
// acknowledged anyway.
//
// A kill between the failed sync and this leaves a whole batch without its acknowledged mark, which
// the next open cannot tell from one whose sync nobody lived to see, and keeps. Its own sync may
// then answer success for pages that the first one gave up. To write the segment anew after every
// kill in a commit would cost a board more flash than these few microseconds on a failing disk are
// worth. What the medium does not have is damage with a name as soon as it is read from there: the
// acknowledged mark stands behind it.
void Log::drop_unsynced() {
    const bool first_batch = open_->info.bytes <= segment::Header::kBytes;
    (void)open_->file->truncate(first_batch ? 0 : open_->info.bytes - segment::AckMark::kBytes);
}

bool Log::needs_seal(std::size_t bytes, std::size_t records) const {
    if (!open_ || open_->info.records == 0) return false;
    return open_->info.bytes + bytes + segment::BatchMark::kBytes + segment::AckMark::kBytes >
               options_.segment_bytes ||
           open_->info.records + records > options_.segment_records;
}

Status Log::seal() {
    TRIBUTARY_TRY(writable());
    if (!open_) return {};
    segment::State state = state_;
    state.written_bytes = written_;
    const Bytes footer =
        segment::encode_footer(open_->table, static_cast<std::uint32_t>(open_->info.bytes),
                               open_->info.salt, next_batch_ - 1, state);
    auto done = open_->file->append(footer);
    if (done) done = open_->file->sync();
    if (!done) {
        drop_unsynced();
        return close_for_writing(std::move(done).error());
    }

    auto sealed = std::make_unique<Sealed>();
    sealed->info = open_->info;
    sealed->info.bytes += footer.size();
    sealed->info.open = false;
    sealed->tail =
        *segment::parse_tail(ByteView(footer).last(segment::Tail::kBytes), sealed->info.bytes);
    sealed_.push_back(std::move(sealed));
    open_.reset();
    return {};
}

Status Log::create_segment() {
    if (newest_may_be_unsynced_) {
        TRIBUTARY_ASSIGN(const auto file, files_.open_append(path_of(sealed_.back()->info.number)));
        TRIBUTARY_TRY(file->sync());
        newest_may_be_unsynced_ = false;
    }
    auto open = std::make_unique<Open>();
    open->info = {.number = next_segment_,
                  .salt = entropy_.number(),
                  .bytes = segment::Header::kBytes,
                  .records = 0,
                  .open = true,
                  .whole = true};
    Bytes header;
    segment::append_header(header, {open->info.salt, next_batch_, open->info.number});
    TRIBUTARY_ASSIGN(open->file, files_.create(path_of(open->info.number)));
    TRIBUTARY_TRY(open->file->append(header));
    open_ = std::move(open);
    ++next_segment_;
    return {};
}

Result<Log::Appended> Log::append(Bytes& records, const segment::Table& table,
                                  segment::State state) {
    TRIBUTARY_TRY(writable());
    const bool new_segment = !open_;
    if (new_segment) {
        if (auto made = create_segment(); !made) return close_for_writing(std::move(made).error());
    }

    segment::BatchMark mark;
    mark.length = static_cast<std::uint32_t>(records.size());
    mark.salt = open_->info.salt;
    mark.number = next_batch_;
    mark.state = state;
    mark.state.written_bytes = written_ + records.size() + segment::BatchMark::kBytes;
    mark.records_crc = crc32c(records);
    segment::append_batch_mark(records, mark);
    auto done = open_->file->append(records);
    if (done) done = open_->file->sync();
    if (done && new_segment) done = files_.sync_directory(join_path(directory_, "segments"));
    if (!done) {
        drop_unsynced();
        return close_for_writing(std::move(done).error());
    }

    // From here on the batch is durable, whatever happens to its acknowledged mark.
    Bytes ack;
    segment::append_ack_mark(ack, {open_->info.salt, next_batch_});
    if (auto acked = open_->file->append(ack); !acked) closed_ = std::move(acked).error();

    const Appended appended{open_->info.number, static_cast<std::uint32_t>(open_->info.bytes)};
    for (const segment::Entry& entry : table.entries())
        open_->table.add(entry.key, appended.offset + entry.offset, entry.length, entry.depth,
                         table.bases(entry));
    open_->info.bytes += records.size() + ack.size();
    open_->info.records += table.entries().size();
    state_ = mark.state;
    ++next_batch_;
    return appended;
}

// ---- winning space ----

Status Log::can_remove() const {
    if (removed_) return {};
    return fail(Errc::corrupt, "removed.0 and removed.1 in " + directory_ +
                                   " are damaged, so no space can be won: remove both files; the "
                                   "segments that are gone are then named by fsck, for good");
}

Status Log::remove(std::uint32_t number) {
    TRIBUTARY_TRY(writable());
    TRIBUTARY_TRY(can_remove());
    TRIBUTARY_TRY(admits(0, Use::removing));  // a full disk is met before anything is said
    TRIBUTARY_CHECK(info_of(number) && (open_ || number != sealed_.back()->info.number));
    // After an error it may be said or not; until the next open() tells, nothing may count on it.
    if (auto said = removed_->add(number); !said) return close_for_writing(std::move(said).error());
    forget(number);
    (void)files_.remove(path_of(number));  // else at the next open()
    (void)files_.sync_directory(join_path(directory_, "segments"));
    return {};
}

// Nothing of a segment is known any more.
void Log::forget(std::uint32_t number) {
    std::erase_if(sealed_, [&](const auto& sealed) { return sealed->info.number == number; });
    std::erase_if(read_files_, [&](const auto& file) { return file.segment == number; });
    std::erase_if(damaged_places_, [&](const auto& place) { return place.first == number; });
    std::erase_if(found_, [&](const auto& found) { return found.place.segment == number; });
}

// ---- finding ----

Result<std::optional<Place>> Log::find(const RecordKey& key) {
    const auto sound = [&](std::uint32_t number, const segment::Entry& entry) {
        return !damaged_places_.contains({number, entry.offset});
    };
    if (open_) {
        const segment::Entry* entry = open_->table.find(key);
        if (entry && sound(open_->info.number, *entry))
            return Place{open_->info.number, entry->offset, entry->length, entry->depth};
    }
    for (auto sealed = sealed_.rbegin(); sealed != sealed_.rend(); ++sealed) {
        TRIBUTARY_ASSIGN(const auto place, find_in(**sealed, key));
        if (place && !damaged_places_.contains({place->segment, place->offset})) return place;
    }
    return std::nullopt;
}

std::vector<Place> Log::found(const RecordKey& key) const {
    std::vector<Place> places;
    for (auto at = found_.lower_bound({key, {}}); at != found_.end() && at->key == key; ++at)
        places.push_back(at->place);
    return places;
}

std::vector<std::pair<RecordKey, Place>> Log::found_of(RecordKind kind) const {
    std::vector<std::pair<RecordKey, Place>> places;
    for (const Found& found : found_)
        if (found.key.kind == kind) places.emplace_back(found.key, found.place);
    std::ranges::sort(places, {}, [](const auto& found) {
        return std::pair(found.second.segment, found.second.offset);
    });
    return places;
}

Result<std::optional<Place>> Log::find_in(Sealed& sealed, const RecordKey& key) {
    const auto place_of = [&](const segment::Entry& entry) {
        return Place{sealed.info.number, entry.offset, entry.length, entry.depth};
    };
    if (!sealed.table && !sealed.lookup) TRIBUTARY_TRY(load_lookup(sealed));
    if (!sealed.table) {
        sealed.last_use = ++uses_;
        const auto blocks = sealed.lookup->find(key);
        std::optional<Place> found;
        for (std::uint32_t block = blocks.first; block < blocks.end; ++block) {
            TRIBUTARY_ASSIGN(File* const file, file_of(sealed.info.number));
            Bytes bytes(sealed.tail.block_bytes(block));
            const auto read = file->read_exactly(sealed.tail.block_offset(block), bytes);
            if (!read && read.error().code != Errc::corrupt) return tl::unexpected(read.error());
            const auto entries = read ? segment::parse_block(bytes) : std::nullopt;
            if (!entries) {
                TRIBUTARY_TRY(fall_back_to_scan(sealed));
                break;
            }
            for (const segment::Entry& entry : *entries)
                if (entry.key == key) found = place_of(entry);  // the last one is the newest
        }
        if (!sealed.table) return found;
    }
    const segment::Entry* entry = sealed.table->find(key);
    if (!entry) return std::nullopt;
    return place_of(*entry);
}

// Reads fences and filter, and lets others go when that is too much RAM.
Status Log::load_lookup(Sealed& sealed) {
    TRIBUTARY_ASSIGN(File* const file, file_of(sealed.info.number));
    Bytes bytes(sealed.tail.lookup_bytes());
    const auto read = file->read_exactly(sealed.tail.lookup_offset(), bytes);
    if (!read && read.error().code != Errc::corrupt) return tl::unexpected(read.error());
    if (read) sealed.lookup = segment::Lookup::parse(sealed.tail, std::move(bytes));
    if (!sealed.lookup) return fall_back_to_scan(sealed);

    sealed.last_use = ++uses_;
    std::size_t ram = 0;
    Sealed* oldest = nullptr;
    for (const auto& other : sealed_) {
        if (!other->lookup) continue;
        ram += other->lookup->ram_bytes();
        if (other.get() != &sealed && (!oldest || other->last_use < oldest->last_use))
            oldest = other.get();
    }
    if (ram > kLookupBytesMax && oldest) oldest->lookup.reset();
    return {};
}

// The footer is damaged: the records themselves tell what there is. The table is in place while it
// fills, because finding a record's base asks this segment too.
Status Log::fall_back_to_scan(Sealed& sealed) {
    TRIBUTARY_ASSIGN(const auto file, files_.open_read(path_of(sealed.info.number)));
    sealed.table = std::make_unique<segment::Table>();
    sealed.lookup.reset();
    sealed.info.whole = false;
    damage_at(sealed.info.number, sealed.tail.footer_offset);
    auto scanned = scan_into(*sealed.table, *file, sealed.info.bytes, true, sealed.info.number);
    if (scanned && scanned->last_batch == sealed.tail.last_batch)
        sealed.lost = segment::lost_names(*scanned);
    if (scanned) return {};
    sealed.table.reset();
    return tl::unexpected(std::move(scanned).error());
}

Result<std::vector<segment::Entry>> Log::entries(std::uint32_t number) {
    std::vector<segment::Entry> all;
    if (open_ && open_->info.number == number) {
        all.assign(open_->table.entries().begin(), open_->table.entries().end());
        return all;
    }
    const auto at = std::find_if(sealed_.begin(), sealed_.end(),
                                 [&](const auto& s) { return s->info.number == number; });
    if (at == sealed_.end()) return fail(Errc::not_found, "no " + segment_name(number));
    Sealed& sealed = **at;
    for (std::uint32_t block = 0; !sealed.table && block < sealed.tail.blocks(); ++block) {
        TRIBUTARY_ASSIGN(File* const file, file_of(number));
        Bytes bytes(sealed.tail.block_bytes(block));
        TRIBUTARY_TRY(file->read_exactly(sealed.tail.block_offset(block), bytes));
        const auto entries = segment::parse_block(bytes);
        if (entries) {
            all.insert(all.end(), entries->begin(), entries->end());
        } else {
            TRIBUTARY_TRY(fall_back_to_scan(sealed));
        }
    }
    if (sealed.table) all.assign(sealed.table->entries().begin(), sealed.table->entries().end());
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.offset < b.offset; });
    return all;
}

bool Log::is_damaged(std::uint32_t number) const {
    const SegmentInfo* const info = info_of(number);
    const auto at = damaged_places_.lower_bound({number, 0});
    return (info && !info->whole) || (at != damaged_places_.end() && at->first == number);
}

std::optional<std::vector<RecordKey>> Log::lost(std::uint32_t number) const {
    const auto at =
        std::ranges::find(sealed_, number, [](const auto& s) { return s->info.number; });
    return at == sealed_.end() ? std::nullopt : (*at)->lost;
}

Result<bool> Log::stands(const RecordKey& key) {
    for (;;) {
        TRIBUTARY_ASSIGN(const auto place, find(key));
        if (!place) return false;
        const auto bytes = read(key, *place);  // when it is damaged, find() passes over it
        if (bytes) return true;
        if (bytes.error().code != Errc::corrupt) return tl::unexpected(bytes.error());
    }
}

void Log::damage_at(std::uint32_t number, std::uint64_t offset) {
    last_damage_ = std::max(last_damage_.value_or(Position{}), Position{number, offset});
}

// ---- reading ----

Result<File*> Log::file_of(std::uint32_t number) {
    if (open_ && open_->info.number == number) return open_->file.get();
    for (CachedFile& cached : read_files_) {
        if (cached.segment != number) continue;
        cached.last_use = ++uses_;
        return cached.file.get();
    }
    TRIBUTARY_ASSIGN(auto file, files_.open_read(path_of(number)));
    if (read_files_.size() == kReadFilesMax) {
        read_files_.erase(std::min_element(
            read_files_.begin(), read_files_.end(),
            [](const CachedFile& a, const CachedFile& b) { return a.last_use < b.last_use; }));
    }
    read_files_.push_back({number, ++uses_, std::move(file)});
    return read_files_.back().file.get();
}

tl::unexpected<Error> Log::damaged_record(const RecordKey& key, const Place& place) {
    damaged_places_.insert({place.segment, place.offset});
    damaged_keys_.insert(key);
    damage_at(place.segment, place.offset);
    return fail(Errc::corrupt, std::string(name_of(key.kind)) + " " + key.name.text() +
                                   " is damaged in " + segment_name(place.segment) + " at byte " +
                                   std::to_string(place.offset) +
                                   ": record it again, or fetch it from the hub");
}

const Log::SegmentInfo* Log::info_of(std::uint32_t number) const {
    if (open_ && open_->info.number == number) return &open_->info;
    const auto at = std::ranges::lower_bound(
        sealed_, number, {}, [](const auto& sealed) { return sealed->info.number; });
    return at != sealed_.end() && (*at)->info.number == number ? &(*at)->info : nullptr;
}

Result<Bytes> Log::read_raw(const Place& place, std::size_t bytes) {
    TRIBUTARY_ASSIGN(File* const file, file_of(place.segment));
    Bytes out(bytes);
    TRIBUTARY_TRY(file->read_exactly(place.offset, out));
    return out;
}

Result<std::optional<Bytes>> Log::read_if_there(const RecordKey& key, const Place& place) {
    const SegmentInfo* const segment = info_of(place.segment);
    if (!segment || std::uint64_t{place.offset} + place.length > segment->bytes)
        return std::nullopt;
    auto bytes = read_raw(place, place.length);
    if (!bytes && bytes.error().code != Errc::corrupt) return tl::unexpected(bytes.error());
    if (!bytes) return std::nullopt;
    const auto record = parse_record(*bytes);
    if (!record || record->header.key() != key || record->header.record_bytes() != bytes->size())
        return std::nullopt;
    return *std::move(bytes);
}

Result<Bytes> Log::read(const RecordKey& key, const Place& place) {
    TRIBUTARY_ASSIGN(auto bytes, read_if_there(key, place));
    if (!bytes) return damaged_record(key, place);
    return *std::move(bytes);
}

Result<RecordHeader> Log::read_header(const RecordKey& key, const Place& place) {
    const auto bytes =
        read_raw(place, std::min<std::size_t>(place.length, std::size_t{RecordHeader::kBytesMax}));
    if (!bytes && bytes.error().code != Errc::corrupt) return tl::unexpected(bytes.error());
    if (bytes) {
        const auto header = parse_record_header(*bytes);
        if (header && header->key() == key && header->record_bytes() == place.length)
            return *header;
    }
    return damaged_record(key, place);
}

}  // namespace tributary
