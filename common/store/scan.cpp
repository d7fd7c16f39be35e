#include "common/store/scan.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <utility>

#include "common/hash/hash.h"

namespace tributary::segment {
namespace {

constexpr std::size_t kWindowBytes = 256 * 1024;

// The file through a sliding window, so that a scan needs RAM for one record only.
class Window {
public:
    Window(std::uint64_t file_bytes, const ReadAt& read) : file_bytes_(file_bytes), read_(read) {}

    std::uint64_t file_bytes() const { return file_bytes_; }

    // Up to `count` bytes at `offset`, fewer at the end; valid until the next call.
    Result<ByteView> at(std::uint64_t offset, std::size_t count) {
        if (offset >= file_bytes_) return ByteView();
        count = static_cast<std::size_t>(std::min<std::uint64_t>(count, file_bytes_ - offset));
        if (offset < start_ || offset + count > start_ + held_) {
            TRIBUTARY_TRY(fill(offset, std::max(count, kWindowBytes)));
            count = std::min(count, held_);
        }
        return ByteView(buffer_).subspan(static_cast<std::size_t>(offset - start_), count);
    }

private:
    Status fill(std::uint64_t offset, std::size_t count) {
        held_ = 0;
        start_ = offset;
        buffer_.resize(std::max(buffer_.size(), count));
        TRIBUTARY_ASSIGN(held_, read_(offset, ByteSpan(buffer_).first(count)));
        return {};
    }

    std::uint64_t file_bytes_;
    const ReadAt& read_;
    Bytes buffer_;
    std::uint64_t start_ = 0;
    std::size_t held_ = 0;
};

// So many bytes before a place; 0 when there are fewer.
std::uint64_t before(std::uint64_t place, std::size_t bytes) {
    return place - std::min<std::uint64_t>(place, bytes);
}

// A mark with a sound CRC, found by looking for it.
struct FoundMark {
    std::uint64_t offset = 0;
    std::uint64_t number = 0;
    std::uint64_t salt = 0;
    std::optional<BatchMark> batch;  // none: an acknowledged mark
    std::uint64_t end() const { return offset + (batch ? BatchMark::kBytes : AckMark::kBytes); }
};

class Scanner {
public:
    Scanner(std::uint64_t file_bytes, bool all_synced, const ReadAt& read,
            const std::function<Status(const ScannedRecord&)>& visit)
        : window_(file_bytes, read), all_synced_(all_synced), visit_(visit) {}

    Result<Scan> run();

private:
    Result<bool> begin();
    Result<bool> take_batch();
    Result<bool> take_damaged();
    Status take_ack();
    void kept(std::uint64_t batch, std::uint64_t mark_end, const std::optional<State>& state);

    Result<std::optional<RecordHeader>> sound_record(std::uint64_t offset, std::uint64_t end);
    Status salvage(std::uint64_t from, std::uint64_t to, std::uint64_t records_end);
    Result<std::uint64_t> walk(std::uint64_t at, std::uint64_t to);
    Result<std::optional<std::uint64_t>> run_before(std::uint64_t from, std::uint64_t end);
    Status look_between(std::uint64_t from, std::uint64_t to);
    Result<std::uint64_t> next_record(std::uint64_t from, std::uint64_t to);
    void damaged(std::uint64_t offset, std::uint64_t length, std::optional<RecordKey> key = {});

    Result<std::optional<FoundMark>> find_own_mark();
    Result<std::optional<FoundMark>> find_mark(std::uint64_t from, std::uint64_t number_min);
    Result<std::optional<FoundMark>> mark_at(std::uint64_t offset);
    Result<bool> synced(const FoundMark& mark);

    Window window_;
    const bool all_synced_;
    const std::function<Status(const ScannedRecord&)>& visit_;
    Scan scan_;
    bool any_salt_ = false;       // while the header is damaged and no mark was believed yet
    std::uint64_t at_ = 0;        // start of the batch that is read now
    std::uint64_t expected_ = 0;  // its number; 0: any
};

// Says whether there is anything to read, and where it starts.
Result<bool> Scanner::begin() {
    TRIBUTARY_ASSIGN(const ByteView first, window_.at(0, Header::kBytes));
    at_ = Header::kBytes;
    if ((scan_.header = parse_header(first))) {
        scan_.salt = scan_.header->salt;
        expected_ = scan_.header->first_batch;
        scan_.last_batch = expected_ - 1;
        return true;
    }
    // Header and first batch are made durable by one sync: without any acknowledged mark in the
    // file it never returned. The last such mark is ours; one before may be inside a recorded file.
    any_salt_ = true;
    std::optional<FoundMark> last;
    for (std::uint64_t from = 0;;) {
        TRIBUTARY_ASSIGN(const auto found, find_mark(from, 0));
        if (!found) break;
        if (!found->batch || all_synced_) last = found;
        from = found->end();
    }
    any_salt_ = false;
    if (!last && !all_synced_) return false;
    if (last) scan_.salt = last->salt;
    scan_.damage.push_back({0, Header::kBytes, 0, std::nullopt});
    return true;
}

Result<Scan> Scanner::run() {
    TRIBUTARY_ASSIGN(const bool readable, begin());
    if (!readable) return scan_;  // end 0: all of it is torn
    while (at_ < window_.file_bytes()) {
        TRIBUTARY_ASSIGN(bool more, take_batch());
        if (!more) {
            TRIBUTARY_ASSIGN(more, take_damaged());
        }
        if (!more) break;
    }
    scan_.end = at_;
    // Never cut what cannot be told apart.
    if (!scan_.header) scan_.end = window_.file_bytes();
    return scan_;
}

// Reads one sound batch at at_ and its acknowledged mark. False, and nothing moved: it is not
// sound.
Result<bool> Scanner::take_batch() {
    std::vector<ScannedRecord> records;
    std::uint64_t at = at_;
    std::uint32_t crc = 0;
    for (;;) {
        TRIBUTARY_ASSIGN(const ByteView mark_bytes, window_.at(at, BatchMark::kBytes));
        if (const auto mark = parse_batch_mark(mark_bytes)) {
            if (mark->salt != scan_.salt || mark->length != at - at_ || mark->records_crc != crc ||
                (expected_ != 0 && mark->number != expected_))
                return false;
            for (const ScannedRecord& record : records) TRIBUTARY_TRY(visit_(record));
            kept(mark->number, at + BatchMark::kBytes, mark->state);
            TRIBUTARY_TRY(take_ack());
            return true;
        }
        TRIBUTARY_ASSIGN(const auto header, sound_record(at, window_.file_bytes()));
        if (!header) return false;
        TRIBUTARY_ASSIGN(const ByteView bytes, window_.at(at, header->record_bytes()));
        crc = crc32c(bytes, crc);
        records.push_back({*header, static_cast<std::uint32_t>(at)});
        at += header->record_bytes();
    }
}

void Scanner::kept(std::uint64_t batch, std::uint64_t mark_end, const std::optional<State>& state) {
    scan_.last_batch = batch;
    scan_.last_acknowledged = false;
    scan_.last_mark_end = mark_end;
    if (state) scan_.state = state;
    at_ = mark_end;
    expected_ = batch + 1;
}

Status Scanner::take_ack() {
    TRIBUTARY_ASSIGN(const ByteView bytes, window_.at(at_, AckMark::kBytes));
    const auto ack = parse_ack_mark(bytes);
    if (ack && ack->salt == scan_.salt && ack->number == scan_.last_batch) {
        scan_.last_acknowledged = true;
        at_ += AckMark::kBytes;
    }
    return {};
}

// What follows at_ is not a sound batch. If it was synced it is damage: keeps what is sound in it
// and goes on behind it. False: it was not; a torn tail (or a footer) begins at at_.
Result<bool> Scanner::take_damaged() {
    TRIBUTARY_ASSIGN(auto mark, find_own_mark());
    if (!mark) {
        TRIBUTARY_ASSIGN(mark, find_mark(at_, expected_));
    }
    if (!mark) {
        TRIBUTARY_ASSIGN(const ByteView front, window_.at(at_, 4));
        if (!all_synced_ || as_text(front) == "TRBF") return false;
        TRIBUTARY_TRY(salvage(at_, window_.file_bytes(), 0));
        at_ = window_.file_bytes();
        return false;
    }
    if (!mark->batch) {  // its batch mark is gone
        TRIBUTARY_TRY(salvage(at_, mark->offset, before(mark->offset, BatchMark::kBytes)));
        kept(mark->number, mark->offset, std::nullopt);
        return take_ack().map([] { return true; });
    }
    // The mark of a later batch proves what is before that batch; its own batch needs more proof.
    TRIBUTARY_ASSIGN(const bool own_batch_synced, synced(*mark));
    if (mark->number == expected_ && !own_batch_synced) return false;
    const std::uint64_t start =
        mark->offset - std::min<std::uint64_t>(mark->batch->length, mark->offset - at_);
    if (start > at_) {
        scan_.last_batch = mark->number - 1;
        constexpr std::size_t kMarks = BatchMark::kBytes + AckMark::kBytes;  // of the batch before
        TRIBUTARY_TRY(salvage(at_, start, before(start, kMarks)));
        scan_.last_acknowledged = true;
        scan_.last_mark_end = at_ = start;
        expected_ = mark->number;
        return true;
    }
    if (!own_batch_synced) return false;
    const std::size_t known = scan_.damage.size();
    scan_.last_batch = mark->number - 1;
    TRIBUTARY_TRY(salvage(at_, mark->offset, mark->offset));
    if (scan_.damage.size() == known) damaged(at_, mark->offset - at_);  // all sound, but not ours
    kept(mark->number, mark->end(), mark->batch->state);
    return take_ack().map([] { return true; });
}

// Whether the batch that `mark` ends was synced: acknowledged, or followed by a later one.
Result<bool> Scanner::synced(const FoundMark& mark) {
    if (all_synced_) return true;
    TRIBUTARY_ASSIGN(const auto next, find_mark(mark.end(), mark.number));
    return next.has_value();
}

// The header of a sound record at `offset` that ends by `end`; nullopt: there is none.
Result<std::optional<RecordHeader>> Scanner::sound_record(std::uint64_t offset, std::uint64_t end) {
    TRIBUTARY_ASSIGN(const ByteView front, window_.at(offset, RecordHeader::kBytesMax));
    const auto header = parse_record_header(front);
    if (!header && header.error().code == Errc::unsupported) return tl::unexpected(header.error());
    if (!header || offset + header->record_bytes() > end) return std::nullopt;
    TRIBUTARY_ASSIGN(const ByteView whole, window_.at(offset, header->record_bytes()));
    if (!parse_record(whole)) return std::nullopt;
    return *header;
}

// Hands out what is sound between two places, of which `from` is where a batch begins, and lists
// the rest as damage. The records of the last batch end at `records_end`, if that is known (0: not
// known); behind it are damaged marks.
Status Scanner::salvage(std::uint64_t from, std::uint64_t to, std::uint64_t records_end) {
    TRIBUTARY_ASSIGN(const std::uint64_t lost, walk(from, to));
    if (lost == to) return {};
    TRIBUTARY_ASSIGN(const auto run, run_before(lost, records_end));
    const std::uint64_t again = run.value_or(to);
    damaged(lost, again - lost);
    TRIBUTARY_TRY(look_between(lost, again));
    if (!run) return {};
    TRIBUTARY_ASSIGN(const std::uint64_t marks, walk(again, records_end));
    if (marks < to) damaged(marks, to - marks);
    return {};
}

// From header to header, also over damaged payloads: where each record stands is shown by the one
// before. Answers where it ends for want of a sound header.
Result<std::uint64_t> Scanner::walk(std::uint64_t at, std::uint64_t to) {
    while (at < to) {
        TRIBUTARY_ASSIGN(const auto sound, sound_record(at, to));
        if (sound) {
            TRIBUTARY_TRY(visit_({*sound, static_cast<std::uint32_t>(at)}));
            at += sound->record_bytes();
            continue;
        }
        TRIBUTARY_ASSIGN(const ByteView front, window_.at(at, RecordHeader::kBytesMax));
        const auto header = parse_record_header(front);
        if (!header || at + header->record_bytes() > to) break;
        damaged(at, header->record_bytes(), header->key());  // its payload
        at += header->record_bytes();
    }
    return at;
}

// Where the longest run of whole records begins, at or behind `from`, that ends exactly at `end`;
// none: there is no such run. Records within a recorded file do not get there: the checksum of the
// record that holds them comes between.
Result<std::optional<std::uint64_t>> Scanner::run_before(std::uint64_t from, std::uint64_t end) {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> spans;  // of sound headers, in order
    for (std::uint64_t at = from; at < end; ++at) {
        TRIBUTARY_ASSIGN(at, next_record(at, end));
        if (at == end) break;
        TRIBUTARY_ASSIGN(const ByteView front, window_.at(at, RecordHeader::kBytesMax));
        const std::uint64_t ends = at + parse_record_header(front)->record_bytes();
        if (ends <= end)
            spans.emplace_back(static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(ends));
    }
    std::set<std::uint64_t> starts{end};
    for (auto span = spans.rbegin(); span != spans.rend(); ++span) {
        if (!starts.contains(span->second)) continue;
        TRIBUTARY_ASSIGN(const auto sound, sound_record(span->first, end));
        if (sound) starts.insert(span->first);
    }
    if (*starts.begin() == end) return std::nullopt;
    return *starts.begin();
}

// Hands out what looks like a record of ours and perhaps is none.
Status Scanner::look_between(std::uint64_t from, std::uint64_t to) {
    for (std::uint64_t at = from;;) {
        TRIBUTARY_ASSIGN(at, next_record(at, to));
        if (at >= to) return {};
        TRIBUTARY_ASSIGN(const auto sound, sound_record(at, to));
        if (sound) TRIBUTARY_TRY(visit_({*sound, static_cast<std::uint32_t>(at), false}));
        // A header alone shows nothing: what it spans may be records that are sound.
        at += sound ? sound->record_bytes() : 1;
    }
}

// Where the next record with a sound header begins, or `to`.
Result<std::uint64_t> Scanner::next_record(std::uint64_t from, std::uint64_t to) {
    constexpr std::string_view kMagic = "TRB1";
    while (from < to) {
        TRIBUTARY_ASSIGN(const ByteView view, window_.at(from, kWindowBytes));
        const std::size_t found = as_text(view).find(kMagic);
        if (found == std::string_view::npos) {
            if (view.size() < kMagic.size()) break;
            from += view.size() - (kMagic.size() - 1);
            continue;
        }
        from += found;
        TRIBUTARY_ASSIGN(const ByteView front, window_.at(from, RecordHeader::kBytesMax));
        if (from < to && parse_record_header(front)) return from;
        ++from;
    }
    return to;
}

void Scanner::damaged(std::uint64_t offset, std::uint64_t length, std::optional<RecordKey> key) {
    scan_.damage.push_back({offset, length, scan_.last_batch + 1, key});
}

// The mark of the batch that begins at at_, or behind a damaged acknowledged mark there. It says
// how long the batch is, so that what a copy of this very segment (of its salt, that is) wrote on
// and that was then recorded here is not taken for it.
Result<std::optional<FoundMark>> Scanner::find_own_mark() {
    for (std::uint64_t from = at_;;) {
        TRIBUTARY_ASSIGN(const auto mark, find_mark(from, expected_));
        if (!mark) return std::nullopt;
        from = mark->end();
        if (!mark->batch || (expected_ != 0 && mark->number != expected_)) continue;
        const std::uint64_t before_it = mark->offset - at_;
        if (before_it == mark->batch->length ||
            before_it == std::uint64_t{mark->batch->length} + AckMark::kBytes)
            return mark;
    }
}

// The next mark of ours at or behind `from` whose number is at least `number_min`.
Result<std::optional<FoundMark>> Scanner::find_mark(std::uint64_t from, std::uint64_t number_min) {
    constexpr std::string_view kMagic = "TRB";
    while (from < window_.file_bytes()) {
        TRIBUTARY_ASSIGN(const ByteView view, window_.at(from, kWindowBytes));
        const std::size_t found = as_text(view).find(kMagic);
        if (found == std::string_view::npos) {
            if (view.size() < kMagic.size()) break;
            from += view.size() - (kMagic.size() - 1);
            continue;
        }
        from += found;
        TRIBUTARY_ASSIGN(const auto mark, mark_at(from));
        if (mark && mark->number >= number_min) return mark;
        ++from;
    }
    return std::nullopt;
}

Result<std::optional<FoundMark>> Scanner::mark_at(std::uint64_t offset) {
    TRIBUTARY_ASSIGN(const ByteView bytes, window_.at(offset, BatchMark::kBytes));
    std::optional<FoundMark> mark;
    if (const auto batch = parse_batch_mark(bytes)) {
        mark = FoundMark{offset, batch->number, batch->salt, batch};
    } else if (const auto ack = parse_ack_mark(bytes)) {
        mark = FoundMark{offset, ack->number, ack->salt, std::nullopt};
    }
    if (mark && !any_salt_ && mark->salt != scan_.salt) mark.reset();
    return mark;
}

}  // namespace

std::optional<std::vector<RecordKey>> lost_names(const Scan& scan) {
    std::vector<RecordKey> names;
    for (const Damage& damage : scan.damage) {
        if (!damage.key) return std::nullopt;
        names.push_back(*damage.key);
    }
    return names;
}

Result<Scan> scan(std::uint64_t file_bytes, bool all_synced, const ReadAt& read,
                  const std::function<Status(const ScannedRecord&)>& visit) {
    return Scanner(file_bytes, all_synced, read, visit).run();
}

}  // namespace tributary::segment
