// Keeping the index in step with the log.
#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "common/record/document.h"
#include "common/record/eviction.h"
#include "common/store/store_impl.h"

namespace tributary {
namespace {

// Opening reads back at most this part of the entries that an open segment may hold, and of that
// another part after a clean end: fewer rows are not worth the pages that SQLite writes for them.
constexpr std::uint32_t kInRam = 16;
constexpr std::uint32_t kWorthAtTheEnd = 4;

// An entry that is read back from the log: its row, and what it follows.
struct ReadEntry {
    IndexEntry row;
    EntryHash previous;
};

Result<ReadEntry> read_entry(const RecordKey& key, ByteView frame, const Place& place) {
    TRIBUTARY_ASSIGN(const RecordView record, parse_record(frame));
    TRIBUTARY_ASSIGN(const EntryView entry, parse_entry(record.payload));
    if (entry.hash.digest != key.name)
        return fail(Errc::corrupt, "entry " + key.name.text() + " is another than it names");
    ReadEntry read;
    read.row.at = {entry.header.incarnation, entry.header.sequence, entry.hash, entry.header.time};
    read.row.place = place;
    read.row.commit = commit_body_of(entry);
    read.row.thinned = thinned_by(entry);
    read.previous = entry.header.previous;
    return read;
}

using EntryNumber = std::pair<Incarnation, std::uint64_t>;

EntryNumber number_of(const ReadEntry& entry) {
    return {entry.row.at.incarnation, entry.row.at.sequence};
}

// Adds to the entries of a segment those found among its damaged bytes that the journals bear out:
// that an entry of ours names as the one before it (none but the right one can be), or that follow
// the last one of their journal. `heads` holds how far the journals of what was found go in the
// segments before. Both lists are in log order, and so is the answer.
std::vector<ReadEntry> join_found(std::vector<ReadEntry> entries,
                                  const std::vector<ReadEntry>& found,
                                  std::map<Incarnation, JournalHead> heads) {
    std::set<EntryNumber> numbers;
    std::set<EntryHash> named;
    const auto take = [&](const ReadEntry& entry) {
        numbers.insert(number_of(entry));
        named.insert(entry.previous);
    };
    for (const ReadEntry& entry : entries) take(entry);
    const auto is_open = [&](const ReadEntry& entry) {
        return !numbers.contains(number_of(entry)) &&
               entry.row.at.sequence > heads[entry.row.at.incarnation].sequence;
    };
    const auto in_log_order = [](const ReadEntry& entry) { return entry.row.place.offset; };

    for (auto entry = found.rbegin(); entry != found.rend(); ++entry) {
        if (!named.contains(entry->row.at.hash) || !is_open(*entry)) continue;
        take(*entry);
        entries.push_back(*entry);
    }
    std::ranges::sort(entries, {}, in_log_order);

    std::vector<ReadEntry> following;
    auto next = entries.begin();
    for (const ReadEntry& entry : found) {
        for (; next != entries.end() && in_log_order(*next) < in_log_order(entry); ++next)
            heads[next->row.at.incarnation] = next->row.at;
        JournalHead& head = heads[entry.row.at.incarnation];
        if (head.sequence == 0 || entry.row.at.sequence != head.sequence + 1 ||
            entry.previous != head.hash || !is_open(entry))
            continue;
        take(entry);
        head = entry.row.at;
        following.push_back(entry);
    }
    entries.insert(entries.end(), following.begin(), following.end());
    std::ranges::sort(entries, {}, in_log_order);
    return entries;
}

}  // namespace

Result<IndexEntry> index_entry_of(const RecordKey& key, ByteView frame, const Place& place) {
    return read_entry(key, frame, place).map([](const ReadEntry& read) { return read.row; });
}

StoreImpl::~StoreImpl() {
    if (index_ && log_->writable()) keep_index_rows(entries_in_ram_max() / kWorthAtTheEnd);
}

Status StoreImpl::open_index() {
    index_path_ =
        options_.index_path.empty() ? join_path(directory_, "index.sqlite") : options_.index_path;
    auto index = Index::open(index_path_, written_);
    if (!index) {  // a full or read-only disk: the log still tells all
        recovery_.index_trouble = index.error().what;
        index_path_ = Index::kInMemory;
        index = Index::open(index_path_, written_);
    }
    if (!index) return tl::unexpected(std::move(index).error());
    index_ = *std::move(index);

    TRIBUTARY_ASSIGN(auto held, index_->segments());
    const auto begun = index_->begun();
    if (!begun && begun.error().code != Errc::corrupt) return tl::unexpected(begun.error());
    begun_ = begun.value_or(0);
    std::map<std::uint32_t, std::uint64_t> salts;
    for (const auto& segment : log_->segments())
        if (!segment.open) salts[segment.number] = segment.salt;
    const auto segments = log_->segments();
    const std::uint32_t newest = segments.empty() ? 0 : segments.back().number;
    if (begun_ > newest && (held.empty() || held.back().number < begun_))
        held.push_back({begun_, 0});
    std::vector<Index::Segment> gone;
    bool fits = true;
    for (const Index::Segment& segment : held) {
        const auto at = salts.find(segment.number);
        if (at != salts.end() && at->second == segment.salt) continue;
        if (at == salts.end() && log_->was_removed(segment.number)) {
            TRIBUTARY_TRY(index_->forget(segment.number));
            continue;
        }
        fits = false;
        if (segment.number > newest) gone.push_back(segment);
    }
    fits = fits && kept_fits();
    for (const Index::Segment& segment : gone) {
        recovery_.damage.push_back(segment_name(segment.number) +
                                   ": missing or empty, though what it held was acknowledged");
        recovery_.head_in_doubt = true;
        log_->leave_out(segment.number);
    }
    if (!fits || !begun) return rebuild_index(gone);
    recovery_.index_rebuilt = held.empty() && !salts.empty();
    return fill_index();
}

// Whether the rows that were moved before their segment was sealed are of what the log holds.
bool StoreImpl::kept_fits() {
    const auto kept = index_->kept();
    if (!kept || !*kept) return kept.has_value();
    const auto segments = log_->segments();
    const auto at = std::ranges::find(segments, (*kept)->segment.number, &Log::SegmentInfo::number);
    if (at == segments.end() || at->salt != (*kept)->segment.salt || !at->whole) return false;
    return !at->open || (*kept)->bytes <= at->bytes;
}

// `gone`: segments that only the index knows of. It goes on knowing them, so that whoever opens the
// store next hears of them too, until a later segment leaves their numbers out.
Status StoreImpl::rebuild_index(const std::vector<Index::Segment>& gone) {
    recovery_.index_rebuilt = true;
    index_.reset();
    TRIBUTARY_TRY(Index::remove(index_path_));
    TRIBUTARY_ASSIGN(index_, Index::open(index_path_, written_));
    for (const Index::Segment& segment : gone) TRIBUTARY_TRY(index_->seal(segment));
    TRIBUTARY_TRY(index_->set_begun(begun_));
    return fill_index();
}

// Adds the segments whose rows are not in the index.
Status StoreImpl::fill_index() {
    TRIBUTARY_ASSIGN(const auto held, index_->segments());
    TRIBUTARY_ASSIGN(const auto kept, index_->kept());
    const auto segments = log_->segments();
    std::uint64_t done = 0;
    for (const auto& segment : segments) {
        const Index::Segment id{segment.number, segment.salt};
        ++done;
        if (std::find(held.begin(), held.end(), id) != held.end()) continue;
        if (options_.progress) options_.progress("segments indexed", done, segments.size());
        const bool partly_there = segment.open && kept && kept->segment == id;
        TRIBUTARY_TRY(index_segment(*index_, segment.number, partly_there ? kept->bytes : 0));
        if (!segment.open) (void)index_->seal(id);  // when it fails the rows stay in RAM
    }
    keep_index_rows(entries_in_ram_max());
    if (segments.empty() || segments.back().number <= begun_) return {};
    begun_ = segments.back().number;
    return index_->set_begun(begun_);
}

// What stands from byte `from` of a segment on.
Status StoreImpl::index_segment(Index& index, std::uint32_t number, std::uint64_t from) {
    TRIBUTARY_TRY(index.begin_rows());
    const auto added = index_records(index, number, from);
    const auto ended = index.end_rows();
    return added ? ended : added;
}

Status StoreImpl::index_records(Index& index, std::uint32_t number, std::uint64_t from) {
    TRIBUTARY_ASSIGN(const auto records, log_->entries(number));
    std::map<Incarnation, JournalHead> heads;
    std::vector<ReadEntry> entries, found;
    for (const auto& [key, place] : log_->found_entries()) {
        if (place.segment != number) continue;
        TRIBUTARY_ASSIGN(const auto frame, log_->read_if_there(key, place));
        if (!frame) continue;
        const auto entry = read_entry(key, *frame, place);
        if (!entry) continue;
        TRIBUTARY_ASSIGN(const auto head, index.head(entry->row.at.incarnation));
        if (head) heads[head->incarnation] = *head;
        found.push_back(*entry);
    }
    for (const segment::Entry& record : records) {
        if (record.offset < from) continue;
        const Place place{number, record.offset, record.length, record.depth};
        if (record.key.kind == RecordKind::eviction)
            TRIBUTARY_TRY(show_eviction(index, record.key));
        if (record.key.kind == RecordKind::receipt)
            TRIBUTARY_TRY(show_receipt(index, record.key, place));
        if (record.key.kind != RecordKind::entry) continue;
        const auto frame = log_->read(record.key, place);
        if (!frame && frame.error().code == Errc::corrupt) continue;
        if (!frame) return tl::unexpected(frame.error());
        const auto entry = read_entry(record.key, *frame, place);
        if (entry && found.empty()) TRIBUTARY_TRY(index.add(entry->row));
        if (entry && !found.empty()) entries.push_back(*entry);
    }
    for (const ReadEntry& entry : join_found(std::move(entries), found, std::move(heads)))
        TRIBUTARY_TRY(index.add(entry.row));
    return {};
}

void StoreImpl::seal_index_rows() {
    if (!index_) return;
    const auto segments = log_->segments();
    const auto sealed = index_->seal({segments.back().number, segments.back().salt});
    if (!sealed && sealed.error().code == Errc::corrupt) index_.reset();
}

std::size_t StoreImpl::entries_in_ram_max() const { return options_.segment_records / kInRam; }

// Moves the rows of the open segment to the index's file when there are so many. When that fails
// they stay in RAM, and it is tried again when there are twice as many: a disk may be full.
void StoreImpl::keep_index_rows(std::size_t entries_min) {
    if (!index_ ||
        index_->entries_in_ram() < std::max({entries_min, keep_again_at_, std::size_t{1}}))
        return;
    const auto segments = log_->segments();
    if (segments.empty() || !segments.back().open) return;
    const Log::SegmentInfo& open = segments.back();
    const auto kept = index_->keep({{open.number, open.salt}, open.bytes});
    keep_again_at_ = kept ? 0 : 2 * index_->entries_in_ram();
}

// Adds a batch that is in the log now. An index that fails here is built anew when it is asked.
void StoreImpl::show_index(const Batch& batch, std::vector<IndexEntry>& rows,
                           const Log::Appended& appended) {
    if (!index_) return;
    Status shown = index_->begin_rows();
    for (IndexEntry& row : rows) {
        if (!shown) break;
        row.place.segment = appended.segment;
        row.place.offset += appended.offset;
        shown = index_->add(row);
    }
    for (const segment::Entry& entry : batch.table.entries()) {
        const Place place{appended.segment, appended.offset + entry.offset, entry.length,
                          entry.depth};
        if (shown && entry.key.kind == RecordKind::eviction)
            shown = show_eviction(*index_, entry.key);
        if (shown && entry.key.kind == RecordKind::receipt)
            shown = show_receipt(*index_, entry.key, place);
    }
    const auto ended = index_->end_rows();
    if (shown) shown = ended;
    if (shown && appended.segment > begun_) shown = index_->set_begun(appended.segment);
    begun_ = std::max(begun_, appended.segment);
    if (!shown) index_.reset();
    keep_index_rows(entries_in_ram_max());
}

// One that cannot be read is damage, which the check of its segment names.
Status StoreImpl::show_eviction(Index& index, const RecordKey& key) {
    const auto plain = objects_->plain(key);
    if (!plain) return {};
    const auto versions = parse_eviction(*plain);
    if (!versions) return {};
    for (const VersionId& version : *versions) TRIBUTARY_TRY(index.add_evicted(version));
    return {};
}

// Likewise; then the one before it counts.
Status StoreImpl::show_receipt(Index& index, const RecordKey& key, const Place& place) {
    const auto receipt = objects_->plain(key)
                             .and_then(parse_signed_document)
                             .and_then([](const SignedDocument& document) {
                                 return parse_receipt(document.payload);
                             });
    return receipt ? index.add_receipt(receipt->incarnation, key.name, place) : Status();
}

}  // namespace tributary
